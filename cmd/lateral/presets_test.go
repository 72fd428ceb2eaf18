package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lateral/auth"
	"lateral/schema"
)

func partnerCatalogue(fields ...string) *schema.Catalogue {
	m := &schema.Model{Name: "res.partner", Fields: map[string]*schema.Field{}}
	for _, name := range append(fields, "id") {
		m.Fields[name] = &schema.Field{Name: name, Type: schema.Char, Model: m}
	}
	return schema.NewCatalogue(m)
}

func writePreset(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "res.partner.schema"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// presetFields draws a preset: the fields of read all, "closed", or nothing.
func presetFields(t *testing.T, k *presetKeeper, c *schema.Catalogue, p *auth.Policy) string {
	t.Helper()
	preset, err := k.Preset(c, p, "res.partner")
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case preset == nil:
		return ""
	case !preset.Available:
		return "closed"
	}
	names := make([]string, 0, len(preset.ReadAll.Items))
	for _, item := range preset.ReadAll.Items {
		names = append(names, item.Name)
	}
	return strings.Join(names, " ")
}

// Ensure presets follow the catalogue, what is kept in Odoo and the folder, and that files win.
func TestPresetKeeper(t *testing.T) {
	dir := t.TempDir()
	with, without := partnerCatalogue("name"), partnerCatalogue()
	none := &auth.Policy{}
	stored := &auth.Policy{Presets: map[string]string{"res.partner": `{"read_all": ["name"]}`}}
	var log strings.Builder
	k := &presetKeeper{dir: dir, log: slog.New(slog.NewTextHandler(&log, nil))}
	check := func(step string, c *schema.Catalogue, p *auth.Policy, want string) {
		t.Helper()
		if got := presetFields(t, k, c, p); got != want {
			t.Errorf("%s: got %q, want %q", step, got, want)
		}
	}
	check("nothing", with, none, "")
	check("kept in Odoo", with, stored, "name")
	check("taken away in Odoo", with, none, "")
	check("kept in Odoo again", with, stored, "name")
	check("a catalogue it does not fit", without, stored, "closed")
	check("the same policy, read anew", with, &auth.Policy{Presets: stored.Presets}, "name")

	writePreset(t, dir, `{'read_all': ('id', 'name')}`)
	reload := func() {
		t.Helper()
		if err := k.reload(); err != nil {
			t.Fatal(err)
		}
	}
	reload()
	check("a file", with, stored, "id name")
	writePreset(t, dir, "{\n'read_all': (\n")
	reload()
	check("a broken file", with, stored, "id name")
	if got := strings.Count(log.String(), "res.partner.schema:3: a bracket is not closed"); got != 1 {
		t.Errorf("the mistake is logged %d times:\n%s", got, log.String())
	}
	if err := os.Remove(filepath.Join(dir, "res.partner.schema")); err != nil {
		t.Fatal(err)
	}
	reload()
	check("without the file", with, stored, "name")
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := k.reload(); err == nil {
		t.Error("a folder that is gone was read")
	}
	check("without the folder", with, stored, "name")
}

// Ensure the folder is looked after while the service runs, and that watching ends.
func TestPresetKeeperWatches(t *testing.T) {
	dir, c, p := t.TempDir(), partnerCatalogue("name"), &auth.Policy{}
	writePreset(t, dir, `{'read_all': (`)
	k := &presetKeeper{dir: dir, log: slog.New(slog.DiscardHandler)}
	if got := presetFields(t, k, c, p); got != "closed" {
		t.Errorf("wrong from the start: %q", got)
	}
	watching, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		k.watch(watching, time.Millisecond)
	}()
	writePreset(t, dir, `{'read_all': 'name'}`)
	for deadline := time.Now().Add(10 * time.Second); presetFields(t, k, c, p) != "name"; {
		if time.Now().After(deadline) {
			t.Fatal("the change is not seen")
		}
		time.Sleep(time.Millisecond)
	}
	stop()
	<-ended
}
