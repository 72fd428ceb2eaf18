package integration

import (
	"context"
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

// outcome is how a read ended: with records, or with a refusal.
type outcome struct {
	refusal string // "": answered; refusedAccess, refusedInput or refusedMissing
	text    string // of a refusal
	at      string // the dotted path of the field that lateral refused
	records []object
	ids     []int64 // of the records
	path    string  // which way lateral went
}

// Refusals of a read.
const (
	refusedAccess  = "denied"
	refusedInput   = "invalid"
	refusedMissing = "not found"
)

// errUnanswerable is met where XML-RPC cannot carry what Odoo would answer.
var errUnanswerable = errors.New("XML-RPC cannot carry the answer")

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

// errSeveral is what a one-record form of several records is refused with.
var errSeveral = errors.New("several records in one-record form")

// refusalOf tells what an error of Odoo's means.
func refusalOf(err error) (string, error) {
	if errors.Is(err, errSeveral) {
		return refusedInput, nil
	}
	fault, ok := errors.AsType[*writer.Fault](err)
	if !ok {
		return "", err
	}
	switch fault.Kind {
	case writer.Access, writer.AccessDenied:
		return refusedAccess, nil
	case writer.ReturnedNone, writer.Unreturnable:
		return "", errUnanswerable
	case writer.Unavailable, writer.Timeout, writer.Canceled, writer.TooLarge:
		return "", err
	}
	return refusedInput, nil
}

// search returns the ids that Odoo finds.
func (o oracle) search(ctx context.Context, model string, domain []any, order string, offset, limit int64) ([]int64, error) {
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
	return int64s(result)
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
func (o oracle) objects(ctx context.Context, model string, ids []int64, wants []verify.Want, flat bool) (map[int64]object, error) {
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
	byID := make(map[int64]object, len(ids))
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
	rows := make(map[int64]map[string]any, len(list))
	for _, item := range list {
		row := item.(map[string]any)
		rows[row["id"].(int64)] = row
		byID[row["id"].(int64)] = make(object, 0, len(wants))
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
			byID[id] = append(byID[id], member{w.Name, values[id]})
		}
	}
	return byID, nil
}

// column encodes one field of some records as contract.md has it.
func (o oracle) column(ctx context.Context, f *schema.Field, w verify.Want, flat bool, rows map[int64]map[string]any) (map[int64]any, error) {
	values := make(map[int64]any, len(rows))
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
	targets := make(map[int64][]int64, len(rows))
	var all []int64
	for id, row := range rows {
		ids, err := targetIDs(row[f.Name])
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", f.Model.Name, f.Name, err)
		}
		if w.Form == schema.OneRecord && f.Type.X2many() && len(ids) > 1 {
			return nil, errSeveral
		}
		targets[id] = ids
		all = append(all, ids...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
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
func (o oracle) namedObjects(ctx context.Context, model string, ids []int64, wants []verify.Want, _ bool) (map[int64]object, error) {
	documents := make(map[int64]object, len(ids))
	for _, id := range ids {
		documents[id] = object{{"id", float64(id)}}
	}
	if len(ids) == 0 || len(wants) == 1 {
		return documents, nil
	}
	everything := o
	everything.context = maps.Clone(o.context)
	everything.context["active_test"] = false
	readable, err := everything.search(ctx, model, []any{[]any{"id", "in", ids}}, "id", 0, 0)
	if err != nil {
		refusal, err := refusalOf(err)
		if refusal == refusedAccess {
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
func (o oracle) sortTargets(ctx context.Context, f *schema.Field, rows map[int64]map[string]any) error {
	var all []int64
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
	sorted, err := searched.search(ctx, f.Comodel, []any{[]any{"id", "in", all}}, o.totalOrder(f.Comodel, ""), 0, 0)
	if err != nil {
		return err
	}
	rank := make(map[int64]int, len(sorted))
	for i, id := range sorted {
		rank[id] = i
	}
	for _, row := range rows {
		if list, ok := row[f.Name].([]any); ok {
			slices.SortStableFunc(list, func(a, b any) int { return rank[a.(int64)] - rank[b.(int64)] })
		}
	}
	return nil
}

// targetIDs returns the ids of a relational value.
func targetIDs(v any) ([]int64, error) {
	switch v := v.(type) {
	case bool, nil:
		return nil, nil
	case int64:
		return []int64{v}, nil
	case []any:
		if len(v) == 2 {
			if _, pair := v[1].(string); pair {
				v = v[:1]
			}
		}
		return int64s(v)
	}
	return nil, fmt.Errorf("%T is no relation", v)
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
		ids, err := targetIDs(v)
		if err != nil {
			return nil, err
		}
		list := make([]any, len(ids))
		for i, id := range ids {
			list[i] = float64(id)
		}
		switch {
		case len(list) == 0:
			return nil, nil
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
		n, err := strconv.ParseFloat(id, 64)
		if err != nil || !flat {
			return n, err
		}
		return []any{n}, nil
	case schema.Binary, schema.Image:
		if text, ok := v.(string); ok && text != "" {
			return strings.NewReplacer("\n", "", "\r", "").Replace(text), nil
		}
		return nil, nil
	}
	return encodeScalar(v), nil
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
	case int64:
		return float64(v)
	case []any:
		if len(v) == 0 {
			return nil
		}
		return plainJSON(v)
	case map[string]any:
		if len(v) == 0 {
			return nil
		}
		return plainJSON(v)
	}
	return v
}

// plainJSON makes structured values comparable with decoded JSON.
func plainJSON(v any) any {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = plainJSON(item)
		}
		return list
	case map[string]any:
		keys := make(map[string]any, len(v))
		for key, item := range v {
			keys[key] = plainJSON(item)
		}
		return keys
	}
	return v
}
