// Package verify compares lateral's two executors on a live database: what SQL answers must be what
// Odoo answers the same user. It makes random reads of every model, shrinks what disagrees to the
// smallest request that still does, and writes nothing to the database.
package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"lateral/auth"
	"lateral/reader"
	"lateral/schema"
	"lateral/writer"
)

// Reader is the reader whose executors are compared.
type Reader interface {
	Explain(ctx context.Context, who auth.Credentials, q reader.Query) (path, reason string, err error)
	Read(ctx context.Context, who auth.Credentials, q reader.Query) (*reader.Result, error)
	ReadThroughOdoo(ctx context.Context, who auth.Credentials, q reader.Query) (*reader.Result, error)
}

// Oracle answers requests as Odoo does.
type Oracle interface {
	// Ask answers a request. With total, the order of its records is made total by the id, as lateral's
	// is.
	Ask(ctx context.Context, r Request, total bool) (Outcome, error)
}

// executor is lateral's own executor through Odoo as an oracle.
type executor struct {
	reader    Reader
	catalogue *schema.Catalogue
	users     map[string]Reading
}

// Ask implements Oracle.
func (e executor) Ask(ctx context.Context, r Request, total bool) (Outcome, error) {
	q, err := r.Query(e.catalogue)
	if err != nil {
		return Outcome{}, err
	}
	if total {
		q.Order = totalOrder(e.catalogue, r.Model, strings.Join(r.Order, ", "))
	}
	result, err := e.reader.ReadThroughOdoo(ctx, e.users[r.User].Credentials, q)
	return Collect(ctx, r.One, result, err)
}

// Kind is a kind of disagreement.
type Kind string

// The kinds of disagreement, the worst first.
const (
	Leak    Kind = "leak"    // lateral shows what Odoo hides
	Missing Kind = "missing" // lateral lacks records that Odoo has
	Extra   Kind = "extra"   // lateral has records that Odoo would show, but not here
	Ordered Kind = "order"   // the same records in another order
	Value   Kind = "value"   // a field has another value, or is written in another way
	Keys    Kind = "field"   // a document has other fields
	Denial  Kind = "denial"  // one side refuses, or for another reason
	Failure Kind = "failure" // lateral fails where no request deserves it
)

// Kinds are all kinds of disagreement, in the order of reports.
func Kinds() []Kind {
	return []Kind{Leak, Missing, Extra, Ordered, Value, Keys, Denial, Failure}
}

// verdict is the result of one comparison.
type verdict struct {
	kind   Kind // "" where both agree
	text   string
	path   string // which way lateral went, "" where it refused
	strict string // why lateral may refuse what Odoo answers, where it does
	moving bool   // the records changed whenever both sides were asked
	sql    Outcome
	rpc    Outcome
}

// asker is a user with a context.
type asker struct {
	odoo    writer.Caller
	who     auth.Credentials
	context map[string]any
}

// comparer asks both sides.
type comparer struct {
	reader    Reader
	oracle    Oracle
	odoo      writer.Caller
	catalogue *schema.Catalogue
	users     map[string]Reading
}

// Reading is a user to read as, with credentials and the context that requests have unless they say
// otherwise.
type Reading struct {
	User
	Credentials auth.Credentials
	Lang, Tz    string
}

// asker returns the user of a request in its context.
func (c *comparer) asker(r Request) asker {
	user := c.users[r.User]
	a := asker{odoo: c.odoo, who: user.Credentials, context: map[string]any{}}
	for key, value := range map[string]string{"lang": user.Lang, "tz": user.Tz} {
		if value != "" {
			a.context[key] = value
		}
	}
	maps.Copy(a.context, r.Context)
	return a
}

// settles is how often both sides are asked before records that keep changing are given up.
const settles = 3

// compare asks both sides. A disagreement counts only if it is still there when asked again, so that
// values which depend on the clock do not, and if each side has given the same answer twice: Odoo's
// lies between two equal ones of lateral's, so that the records have not changed.
func (c *comparer) compare(ctx context.Context, r Request) (verdict, error) {
	v, err := c.once(ctx, r)
	for range settles {
		if err != nil || v.kind == "" {
			return v, err
		}
		before := v
		v, err = c.once(ctx, r)
		if err == nil && v.kind == before.kind && v.sql.same(before.sql) && v.rpc.same(before.rpc) {
			return v, nil
		}
	}
	if err == nil && v.kind != "" {
		v.moving = true
	}
	return v, err
}

func (c *comparer) once(ctx context.Context, r Request) (verdict, error) {
	a := c.asker(r)
	q, err := r.Query(c.catalogue)
	if err != nil {
		return verdict{}, fmt.Errorf("%s: %w", r, err)
	}
	result, err := c.reader.Read(ctx, a.who, q)
	sql, err := Collect(ctx, r.One, result, err)
	if err != nil {
		return verdict{}, err
	}
	rpc, err := c.oracle.Ask(ctx, r, false)
	if err != nil {
		return verdict{}, err
	}
	v := verdict{path: sql.Path, sql: sql, rpc: rpc}
	switch {
	case sql.Refusal == Failed:
		v.kind, v.text = Failure, "lateral failed: "+sql.Text
		return v, nil
	case sql.same(rpc):
		return v, nil
	case sql.Refusal != "" && rpc.Refusal != "":
		err := c.otherReason(ctx, r, &v)
		return v, err
	case sql.Refusal == RefusedAccess && rpc.Refusal == "":
		if v.strict, err = c.stricter(ctx, a, r, sql); err != nil || v.strict != "" {
			return v, err
		}
	}
	if sql.Refusal != "" || rpc.Refusal != "" {
		if tied, err := c.judgeTied(ctx, a, r, &v); err != nil || tied {
			return v, err
		}
		v.kind, v.text = Denial, fmt.Sprintf("lateral %s, Odoo %s", sql, rpc)
		if sql.Refusal == "" && rpc.Refusal == RefusedAccess && len(sql.Records) > 0 {
			v.kind = Leak
		}
		return v, nil
	}
	err = c.judge(ctx, a, r, &v)
	return v, err
}

// judgeTied judges a request that one side refuses because of a record that is not on the other's page,
// where the order leaves open which of equal records are: with the id added Odoo must do as lateral does.
// It reports whether that is so.
func (c *comparer) judgeTied(ctx context.Context, a asker, r Request, v *verdict) (bool, error) {
	order := strings.Join(r.Order, ", ")
	if totalOrder(c.catalogue, r.Model, order) == order {
		return false, nil
	}
	total, err := c.oracle.Ask(ctx, r, true)
	switch {
	case err != nil || total.Refusal != v.sql.Refusal:
		return false, err
	case total.Refusal != "":
		return c.tied(ctx, a, r, v.rpc.IDs)
	}
	v.rpc = total
	return true, c.judge(ctx, a, r, v)
}

// otherReason judges a request that both sides refuse, but for different reasons. Of several faults
// each side may find another one first; so each part of the request is asked by itself, and there they
// must agree.
func (c *comparer) otherReason(ctx context.Context, r Request, v *verdict) error {
	if c.foreignCompany(r) {
		v.strict = strictCompany
		r.Context = maps.Clone(r.Context)
		delete(r.Context, "allowed_company_ids")
	}
	parts := r.parts()
	switch {
	case len(parts) > 1:
	case v.strict == strictCompany:
		// Without the company the request as a whole must agree.
		parts = []Request{r}
	default:
		if v.sql.Refusal == RefusedAccess && v.rpc.Refusal == RefusedMissing {
			strict, err := c.stricter(ctx, c.asker(r), r, v.sql)
			if v.strict = cmp.Or(strict, v.strict); err != nil || strict != "" {
				return err
			}
		}
		v.kind, v.text = Denial, fmt.Sprintf("lateral %s, Odoo %s", v.sql, v.rpc)
		return nil
	}
	for _, part := range parts {
		found, err := c.once(ctx, part)
		if err != nil {
			return err
		}
		if found.kind != "" {
			v.kind, v.text = Denial, fmt.Sprintf("both refuse, but %s: %s", part, found.text)
			return nil
		}
	}
	return nil
}

// judge compares two answers. Where an order leaves ties, Odoo's answer is one of many: with the id
// added it must be lateral's.
func (c *comparer) judge(ctx context.Context, a asker, r Request, v *verdict) error {
	sql, rpc := v.sql, v.rpc
	page := rpc.IDs
	if !slices.Equal(sql.IDs, page) {
		total, err := c.oracle.Ask(ctx, r, true)
		if err != nil {
			return err
		}
		if total.Refusal == "" {
			rpc = total
		}
	}
	c.sortComputed(r, sql.Records)
	c.sortComputed(r, rpc.Records)
	found := compareRecords(sql, rpc)
	if found != nil && slices.Equal(sql.IDs, rpc.IDs) {
		if err := c.sortTied(ctx, a, r, sql.Records, rpc.Records); err != nil {
			return err
		}
		found = compareRecords(sql, rpc)
	}
	if found == nil {
		if slices.Equal(sql.IDs, page) {
			return nil
		}
		tied, err := c.tied(ctx, a, r, page)
		if err != nil || tied {
			return err
		}
		v.kind, v.text = Ordered, fmt.Sprintf("Odoo's own order %v is not the total one: %v", page, rpc.IDs)
		return nil
	}
	v.text = found.String()
	leak, err := c.leaks(ctx, a, r, sql.Records, rpc.Records)
	if err != nil {
		return err
	}
	v.kind = kindOf(found)
	if leak {
		v.kind = Leak
	}
	return nil
}

// compareRecords finds where two answers differ first.
func compareRecords(sql, rpc Outcome) *gap {
	if !slices.Equal(sql.IDs, rpc.IDs) {
		return &gap{path: "records", ids: true, sql: anyIDs(sql), rpc: anyIDs(rpc)}
	}
	for i := range rpc.Records {
		if d := difference(fmt.Sprintf("record %d", rpc.IDs[i]), sql.Records[i], rpc.Records[i]); d != nil {
			return d
		}
	}
	return nil
}

func anyIDs(o Outcome) []any {
	ids := make([]any, len(o.Records))
	for i, record := range o.Records {
		ids[i] = record.Get("id")
	}
	return ids
}

// kindOf grades a difference of two answers.
func kindOf(g *gap) Kind {
	switch {
	case g.keys:
		return Keys
	case !g.ids:
		return Value
	}
	sql, rpc := idsOf(elements(g.sql)), idsOf(elements(g.rpc))
	for _, id := range rpc {
		if !slices.Contains(sql, id) {
			return Missing
		}
	}
	for _, id := range sql {
		if !slices.Contains(rpc, id) {
			return Extra
		}
	}
	return Ordered
}

// Patience with a server that is busy or away for a moment.
const (
	patience = 5
	pause    = 2 * time.Second
)

// patiently compares, again where a server was too busy to answer.
func (c *comparer) patiently(ctx context.Context, r Request) (verdict, error) {
	for attempt := 1; ; attempt++ {
		v, err := c.compare(ctx, r)
		if err == nil || attempt == patience || !passing(err) {
			return v, err
		}
		select {
		case <-ctx.Done():
			return v, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// passing reports whether an error may be gone in a moment.
func passing(err error) bool {
	if e, ok := errors.AsType[*reader.Error](err); ok {
		switch e.Kind {
		case reader.Overloaded, reader.OdooUnavailable, reader.DatabaseUnavailable:
			return true
		}
		return false
	}
	fault, ok := errors.AsType[*writer.Fault](err)
	return ok && (fault.Kind == writer.Conflict || fault.Kind == writer.Unavailable)
}

// slow reports whether a read took longer than the limits allow.
func slow(err error) bool {
	if e, ok := errors.AsType[*reader.Error](err); ok {
		return e.Kind == reader.Timeout
	}
	fault, ok := errors.AsType[*writer.Fault](err)
	return ok && fault.Kind == writer.Timeout
}
