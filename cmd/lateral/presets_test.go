package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

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

// Ensure presets follow the catalogue and the folder, and close what they cannot answer for.
func TestPresetFolder(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	catalogue := partnerCatalogue("name")
	f := &presetFolder{
		dir: dir, log: slog.New(slog.DiscardHandler),
		catalogue: func(context.Context) (*schema.Catalogue, error) { return catalogue, nil },
	}
	get := func() *schema.Preset {
		t.Helper()
		p, err := f.of(ctx, "res.partner")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	writePreset(t, dir, `{'read_all': ('id', 'name')}`)
	if p := get(); p == nil || !p.Available || len(p.ReadAll.Items) != 2 {
		t.Fatalf("got %+v", p)
	}
	if p, err := f.of(ctx, "res.users"); p != nil || err != nil {
		t.Errorf("a model without a preset: got %+v, %v", p, err)
	}

	catalogue = partnerCatalogue()
	if p := get(); p == nil || p.Available {
		t.Errorf("without the field: got %+v", p)
	}
	catalogue = partnerCatalogue("name")
	if p := get(); p == nil || !p.Available {
		t.Errorf("with the field again: got %+v", p)
	}

	// A change is taken over, and one for the worse is not.
	watching, stop := context.WithCancel(ctx)
	defer stop()
	ticked := make(chan struct{})
	go func() {
		defer close(ticked)
		f.watch(watching, time.Millisecond)
	}()
	before := f.current.Load()
	writePreset(t, dir, `{'read_all': ('id',), 'available': True}`)
	for f.current.Load() == before {
		time.Sleep(time.Millisecond)
	}
	stop()
	<-ticked
	if p := get(); p == nil || len(p.ReadAll.Items) != 1 {
		t.Errorf("after a change: got %+v", p)
	}
	writePreset(t, dir, `{'read_all': (`)
	if _, err := f.load(catalogue, true); err != nil {
		t.Fatal(err)
	}
	if p := get(); p == nil || !p.Available {
		t.Errorf("after a mistake: got %+v", p)
	}
}

// Ensure presets that are wrong from the start close their models and no others.
func TestBrokenPresetsClose(t *testing.T) {
	dir := t.TempDir()
	writePreset(t, dir, `{'read_all': (`)
	f := &presetFolder{
		dir: dir, log: slog.New(slog.DiscardHandler),
		catalogue: func(context.Context) (*schema.Catalogue, error) { return partnerCatalogue("name"), nil },
	}
	if p, err := f.of(context.Background(), "res.partner"); err != nil || p == nil || p.Available {
		t.Errorf("got %+v, %v", p, err)
	}
	if p, err := f.of(context.Background(), "res.users"); err != nil || p != nil {
		t.Errorf("got %+v, %v", p, err)
	}
}
