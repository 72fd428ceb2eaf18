package integration

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"lateral/auth"
	"lateral/reader/verify"
	"lateral/schema"
	"lateral/writer"
)

// This file asks Odoo what it would answer: search, and read level by level, as the user, over
// XML-RPC. It shares with lateral the transport and the catalogue's types of fields, and nothing of
// the reader.

// oracle answers reads through Odoo.
type oracle struct {
	odoo      writer.Caller
	catalogue *schema.Catalogue
	who       auth.Credentials
	context   map[string]any
	// total orders the records of x2many fields by their model's order and the id, rather than
	// as Odoo's read has them: where only ties are in the way, this is how lateral has them.
	total bool
}

// oracles are the oracles of several users, by name.
type oracles map[string]oracle

// Ask implements verify.Oracle.
func (o oracles) Ask(ctx context.Context, r verify.Request, total bool) (verify.Outcome, error) {
	asked := o[r.User]
	asked.context = maps.Clone(asked.context)
	maps.Copy(asked.context, r.Context)
	return asked.ask(ctx, r, total)
}

// errSeveral is what a one-record form of several records is refused with.
var errSeveral = errors.New("several records in one-record form")

// refusalOf tells what an error of Odoo's means.
func refusalOf(err error) (string, error) {
	if errors.Is(err, errSeveral) {
		return verify.RefusedInput, nil
	}
	fault, ok := errors.AsType[*writer.Fault](err)
	if !ok {
		return "", err
	}
	switch fault.Kind {
	case writer.Access, writer.AccessDenied:
		return verify.RefusedAccess, nil
	case writer.Unavailable, writer.Timeout, writer.Canceled, writer.TooLarge, writer.ReturnedNone, writer.Unreturnable:
		return "", err
	}
	return verify.RefusedInput, nil
}

// find returns the ids that Odoo finds, an account.root's being a text.
func (o oracle) find(ctx context.Context, model string, domain []any, order string, offset, limit int64) ([]any, error) {
	kwargs := map[string]any{"context": o.context}
	if order != "" {
		kwargs["order"] = order
	}
	if offset > 0 {
		kwargs["offset"] = offset
	}
	if limit > 0 {
		kwargs["limit"] = limit
	}
	if domain == nil {
		domain = []any{}
	}
	result, err := o.odoo.Execute(ctx, o.who, model, "search", []any{domain}, kwargs)
	if err != nil {
		return nil, err
	}
	list, ok := result.([]any)
	if !ok {
		return nil, fmt.Errorf("%T is no list of ids", result)
	}
	return list, nil
}

// search returns the ids that Odoo finds of a model with a table.
func (o oracle) search(ctx context.Context, model string, domain []any, order string, offset, limit int64) ([]int64, error) {
	list, err := o.find(ctx, model, domain, order, offset, limit)
	if err != nil {
		return nil, err
	}
	return int64s(list)
}

func int64s(v any) ([]int64, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%T is no list of ids", v)
	}
	ids := make([]int64, len(list))
	for i, item := range list {
		if ids[i], ok = item.(int64); !ok {
			return nil, fmt.Errorf("%T is no id", item)
		}
	}
	return ids, nil
}

// objects reads records of a model and returns them by id. flat is the top level of an answer
// without a preset, whose plain relations are written in another way.
func (o oracle) objects(ctx context.Context, model string, ids []any, wants []verify.Want, flat bool) (map[any]verify.Object, error) {
	m := o.catalogue.Model(model)
	fields := make([]any, 0, len(wants)+1)
	for _, w := range wants {
		if w.Name != "id" {
			fields = append(fields, w.Name)
		}
	}
	if len(fields) == 0 {
		fields = append(fields, "id")
	}
	byID := make(map[any]verify.Object, len(ids))
	// No records are read too, as web_read does: that shows whether the fields may be read.
	kwargs := map[string]any{"fields": fields, "load": "", "context": o.context}
	result, err := o.odoo.Execute(ctx, o.who, model, "read", []any{ids}, kwargs)
	if err != nil {
		return nil, err
	}
	list, ok := result.([]any)
	if !ok {
		return nil, fmt.Errorf("read of %s returned a %T", model, result)
	}
	rows := make(map[any]map[string]any, len(list))
	for _, item := range list {
		row := item.(map[string]any)
		rows[row["id"]] = row
		byID[row["id"]] = make(verify.Object, 0, len(wants))
	}
	if len(rows) == 0 {
		return byID, nil
	}
	for _, w := range wants {
		f := m.Field(w.Name)
		if f == nil {
			return nil, fmt.Errorf("%s has no field %s", model, w.Name)
		}
		values, err := o.column(ctx, f, w, flat, rows)
		if err != nil {
			return nil, err
		}
		for id := range rows {
			byID[id] = append(byID[id], verify.Member{Key: w.Name, Value: values[id]})
		}
	}
	return byID, nil
}

// column encodes one field of some records as contract.md has it.
func (o oracle) column(ctx context.Context, f *schema.Field, w verify.Want, flat bool, rows map[any]map[string]any) (map[any]any, error) {
	values := make(map[any]any, len(rows))
	named := w.Form == schema.Plain && flat && f.Type == schema.Many2one
	if o.total && f.Type.X2many() {
		if err := o.sortTargets(ctx, f, rows); err != nil {
			return nil, err
		}
	}
	if w.Form == schema.Plain && !named {
		for id, row := range rows {
			value, err := encodePlain(f, flat, row[f.Name])
			if err != nil {
				return nil, fmt.Errorf("%s.%s: %w", f.Model.Name, f.Name, err)
			}
			values[id] = value
		}
		return values, nil
	}
	targets := make(map[any][]any, len(rows))
	var all []any
	seen := map[any]bool{}
	for id, row := range rows {
		ids, err := targetIDs(row[f.Name])
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", f.Model.Name, f.Name, err)
		}
		if w.Form == schema.OneRecord && f.Type.X2many() && len(ids) > 1 {
			return nil, errSeveral
		}
		targets[id] = ids
		for _, id := range ids {
			if !seen[id] {
				seen[id] = true
				all = append(all, id)
			}
		}
	}
	sub := w.Sub
	if named {
		sub = []verify.Want{{Name: "id"}}
		if o.catalogue.Model(f.Comodel).Field("name") != nil {
			sub = append(sub, verify.Want{Name: "name"})
		}
	}
	read := o.objects
	if named {
		read = o.namedObjects
	}
	documents, err := read(ctx, f.Comodel, all, sub, false)
	if err != nil {
		return nil, err
	}
	for id, ids := range targets {
		list := make([]any, 0, len(ids))
		for _, target := range ids {
			if document, ok := documents[target]; ok {
				list = append(list, document)
			}
		}
		switch {
		case w.Form == schema.List:
			values[id] = list
		case len(list) == 0:
			values[id] = nil
		default:
			values[id] = list[0]
		}
	}
	return values, nil
}

// namedObjects reads the targets of a many2one that flat mode shows with their names. Of those that
// the user may not read, the id is all that Odoo shows.
func (o oracle) namedObjects(ctx context.Context, model string, ids []any, wants []verify.Want, _ bool) (map[any]verify.Object, error) {
	documents := make(map[any]verify.Object, len(ids))
	for _, id := range ids {
		documents[id] = verify.Object{{Key: "id", Value: encodeID(id)}}
	}
	if len(ids) == 0 || len(wants) == 1 {
		return documents, nil
	}
	everything := o
	everything.context = maps.Clone(o.context)
	everything.context["active_test"] = false
	readable, err := everything.find(ctx, model, []any{[]any{"id", "in", ids}}, "", 0, 0)
	if err != nil {
		refusal, err := refusalOf(err)
		if refusal == verify.RefusedAccess {
			return documents, nil
		}
		return nil, err
	}
	named, err := o.objects(ctx, model, readable, wants, false)
	if err != nil {
		return nil, err
	}
	maps.Copy(documents, named)
	return documents, nil
}

// sortTargets brings the ids of an x2many into a total order.
func (o oracle) sortTargets(ctx context.Context, f *schema.Field, rows map[any]map[string]any) error {
	var all []any
	for _, row := range rows {
		ids, err := targetIDs(row[f.Name])
		if err != nil {
			return err
		}
		all = append(all, ids...)
	}
	if len(all) == 0 {
		return nil
	}
	searched := o
	searched.context = maps.Clone(o.context)
	searched.context["active_test"] = false
	sorted, err := searched.find(ctx, f.Comodel, []any{[]any{"id", "in", all}}, o.totalOrder(f.Comodel, ""), 0, 0)
	if err != nil {
		return err
	}
	rank := make(map[any]int, len(sorted))
	for i, id := range sorted {
		rank[id] = i
	}
	for _, row := range rows {
		if list, ok := row[f.Name].([]any); ok {
			slices.SortStableFunc(list, func(a, b any) int { return rank[a] - rank[b] })
		}
	}
	return nil
}

// targetIDs returns the ids of a relational value.
func targetIDs(v any) ([]any, error) {
	switch v := v.(type) {
	case bool, nil:
		return nil, nil
	case int64, string:
		return []any{v}, nil
	case []any:
		if len(v) == 2 {
			if _, pair := v[1].(string); pair {
				v = v[:1]
			}
		}
		return v, nil
	}
	return nil, fmt.Errorf("%T is no relation", v)
}

// encodeID encodes an id, which account.root of 19.0 has as a text.
func encodeID(id any) any {
	if n, ok := id.(int64); ok {
		return json.Number(strconv.FormatInt(n, 10))
	}
	return id
}

// encodePlain encodes a value without nested fields.
func encodePlain(f *schema.Field, flat bool, v any) (any, error) {
	switch f.Type {
	case schema.Boolean:
		if v == true || v == int64(1) {
			return true, nil
		}
		return nil, nil
	case schema.Many2one, schema.One2many, schema.Many2many:
		list, err := encodeIDs(v)
		switch {
		case err != nil || len(list) == 0:
			return nil, err
		case f.Type == schema.Many2one, !flat && len(list) == 1:
			return list[0], nil
		}
		return list, nil
	case schema.Reference:
		text, _ := v.(string)
		_, id, ok := strings.Cut(text, ",")
		if !ok {
			return nil, nil
		}
		if !flat {
			return json.Number(id), nil
		}
		return []any{json.Number(id)}, nil
	case schema.Binary, schema.Image:
		if text, ok := v.(string); ok && text != "" {
			return strings.NewReplacer("\n", "", "\r", "").Replace(text), nil
		}
		return nil, nil
	case schema.Float, schema.Monetary:
		if n, ok := v.(int64); ok {
			v = float64(n)
		}
		if n, ok := v.(float64); ok {
			return floatNumber(n), nil
		}
	case schema.Integer, schema.Many2oneReference:
		// Beyond 32 bits Odoo sends a float.
		if n, ok := v.(float64); ok {
			return json.Number(strconv.FormatFloat(n, 'f', -1, 64)), nil
		}
	}
	return encodeScalar(v), nil
}

// encodeIDs encodes the ids of a relational value.
func encodeIDs(v any) ([]any, error) {
	ids, err := targetIDs(v)
	list := make([]any, len(ids))
	for i, id := range ids {
		list[i] = encodeID(id)
	}
	return list, err
}

// floatNumber is a float as contract.md has it: the fewest digits, and never taken for an integer.
func floatNumber(f float64) json.Number {
	text := strconv.FormatFloat(f, 'e', -1, 64)
	if exponent, _ := strconv.Atoi(text[strings.IndexByte(text, 'e')+1:]); exponent >= -4 && exponent < 15 {
		text = strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
	}
	return json.Number(text)
}

// encodeScalar writes what is falsy, and no number, as null.
func encodeScalar(v any) any {
	switch v := v.(type) {
	case bool:
		if !v {
			return nil
		}
	case string:
		if v == "" {
			return nil
		}
	case []any:
		if len(v) == 0 {
			return nil
		}
	case map[string]any:
		if len(v) == 0 {
			return nil
		}
	}
	return encodeJSON(v)
}

// encodeJSON encodes structured values. Their keys come as PostgreSQL keeps them: the shorter first.
func encodeJSON(v any) any {
	switch v := v.(type) {
	case int64:
		return json.Number(strconv.FormatInt(v, 10))
	case float64:
		text := strconv.FormatFloat(v, 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return json.Number(text)
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = encodeJSON(item)
		}
		return list
	case map[string]any:
		keys := slices.SortedFunc(maps.Keys(v), func(a, b string) int {
			return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
		})
		members := make(verify.Object, len(keys))
		for i, key := range keys {
			members[i] = verify.Member{Key: key, Value: encodeJSON(v[key])}
		}
		return members
	}
	return v
}
