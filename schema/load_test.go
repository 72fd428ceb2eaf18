package schema

import (
	"strings"
	"testing"
)

func TestSeriesOf(t *testing.T) {
	for version, want := range map[string]string{
		"14.0.1.3": "14.0", "19.0.1.3": "19.0", "saas~18.3.1.3": "saas~18.3", "19.0": "19.0", "": "", "x": "x",
	} {
		if got := seriesOf(version); got != want {
			t.Errorf("seriesOf(%q) = %q, want %q", version, got, want)
		}
	}
}

func TestTranslation(t *testing.T) {
	for _, test := range []struct {
		fieldType FieldType
		text      string
		want      Translation
	}{
		{Char, "", Untranslated},
		{Char, "yes", TranslatedWhole},
		{Text, "standard", TranslatedWhole},
		{HTML, "yes", TranslatedTerms},
		{HTML, "standard", TranslatedWhole},
		{HTML, "html_translate", TranslatedTerms},
		{Text, "xml_translate", TranslatedTerms},
	} {
		if got := translation(test.fieldType, test.text); got != test.want {
			t.Errorf("translation(%s, %q) = %q, want %q", test.fieldType, test.text, got, test.want)
		}
	}
}

// Ensure that delegation is told from a many2one with some related fields.
func TestInferDelegations(t *testing.T) {
	parent := &Model{Name: "res.partner", Fields: map[string]*Field{
		"name": {Name: "name"}, "city": {Name: "city"}, "active": {Name: "active"}, "x_late": {Name: "x_late", Manual: true},
	}}
	child := func(required bool, fields ...string) *Model {
		m := &Model{Name: "child", Fields: map[string]*Field{
			"partner_id": {Name: "partner_id", Type: Many2one, Stored: true, Required: required, Comodel: "res.partner"},
			"active":     {Name: "active", Stored: true},
		}}
		for _, name := range fields {
			m.Fields[name] = &Field{Name: name, Related: []string{"partner_id", name}}
		}
		return m
	}
	for _, test := range []struct {
		name  string
		model *Model
		want  int
	}{
		{"all fields", child(true, "name", "city"), 1},
		{"a field is missing", child(true, "name"), 0},
		{"the link is optional", child(false, "name", "city"), 0},
		{"no related field at all", child(true), 0},
	} {
		l := &loader{models: map[string]*Model{"res.partner": parent, "child": test.model}}
		l.inferDelegations(test.model)
		if len(test.model.Inherits) != test.want {
			t.Errorf("%s: %v", test.name, test.model.Inherits)
		}
	}
}

func TestSignalStatement(t *testing.T) {
	classic := SignalStatement(Features{CacheSequences: []string{"base_cache_signaling_default", "base_cache_signaling_groups"}})
	for _, want := range []string{`FROM "base_registry_signaling"`, `FROM "base_cache_signaling_default"`, `FROM "base_cache_signaling_groups"`, "last_value", "pg_is_in_recovery()"} {
		if !strings.Contains(classic, want) {
			t.Errorf("%s is not in %s", want, classic)
		}
	}
	modern := SignalStatement(Features{SignalTables: true, SignalTableNames: []string{"orm_signaling_registry", "orm_signaling_stable"}})
	if strings.Count(modern, `FROM "orm_signaling_registry"`) != 1 || !strings.Contains(modern, `max(id) FROM "orm_signaling_stable"`) {
		t.Errorf("got %s", modern)
	}
}
