package reader

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lateral/schema"
)

func trustedCatalogue() *schema.Catalogue {
	c := schema.NewCatalogue(&schema.Model{Name: "a"}, &schema.Model{Name: "b"}, &schema.Model{Name: "x_c", Manual: true})
	c.Registry = "present"
	return c
}

// guardsOf returns the reasons of the models that are Odoo's, by name.
func guardsOf(c *schema.Catalogue) map[string]string {
	reasons := map[string]string{}
	for _, name := range c.ModelNames() {
		if guard := c.Model(name).Guard; guard.Kind == schema.Guarded {
			reasons[name] = guard.Reason
		}
	}
	return reasons
}

func newTrust(t *testing.T, config TrustConfig) *Trust {
	t.Helper()
	config.Database = "odoo"
	trust, err := NewTrust(config)
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

func saveVerification(t *testing.T, path, registry string, finished time.Time, models map[string]ModelVerdict) {
	t.Helper()
	v := Verification{Registry: registry, Database: "odoo", Finished: finished, Models: models}
	if err := v.Save(path); err != nil {
		t.Fatal(err)
	}
}

func TestTrustLeavesModelsThatDisagreeToOdoo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "verification.json")
	saveVerification(t, path, "past", time.Now(), map[string]ModelVerdict{
		"a": {Reads: 9, Agree: 8, Differ: 1, Leak: 1, Reason: "record 7 is shown"},
		"b": {Reads: 9, Agree: 9},
	})
	c := trustedCatalogue()
	got := guardsOf(newTrust(t, TrustConfig{Path: path}).Apply(c))
	if len(got) != 1 || !strings.Contains(got["a"], "record 7 is shown") {
		t.Errorf("Odoo's are %v", got)
	}
	if len(guardsOf(c)) > 0 {
		t.Error("the catalogue itself has changed")
	}
	if got := guardsOf(newTrust(t, TrustConfig{}).Apply(c)); len(got) > 0 {
		t.Errorf("without a verification, Odoo's are %v", got)
	}
}

func TestTrustRequiresVerificationOfThePresentAddOns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "verification.json")
	agrees := map[string]ModelVerdict{"x_c": {Reads: 1, Agree: 1}}
	for _, step := range []struct {
		registry string
		models   map[string]ModelVerdict
		guarded  bool
	}{
		{"past", agrees, true},
		{"present", nil, true},
		{"present", map[string]ModelVerdict{"x_c": {}}, true},
		{"present", agrees, false},
	} {
		saveVerification(t, path, step.registry, time.Now(), step.models)
		trust := newTrust(t, TrustConfig{Path: path, RequireVerified: true})
		if got := guardsOf(trust.Apply(trustedCatalogue())); (got["x_c"] != "") != step.guarded || len(got) > 1 {
			t.Errorf("%+v: Odoo's are %v", step, got)
		}
	}
}

func TestTripsLastUntilALaterVerificationAgrees(t *testing.T) {
	path := filepath.Join(t.TempDir(), "verification.json")
	at := time.Now()
	trust := newTrust(t, TrustConfig{Path: path})
	c := trust.Apply(trustedCatalogue())
	if !trust.Trip("a", "a leak", at) || trust.Trip("a", "another", at) || trust.Tripped() != 1 {
		t.Error("the first trip of a model alone counts")
	}
	c = trust.Apply(c)
	if got := guardsOf(c); !strings.Contains(got["a"], "a leak") {
		t.Errorf("Odoo's are %v", got)
	}
	if got := guardsOf(newTrust(t, TrustConfig{Path: path}).Apply(trustedCatalogue())); got["a"] == "" {
		t.Error("a restart has forgotten the trip")
	}

	agrees := map[string]ModelVerdict{"a": {Reads: 1, Agree: 1}}
	for _, step := range []struct {
		name     string
		registry string
		finished time.Time
		models   map[string]ModelVerdict
		guarded  bool
	}{
		{"earlier", "present", at.Add(-time.Minute), agrees, true},
		{"of other add-ons", "past", at.Add(time.Minute), agrees, true},
		{"of other models", "present", at.Add(2 * time.Minute), nil, true},
		{"later", "present", at.Add(3 * time.Minute), agrees, false},
	} {
		saveVerification(t, path, step.registry, step.finished, step.models)
		if changed, err := trust.Reload(); !changed || err != nil {
			t.Fatalf("%s: changed %v, %v", step.name, changed, err)
		}
		c = trust.Apply(c)
		if got := guardsOf(c); (got["a"] != "") != step.guarded {
			t.Errorf("a verification %s: Odoo's are %v", step.name, got)
		}
	}
	if changed, err := trust.Reload(); changed || err != nil {
		t.Errorf("an unchanged file: %v, %v", changed, err)
	}
	if got := newTrust(t, TrustConfig{Path: path}).Tripped(); got != 0 {
		t.Errorf("after a restart %d models are tripped", got)
	}
}

func TestTrustRefusesTheVerificationOfAnotherDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "verification.json")
	saveVerification(t, path, "present", time.Now(), nil)
	if _, err := NewTrust(TrustConfig{Path: path, Database: "other"}); err == nil {
		t.Error("it was taken")
	}
}
