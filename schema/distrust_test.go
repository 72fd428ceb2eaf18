package schema

import "testing"

func TestDistrustGuardsOnACopy(t *testing.T) {
	model := func(name string) *Model {
		m := &Model{Name: name, Fields: map[string]*Field{}}
		m.Fields["id"] = &Field{Name: "id", Model: m}
		return m
	}
	c := NewCatalogue(model("a"), model("b"), model("c"))
	c.Stamp = "1"
	c.models["c"].Guard = Guard{Kind: Guarded, Reason: "Python"}

	first := c.Distrust(map[string]string{"a": "wrong", "c": "wrong", "gone": "wrong"})
	if first == c || c.Model("a").Guard.Kind != Open {
		t.Fatal("the catalogue itself was changed")
	}
	a := first.Model("a")
	if a.Guard.Kind != Guarded || !a.Guard.Distrusted || a.Guard.Reason != "wrong" || a.Field("id").Model != a {
		t.Errorf("a is guarded by %+v", a.Guard)
	}
	if reason := first.Model("c").Guard.Reason; reason != "Python" {
		t.Errorf("c is guarded for %q", reason)
	}
	if first.Model("b") != c.Model("b") || first.Model("gone") != nil || first.Stamp != "1" {
		t.Error("more than the named models has changed")
	}

	// The reasons of the last call are all there are.
	second := first.Distrust(map[string]string{"b": "wrong"})
	if second.Model("a").Guard.Kind != Open || second.Model("b").Guard.Kind != Guarded {
		t.Error("an earlier distrust stays")
	}
	if c.Distrust(nil) != c {
		t.Error("without reasons the catalogue is another one")
	}
	second.Stamp = "2"
	restored := second.Distrust(nil)
	if restored.Model("a") != c.Model("a") || restored.Model("b") != c.Model("b") || restored.Stamp != "2" {
		t.Error("without reasons the models are not those that were loaded, or not of the present stamp")
	}
}
