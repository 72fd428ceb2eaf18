package integration

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"lateral/auth"
	"lateral/integration/stack"
	"lateral/reader"
	"lateral/schema"
)

// oddAddons are the add-ons with which Odoo tests its own ORM; they hold every odd case of a field.
var oddAddons = map[string][]string{
	"19.0": {
		"test_orm", "test_inherit", "test_inherits", "test_inherit_depends", "test_inherits_depends", "test_read_group",
		"test_access_rights", "test_rpc", "test_search_panel", "test_converter", "test_import_export", "test_translation_import",
	},
	"14.0": {
		"test_new_api", "test_inherit", "test_inherits", "test_inherits_depends", "test_read_group",
		"test_access_rights", "test_rpc", "test_search_panel", "test_converter", "test_impex", "test_translation_import",
	},
}

// oddModels returns the names of the tables' models that those add-ons define.
func oddModels(t testing.TB, s *stand, c *schema.Catalogue) []string {
	t.Helper()
	var models []string
	for _, name := range c.ModelNames() {
		m := c.Model(name)
		known := c.Facts.Model(name)
		if m.Relation != schema.Table || m.Transient || known == nil {
			continue
		}
		if !slices.ContainsFunc(known.Modules, func(module string) bool { return !slices.Contains(oddAddons[s.Version], module) }) {
			models = append(models, name)
		}
	}
	if len(models) < 60 {
		t.Fatalf("only %d models of the test add-ons", len(models))
	}
	return models
}

// filler makes records.
type filler struct {
	*stand
	t       testing.TB
	admin   auth.Credentials
	records map[string][]any // ids of a comodel's records, as of this round
}

// fill gives models records with values in whatever fields take one, so that there is something to
// compare. What Odoo refuses, for a constraint of the model, is made with fewer values or not at all.
func (s *stand) fill(t testing.TB, admin auth.Credentials, models []string) (made int) {
	t.Helper()
	f := &filler{stand: s, t: t, admin: admin}
	fields := map[string]map[string]any{}
	for _, model := range models {
		fields[model] = s.call(t, admin, model, "fields_get", []any{}, map[string]any{
			"attributes": []any{"type", "required", "readonly", "store", "selection", "relation"},
		}).(map[string]any)
	}
	// Relations of the second round lead to records of the first.
	for round := range 2 {
		f.records = map[string][]any{}
		for _, model := range models {
			var all, required []any
			for n := range 2 {
				a, r := f.values(fields[model], 3*round+n)
				all, required = append(all, a), append(required, r)
			}
			for _, values := range [][]any{all, required} {
				if _, err := s.odoo.Execute(t.Context(), admin, model, "create", []any{values}, nil); err == nil {
					made += len(values)
					break
				}
			}
		}
	}
	return made
}

// values returns values for most fields of a model, and for those that need one.
func (f *filler) values(fields map[string]any, n int) (all, required map[string]any) {
	all, required = map[string]any{}, map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		field := fields[name].(map[string]any)
		needed := field["required"] == true
		if strings.HasSuffix(name, "_uid") || !needed && (field["readonly"] == true || field["store"] != true || (n+len(name))%4 == 3) {
			continue
		}
		value := f.value(field, n+len(name))
		if value == nil {
			continue
		}
		all[name] = value
		if needed {
			required[name] = value
		}
	}
	return all, required
}

// value returns a value for a field, or nil.
func (f *filler) value(field map[string]any, n int) any {
	switch field["type"] {
	case "char", "text":
		return fmt.Sprintf("%c text %d", 'A'+n%5, n)
	case "html":
		return fmt.Sprintf("<p>text <b>%d</b></p>", n)
	case "integer":
		return int64(n%3 - 1)
	case "float", "monetary":
		return float64(n)/4 - 2
	case "boolean":
		return n%3 != 0
	case "date":
		return fmt.Sprintf("2024-02-%02d", n%28+1)
	case "datetime":
		return fmt.Sprintf("2024-02-%02d 23:30:00", n%28+1)
	case "binary":
		return "bGF0ZXJhbA=="
	case "selection":
		if options, _ := field["selection"].([]any); len(options) > 0 {
			return options[n%len(options)].([]any)[0]
		}
	case "many2one", "many2many":
		ids := f.comodel(fmt.Sprint(field["relation"]))
		switch {
		case len(ids) == 0:
		case field["type"] == "many2one":
			return ids[n%len(ids)]
		default:
			return []any{[]any{int64(6), int64(0), ids[:n%len(ids)+1]}}
		}
	}
	return nil
}

// comodel returns the ids of some records of a model.
func (f *filler) comodel(model string) []any {
	ids, known := f.records[model]
	if !known {
		found, err := f.odoo.Execute(f.t.Context(), f.admin, model, "search", []any{[]any{}}, map[string]any{"limit": int64(5)})
		if err == nil {
			ids, _ = found.([]any)
		}
		f.records[model] = ids
	}
	return ids
}

// oddReads is how many reads of the odd models of a version are compared; LATERAL_VERIFY_READS overrides it.
const oddReads = 100

// Ensure that reads of the models of Odoo's own tests agree as well.
func TestOddModels(t *testing.T) {
	eachFork(t, func(t *testing.T, s *stand) {
		if err := s.Install(context.Background(), "", oddAddons[s.Version]...); err != nil {
			t.Fatal(err)
		}
		models := oddModels(t, s, s.catalogue(t))
		t.Logf("%d models, %d records", len(models), s.fill(t, s.login(t, stack.RoleAdmin), models))
		reads := strconv.FormatUint(setting("LATERAL_VERIFY_READS", oddReads), 10)
		seed := strconv.FormatUint(setting("LATERAL_VERIFY_SEED", verifySeed), 10)
		_, report, printed, status := s.verification(t, &binary, filepath.Join(t.TempDir(), "verification.json"),
			"--models", "test*", "--reads", reads, "--seed", seed)
		t.Log("\n" + printed)
		if status != 0 || report.Agree != report.Reads {
			t.Errorf("%d of %d reads agree, the exit status is %d", report.Agree, report.Reads, status)
		}
		if report.Paths[reader.PathDirect] == 0 {
			t.Errorf("no read goes direct: %v", report.Paths)
		}
	})
}
