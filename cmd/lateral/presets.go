package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"lateral/reader"
	"lateral/schema"
)

// presetFolder keeps the presets of a folder as they are for the catalogue in use, and follows
// changes of both. A folder that has become wrong leaves the presets as they were; one that was
// wrong from the start closes the models it names, since without their presets they could show more
// than was meant.
type presetFolder struct {
	dir       string // empty: no presets
	catalogue func(ctx context.Context) (*schema.Catalogue, error)
	log       *slog.Logger

	current atomic.Pointer[presetState]
	loading sync.Mutex
}

// presetState is the presets for one catalogue.
type presetState struct {
	catalogue *schema.Catalogue
	presets   *schema.Presets
	closed    map[string]bool // models whose presets could not be read
	seal      string          // of the folder they were read from
}

// of returns the preset of a model, nil where it has none.
func (f *presetFolder) of(ctx context.Context, model string) (*schema.Preset, error) {
	if f.dir == "" {
		return nil, nil
	}
	c, err := f.catalogue(ctx)
	if err != nil {
		return nil, err
	}
	state := f.current.Load()
	if state == nil || state.catalogue != c {
		if state, err = f.load(c, false); err != nil {
			return nil, &reader.Error{Kind: reader.Internal, Message: "the presets cannot be read", Err: err}
		}
	}
	if state.closed[model] {
		return &schema.Preset{Model: model}, nil
	}
	return state.presets.Of(model), nil
}

// watch looks after changes of the folder until ctx ends.
func (f *presetFolder) watch(ctx context.Context, every time.Duration) {
	if f.dir == "" {
		return
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		state := f.current.Load()
		if state == nil {
			continue // nobody has asked yet
		}
		if seal, err := folderSeal(f.dir); err == nil && seal == state.seal {
			continue
		}
		if _, err := f.load(state.catalogue, true); err != nil {
			f.log.Error("presets", slog.String("cause", err.Error()))
		}
	}
}

// load makes the presets for a catalogue: of those there are, or with anew set, of the folder's files.
func (f *presetFolder) load(c *schema.Catalogue, anew bool) (*presetState, error) {
	f.loading.Lock()
	defer f.loading.Unlock()
	old := f.current.Load()
	if old != nil && old.catalogue == c && !anew {
		return old, nil
	}
	state := &presetState{catalogue: c}
	if old != nil && !anew {
		presets, err := old.presets.Resolve(c)
		if err != nil {
			f.log.Error("presets do not fit Odoo any more: their models are closed", slog.String("cause", err.Error()))
		}
		state.presets, state.closed, state.seal = presets, old.closed, old.seal
		f.current.Store(state)
		return state, nil
	}
	seal, err := folderSeal(f.dir)
	if err != nil {
		return nil, err
	}
	presets, err := schema.LoadPresets(f.dir, c)
	switch {
	case err == nil:
		f.log.Info("presets", slog.String("models", strings.Join(presets.Models(), " ")))
		state.presets, state.seal = presets, seal
	case old != nil:
		f.log.Error("presets are wrong: those from before stay", slog.String("cause", err.Error()))
		state.presets, state.closed, state.seal = old.presets, old.closed, seal
	default:
		f.log.Error("presets are wrong: their models are closed", slog.String("cause", err.Error()))
		state.presets, state.seal = &schema.Presets{}, seal
		if state.closed, err = presetModels(f.dir); err != nil {
			return nil, err
		}
	}
	f.current.Store(state)
	return state, nil
}

// presetModels names the models that a folder has files for.
func presetModels(dir string) (map[string]bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("presets: %w", err)
	}
	models := make(map[string]bool)
	for _, entry := range entries {
		if extension := filepath.Ext(entry.Name()); extension == ".schema" || extension == ".json" {
			models[strings.TrimSuffix(entry.Name(), extension)] = true
		}
	}
	return models, nil
}

// folderSeal changes whenever a file of the folder does.
func folderSeal(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("presets: %w", err)
	}
	var b strings.Builder
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			continue // removed in this moment
		}
		fmt.Fprintf(&b, "%s %d %d\n", entry.Name(), info.Size(), info.ModTime().UnixNano())
	}
	return b.String(), nil
}
