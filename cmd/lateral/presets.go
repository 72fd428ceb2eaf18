package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"lateral/auth"
	"lateral/reader"
	"lateral/schema"
)

// presetKeeper keeps the presets of a folder and those kept in Odoo as they are for the catalogue
// and the policy in use, and follows changes of all four. Files win over what is kept in Odoo.
type presetKeeper struct {
	dir string // empty: no files
	log *slog.Logger

	current atomic.Pointer[presetState]
	loading sync.Mutex
}

// presetState is the presets for one catalogue, one policy and one state of the folder.
type presetState struct {
	catalogue *schema.Catalogue
	policy    *auth.Policy
	files     []schema.PresetText
	seal      string // of the folder they were read from
	presets   *schema.Presets
}

// Preset implements reader.Presets.
func (k *presetKeeper) Preset(c *schema.Catalogue, p *auth.Policy, model string) (*schema.Preset, error) {
	state, err := k.of(c, p)
	if err != nil {
		return nil, err
	}
	return state.presets.Of(model), nil
}

// Aliases implements reader.Presets.
func (k *presetKeeper) Aliases(c *schema.Catalogue, p *auth.Policy) (map[string]string, error) {
	state, err := k.of(c, p)
	if err != nil {
		return nil, err
	}
	return state.presets.Aliases(), nil
}

// of returns the presets for a catalogue and a policy.
func (k *presetKeeper) of(c *schema.Catalogue, p *auth.Policy) (*presetState, error) {
	if state := k.current.Load(); state != nil && state.catalogue == c && state.policy == p {
		return state, nil
	}
	k.loading.Lock()
	defer k.loading.Unlock()
	state := k.current.Load()
	if state != nil && state.catalogue == c && state.policy == p {
		return state, nil
	}
	next := &presetState{catalogue: c, policy: p}
	if state == nil {
		var err error
		if next.files, next.seal, err = k.readFolder(); err != nil {
			return nil, &reader.Error{Kind: reader.Internal, Message: "the presets cannot be read", Err: err}
		}
	} else {
		next.files, next.seal = state.files, state.seal
	}
	k.publish(state, next)
	return next, nil
}

// publish makes the presets of a new state and puts it in force.
func (k *presetKeeper) publish(old, next *presetState) {
	var before *schema.Presets
	if old != nil {
		before = old.presets
	}
	if old != nil && old.catalogue == next.catalogue && old.seal == next.seal && maps.Equal(old.policy.Presets, next.policy.Presets) {
		next.presets = before
	} else {
		next.presets = before.Renew(next.catalogue, append(next.files[:len(next.files):len(next.files)], storedPresets(next.policy)...))
		k.tell(before, next.presets)
	}
	k.current.Store(next)
}

// storedPresets returns the texts kept in Odoo.
func storedPresets(p *auth.Policy) []schema.PresetText {
	texts := make([]schema.PresetText, 0, len(p.Presets))
	for model, text := range p.Presets {
		texts = append(texts, storedPreset(model, text))
	}
	return texts
}

func storedPreset(model, text string) schema.PresetText {
	return schema.PresetText{Model: model, Source: schema.PresetParameter + model, Stored: true, Text: text}
}

// tell logs what has become wrong, and what is in force.
func (k *presetKeeper) tell(before, now *schema.Presets) {
	known := before.Problems()
	for source, err := range now.Problems() {
		if old := known[source]; old != nil && old.Error() == err.Error() {
			continue
		}
		for _, mistake := range schema.PresetErrors(err) {
			k.log.Error("a preset is wrong: the last good one of its place stays in force, without one its model is closed",
				slog.String("cause", mistake.Error()))
		}
	}
	if was, is := strings.Join(before.Models(), " "), strings.Join(now.Models(), " "); was != is {
		k.log.Info("presets", slog.String("models", is))
	}
	if !before.SameAliases(now) {
		k.log.Info("aliases", slog.String("paths", strings.Join(slices.Sorted(maps.Keys(now.Aliases())), " ")))
	}
}

// watch looks after changes of the folder until ctx ends.
func (k *presetKeeper) watch(ctx context.Context, every time.Duration) {
	if k.dir == "" {
		return
	}
	watchFolder(ctx, every, k.reload, func(err error) {
		k.log.Error("the folder of presets cannot be read: those from before stay in force", slog.String("cause", err.Error()))
	})
}

// reload reads the folder again where it has changed.
func (k *presetKeeper) reload() error {
	state := k.current.Load()
	if state == nil {
		return nil // nobody has asked yet
	}
	seal, err := folderSeal(k.dir)
	if err != nil || seal == state.seal {
		return err
	}
	k.loading.Lock()
	defer k.loading.Unlock()
	state = k.current.Load()
	next := &presetState{catalogue: state.catalogue, policy: state.policy}
	if next.files, next.seal, err = k.readFolder(); err != nil {
		return err
	}
	k.publish(state, next)
	return nil
}

// readFolder reads the files and the seal they had before, so that a change in between is seen.
func (k *presetKeeper) readFolder() ([]schema.PresetText, string, error) {
	if k.dir == "" {
		return nil, "", nil
	}
	seal, err := folderSeal(k.dir)
	if err != nil {
		return nil, "", err
	}
	files, err := schema.ReadPresetFolder(k.dir)
	return files, seal, err
}

// folderSeal changes whenever a preset's file of the folder does.
func folderSeal(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("presets: %w", err)
	}
	var b strings.Builder
	for _, entry := range entries {
		// A link's target is what changes, as where a cluster mounts configuration.
		info, err := os.Stat(filepath.Join(dir, entry.Name()))
		if err != nil {
			continue // removed in this moment
		}
		fmt.Fprintf(&b, "%s %d %d\n", entry.Name(), info.Size(), info.ModTime().UnixNano())
	}
	return b.String(), nil
}

// currentPresets are the presets as Odoo has them now.
type currentPresets struct {
	reader *reader.Reader
	keeper *presetKeeper
}

// state returns the presets for what Odoo has signalled up to now.
func (p *currentPresets) state(ctx context.Context) (*presetState, error) {
	c, policy, err := p.reader.Current(ctx)
	if err != nil {
		return nil, err
	}
	return p.keeper.of(c, policy)
}

// catalogue returns the catalogue that the presets are for. Writes are checked against it: one must
// not be refused for a field that was added a moment ago.
func (p *currentPresets) catalogue(ctx context.Context) (*schema.Catalogue, error) {
	c, _, err := p.reader.Current(ctx)
	return c, err
}

func (p *currentPresets) preset(ctx context.Context, model string) (*schema.Preset, error) {
	state, err := p.state(ctx)
	if err != nil {
		return nil, err
	}
	return state.presets.Of(model), nil
}
