package verify

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"lateral/auth"
	"lateral/reader"
	"lateral/schema"
)

func TestDifferencesAreGraded(t *testing.T) {
	for name, test := range map[string]struct {
		sql, rpc string
		kind     Kind
	}{
		"value":           {`{"id":1,"name":"a"}`, `{"id":1,"name":"b"}`, Value},
		"spelling":        {`{"id":1,"price":5}`, `{"id":1,"price":5.0}`, Value},
		"field":           {`{"id":1,"name":"a"}`, `{"id":1,"note":"a"}`, Keys},
		"order of fields": {`{"id":1,"name":"a"}`, `{"name":"a","id":1}`, Keys},
		"missing line":    {`{"id":1,"lines":[{"id":2}]}`, `{"id":1,"lines":[{"id":2},{"id":3}]}`, Missing},
		"extra line":      {`{"id":1,"lines":[4,5]}`, `{"id":1,"lines":[4]}`, Extra},
		"order of lines":  {`{"id":1,"lines":[5,4]}`, `{"id":1,"lines":[4,5]}`, Ordered},
		"value in a line": {`{"id":1,"lines":[{"id":2,"n":1}]}`, `{"id":1,"lines":[{"id":2,"n":null}]}`, Value},
		"a list for null": {`{"id":1,"lines":[]}`, `{"id":1,"lines":null}`, Value},
		"equal":           {`{"id":1,"data":{"a": [1]}}`, `{"id":1,"data":{"a":[1]}}`, ""},
	} {
		sql, err := Decode([]byte(test.sql))
		if err != nil {
			t.Fatal(err)
		}
		rpc, err := Decode([]byte(test.rpc))
		if err != nil {
			t.Fatal(err)
		}
		found := difference("record", sql, rpc)
		var kind Kind
		if found != nil {
			kind = kindOf(found)
		}
		if kind != test.kind {
			t.Errorf("%s: %q, want %q", name, kind, test.kind)
		}
	}
}

func TestShrinkKeepsWhatMatters(t *testing.T) {
	r := Request{
		User: "demo", Model: "order", Flat: true, Limit: 7, Offset: 2, Order: []string{"name", "id desc"},
		Context: map[string]any{"lang": "fr_FR", "tz": false},
		Domain:  []Term{{Op: "|", Terms: []Term{{Leaf: []any{"id", "=", int64(1)}}, {Leaf: []any{"name", "=", "x"}}}}, {Leaf: []any{"id", ">", int64(0)}}},
		Wants:   []Want{{Name: "id"}, {Name: "name"}, {Name: "line_ids", Form: schema.List, Sub: []Want{{Name: "id"}, {Name: "margin"}}}},
	}
	// What is wrong shows only with the language and the name in the domain.
	wrong := func(r Request) bool {
		if r.Context["lang"] != "fr_FR" {
			return false
		}
		for _, t := range r.Domain {
			for _, element := range t.list() {
				if leaf, ok := element.([]any); ok && leaf[0] == "name" {
					return true
				}
			}
		}
		return false
	}
	got := Shrink(t.Context(), r, wrong).String()
	if want := "order as demo filters=[['name', '=', 'x']] limit=7 context={'lang': 'fr_FR'} preset=('id',)"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestReportCountsWhatWasFound(t *testing.T) {
	p := NewReport()
	request := Request{Model: "order", User: "demo"}
	for i, f := range []finding{
		{request: request, path: "direct", stored: true, pure: true, compared: true},
		{request: request, path: "hybrid", stored: true, pure: true, reason: "margin", compared: true, verdict: verdict{kind: Leak, text: "shown"}},
		{request: request, path: "direct", stored: true, compared: true, verdict: verdict{kind: Value, text: "other"}},
		{request: request, path: "refused", stored: true, pure: true, compared: true, verdict: verdict{strict: strictCompany}},
		{request: request, path: "odoo"},
		{request: request, path: "direct", verdict: verdict{kind: Value, moving: true}},
		{request: request, path: "direct", slow: true},
	} {
		f.number = i
		p.add(f)
	}
	verdict := p.Models["order"]
	if p.Next != 7 || p.Reads != 4 || p.Agree != 2 || p.Unsampled != 1 || p.Moving != 1 || p.Slow != 1 ||
		p.Stored != 3 || p.StoredDirect != 2 || p.Pure != 2 || p.PureDirect != 1 || p.Indirect["margin"] != 1 || p.Kinds[Leak] != 1 || len(p.Disagreements) != 2 ||
		verdict.Reads != 4 || verdict.Agree != 2 || verdict.Differ != 2 || verdict.Leak != 1 || p.Users["demo"] != verdict {
		t.Errorf("%+v", p)
	}
}

// refusing refuses requests by what they ask for: either side may look at the domain or the fields first.
type refusing struct {
	fields, domain string // the refusals
	domainFirst    bool
}

func (f refusing) refusal(fields, domain bool) string {
	switch {
	case domain && f.domain != "" && (f.domainFirst || !fields || f.fields == ""):
		return f.domain
	case fields:
		return f.fields
	}
	return ""
}

// Ask implements Oracle. What is not refused finds nothing.
func (f refusing) Ask(_ context.Context, r Request, _ bool) (Outcome, error) {
	return Outcome{Refusal: cmp.Or(f.refusal(len(r.Wants) > 1, len(r.Domain) > 0), RefusedMissing)}, nil
}

func (f refusing) Read(_ context.Context, _ auth.Credentials, q reader.Query) (*reader.Result, error) {
	kinds := map[string]reader.Kind{RefusedAccess: reader.Denied, RefusedInput: reader.Invalid, "": reader.NotFound}
	return nil, &reader.Error{Kind: kinds[f.refusal(len(q.Preset.ReadAll.Items) > 1, q.Filters != nil)]}
}

func (refusing) Explain(context.Context, auth.Credentials, reader.Query) (path, reason string, err error) {
	return "", "", nil
}

func (refusing) ReadThroughOdoo(context.Context, auth.Credentials, reader.Query) (*reader.Result, error) {
	return nil, nil
}

// Ensure two refusals agree where each side has found one of the request's faults, and not where
// they are of one fault.
func TestRefusalsMustHaveTheSameReasons(t *testing.T) {
	model := &schema.Model{Name: "order", Fields: map[string]*schema.Field{"id": {Name: "id", Type: schema.Integer}, "name": {Name: "name", Type: schema.Char}}}
	r := Request{User: "demo", Model: "order", Wants: []Want{{Name: "id"}, {Name: "name"}}, Domain: []Term{{Leaf: []any{"name", "=", "x"}}}}
	for name, test := range map[string]struct {
		ours, odoo refusing
		kind       Kind
	}{
		"one reason":             {refusing{fields: RefusedAccess}, refusing{fields: RefusedAccess}, ""},
		"one fault, two reasons": {refusing{fields: RefusedAccess}, refusing{fields: RefusedInput}, Denial},
		"two faults": {
			refusing{fields: RefusedAccess, domain: RefusedInput},
			refusing{fields: RefusedAccess, domain: RefusedInput, domainFirst: true},
			"",
		},
		"another fault each": {refusing{fields: RefusedAccess}, refusing{domain: RefusedInput}, Denial},
	} {
		c := comparer{
			reader: test.ours, oracle: test.odoo, catalogue: schema.NewCatalogue(model),
			users: map[string]Reading{"demo": {User: User{Name: "demo"}}},
		}
		v, err := c.once(t.Context(), r)
		if err != nil || v.kind != test.kind {
			t.Errorf("%s: %q (%s), %v, want %q", name, v.kind, v.text, err, test.kind)
		}
	}
}

// Ensure a field with nested fields is taken apart, so that its being one record and what is nested in it
// are judged by themselves.
func TestPartsOfOneField(t *testing.T) {
	id := Want{Name: "id"}
	user := Want{Name: "user_id", Form: schema.OneRecord, Sub: []Want{id, {Name: "login"}}}
	for name, test := range map[string]struct {
		want  Want
		parts []string
	}{
		"plain":            {Want{Name: "line_ids"}, []string{"('id', 'line_ids')"}},
		"one record":       {Want{Name: "line_ids", Form: schema.OneRecord, Sub: []Want{id}}, []string{"('id', ('line_ids', ('id',)))"}},
		"nested in a list": {Want{Name: "line_ids", Form: schema.List, Sub: []Want{id, {Name: "name"}}}, []string{"('id', ('line_ids', [('id', 'name')]))"}},
		"nested in one": {
			Want{Name: "line_ids", Form: schema.OneRecord, Sub: []Want{id, {Name: "name"}, user}},
			[]string{
				"('id', ('line_ids', [('id', 'name')]))",
				"('id', ('line_ids', [('id', ('user_id', [('id', 'login')]))]))",
				"('id', ('line_ids', [('id', ('user_id', ('id',)))]))",
				"('id', ('line_ids', ('id',)))",
			},
		},
	} {
		var got []string
		for _, part := range (Request{User: "demo", Model: "order", Limit: 3, Wants: []Want{id, test.want}}).parts() {
			got = append(got, strings.TrimPrefix(part.String(), "order as demo limit=3 preset="))
		}
		if !slices.Equal(got, test.parts) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// pages is an Odoo whose records 1 and 2 compare equal and of which the user may read 2 alone.
type pages struct{ refusing }

func (pages) Ask(_ context.Context, _ Request, total bool) (Outcome, error) {
	if total {
		return Outcome{Refusal: RefusedAccess}, nil
	}
	return Outcome{IDs: []int64{2}, Records: []Object{{{Key: "id", Value: json.Number("2")}}}}, nil
}

func (pages) Authenticate(context.Context, string, string) (int64, error) { return 0, nil }

func (pages) Execute(_ context.Context, _ auth.Credentials, _, _ string, _ []any, kwargs map[string]any) (any, error) {
	switch kwargs["order"] {
	case "name, id":
		return []any{int64(1), int64(2), int64(3)}, nil
	case "name, id desc":
		return []any{int64(2), int64(1), int64(3)}, nil
	}
	return []any{}, nil
}

// Ensure it is no disagreement that Odoo, of records that compare equal, has another one on its page than
// the one for which lateral refuses the read.
func TestRefusalsForTheSakeOfTies(t *testing.T) {
	model := &schema.Model{Name: "order", Fields: map[string]*schema.Field{"id": {Name: "id", Type: schema.Integer}, "name": {Name: "name", Type: schema.Char}}}
	for order, kind := range map[string]Kind{"name": "", "name, id": Denial, "name desc": Denial} {
		odoo := pages{}
		c := comparer{
			reader: refusing{fields: RefusedAccess}, oracle: odoo, odoo: odoo, catalogue: schema.NewCatalogue(model),
			users: map[string]Reading{"demo": {User: User{Name: "demo"}}},
		}
		r := Request{User: "demo", Model: "order", Wants: []Want{{Name: "id"}, {Name: "name"}}, Order: []string{order}, Limit: 1}
		v, err := c.once(t.Context(), r)
		if err != nil || v.kind != kind {
			t.Errorf("%s: %q (%s), %v, want %q", order, v.kind, v.text, err, kind)
		}
	}
}
