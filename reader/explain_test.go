package reader

import (
	"fmt"
	"strings"
	"testing"

	"lateral/schema"
)

// Ensure each field's cost is told where it stands: what Odoo computes, all that is nested in it, and all of
// a plan that is Odoo's.
func TestNodeCosts(t *testing.T) {
	f := fixtureAccess{catalogue: fixture("19.0"), opaque: map[string]string{"tag": "it is Python"}}
	q := Query{Model: "order", Profile: Typed(), One: true, ID: 1, Preset: &schema.Preset{ReadOne: &schema.Tree{Items: []schema.Item{
		{Name: "name"},
		{Name: "margin"},
		{Name: "partner_id", Form: schema.OneRecord, Sub: &schema.Tree{Items: []schema.Item{
			{Name: "score"},
			{Name: "tag_ids", Form: schema.List, Sub: &schema.Tree{Items: []schema.Item{{Name: "name"}}}},
		}}},
	}}}}
	plan, _, err := compileQuery(t, f, q, Context{})
	if err != nil {
		t.Fatal(err)
	}
	costs := func() string {
		var parts []string
		for _, n := range nodeCosts(plan) {
			if (n.Reason == "") != (n.Cost == PathDirect) {
				t.Errorf("%+v", n)
			}
			parts = append(parts, fmt.Sprint(n.Path, " ", n.Cost))
		}
		return strings.Join(parts, ", ")
	}
	if got, want := costs(), "name direct, margin hybrid, partner_id direct, partner_id.score hybrid, partner_id.tag_ids hybrid, partner_id.tag_ids.name hybrid"; got != want {
		t.Errorf("got %s", got)
	}
	plan.Delegate = "the model is Odoo's"
	if got := costs(); strings.Count(got, " odoo") != 6 {
		t.Errorf("got %s", got)
	}
}
