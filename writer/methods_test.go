package writer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"lateral/auth"
	"lateral/schema"
)

// odooMethods answers calls as Odoo does: those of records want them as the first argument.
type odooMethods struct {
	ofRecords map[string]bool
	results   map[string]string
	calls     []string
}

func (o *odooMethods) ExecuteJSON(_ context.Context, _ auth.Credentials, model, method string, args []any, kwargs map[string]any) (json.RawMessage, error) {
	o.calls = append(o.calls, fmt.Sprint(model, ".", method, args, kwargs))
	if o.ofRecords[method] && len(args) == 0 {
		return nil, &Fault{Kind: WantsRecords, class: "IndexError"}
	}
	result, ok := o.results[method]
	if !ok {
		return nil, &Fault{Kind: NoMethod}
	}
	return json.RawMessage(result), nil
}

// Ensure a method of records gets them, one of the model does not, and which it is, is asked once.
func TestMethodsCall(t *testing.T) {
	clock := time.Unix(0, 0)
	odoo := &odooMethods{ofRecords: map[string]bool{"frob": true}, results: map[string]string{"frob": "null", "search_count": "3", "create": "7"}}
	m := NewMethods(odoo, func() time.Time { return clock })
	c := valuesCatalogue()
	call := func(method string, ids []int64, arguments map[string]any) {
		t.Helper()
		if _, err := m.Call(t.Context(), someone, c, "partner", method, ids, arguments, map[string]any{"lang": "x"}); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want ...string) {
		t.Helper()
		if fmt.Sprintf("%q", odoo.calls) != fmt.Sprintf("%q", want) {
			t.Errorf("got %q, want %q", odoo.calls, want)
		}
		odoo.calls = nil
	}
	call("frob", []int64{1, 2}, map[string]any{"a": 1})
	expect("partner.frob[] map[a:1 context:map[lang:x]]", "partner.frob[[1 2]] map[a:1 context:map[lang:x]]")
	call("frob", nil, nil)
	expect("partner.frob[[]] map[context:map[lang:x]]")
	call("search_count", []int64{5}, map[string]any{"domain": []any{}})
	expect("partner.search_count[] map[context:map[lang:x] domain:[]]")
	call("create", nil, map[string]any{"vals_list": map[string]any{"name": "n"}})
	expect("partner.create[map[name:n]] map[context:map[lang:x]]")

	clock = clock.Add(knownFor)
	call("frob", nil, nil)
	expect("partner.frob[] map[context:map[lang:x]]", "partner.frob[[]] map[context:map[lang:x]]")
	c.Stamp = "another"
	call("frob", nil, nil)
	expect("partner.frob[] map[context:map[lang:x]]", "partner.frob[[]] map[context:map[lang:x]]")
}

// Ensure what cannot be called is refused without asking Odoo.
func TestMethodsRefused(t *testing.T) {
	odoo := &odooMethods{}
	m := NewMethods(odoo, time.Now)
	for method, arguments := range map[string]map[string]any{"_email_send": nil, "__init__": nil, "init": nil, "create": {}, "copy": {"context": 1}} {
		_, err := m.Call(t.Context(), someone, valuesCatalogue(), "partner", method, nil, arguments, nil)
		fault, isFault := errors.AsType[*Fault](err)
		_, isValue := errors.AsType[*ValueError](err)
		if !isValue && (!isFault || fault.Kind != NoMethod || fault.Outcome() != Undone) || len(odoo.calls) > 0 {
			t.Errorf("%s: got %v, calls %q", method, err, odoo.calls)
		}
	}
}

// Ensure recordsets are written as the contract has them, and nothing else is taken for one.
func TestMethodsAnswer(t *testing.T) {
	c := schema.NewCatalogue(&schema.Model{Name: "res.partner"}, &schema.Model{Name: "m"})
	for _, test := range []struct{ method, result, want string }{
		{"copy", `45`, `["m", [45]]`},
		{"copy", `[45, 46]`, `["m", [45, 46]]`},
		{"search", `[]`, `["m", []]`},
		{"search", `3`, `3`},
		{"message_post", `[9]`, `["mail.message", [9]]`},
		{"copy", `false`, `false`},
		{"copy", `null`, `null`},
		{"copy", `[["a"]]`, `[["a"]]`},
		{"frob", `[1, 2]`, `[1, 2]`},
		{"frob", `"res.partner(1, 2)"`, `["res.partner", [1, 2]]`},
		{"frob", `"res.partner(1,)"`, `["res.partner", [1]]`},
		{"frob", `"res.partner()"`, `["res.partner", []]`},
		{"frob", `"other.model(1,)"`, `"other.model(1,)"`},
		{"frob", `"res.partner(x)"`, `"res.partner(x)"`},
		{"frob", `5000000000`, `5000000000`},
		{"frob", `{"1": null}`, `{"1": null}`},
	} {
		m := NewMethods(&odooMethods{results: map[string]string{test.method: test.result}}, time.Now)
		got, err := m.Call(t.Context(), someone, c, "m", test.method, nil, nil, nil)
		if err != nil || string(got) != test.want {
			t.Errorf("%s %s: got %s, %v, want %s", test.method, test.result, got, err, test.want)
		}
	}
}
