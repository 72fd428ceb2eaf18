package main

import (
	"context"
	"errors"
	"path/filepath"

	"lateral/auth"
	"lateral/pg"
	"lateral/schema"
	"lateral/server"
	"lateral/writer"
)

// presetStore lets administrators see all presets and edit those kept in Odoo.
type presetStore struct {
	current   *currentPresets
	pool      *pg.Pool
	directory *auth.Directory
	caller    writer.Caller
}

// enter returns the present presets where the user is an administrator at this moment.
func (s *presetStore) enter(ctx context.Context, who auth.Credentials) (*presetState, error) {
	state, err := s.current.state(ctx)
	if err != nil {
		return nil, err
	}
	p, err := s.directory.Principal(ctx, s.pool, state.catalogue, who.UID, nil)
	if err != nil {
		return nil, asReadError(err)
	}
	if !p.Administrator() {
		return nil, server.ErrNotAdministrator
	}
	return state, nil
}

// administrator reports whether a user is one at this moment.
func (s *presetStore) administrator(ctx context.Context, who auth.Credentials) (bool, error) {
	_, err := s.enter(ctx, who)
	if errors.Is(err, server.ErrNotAdministrator) {
		return false, nil
	}
	return err == nil, err
}

// List implements server.PresetStore.
func (s *presetStore) List(ctx context.Context, who auth.Credentials) ([]server.PresetState, error) {
	state, err := s.enter(ctx, who)
	if err != nil {
		return nil, err
	}
	models := state.presets.Models()
	states := make([]server.PresetState, len(models))
	for i, model := range models {
		states[i] = describePreset(state, model)
	}
	return states, nil
}

// Get implements server.PresetStore.
func (s *presetStore) Get(ctx context.Context, who auth.Credentials, model string) (server.PresetState, error) {
	state, err := s.enter(ctx, who)
	if err != nil {
		return server.PresetState{}, err
	}
	return describePreset(state, model), nil
}

func describePreset(state *presetState, model string) server.PresetState {
	described := server.PresetState{Model: model, Mistakes: []server.Mistake{}}
	if report := state.presets.Report(model); report != nil {
		described.Text, described.Mistakes = &report.Text.Text, server.Mistakes(report.Err)
		if !report.Text.Stored {
			file := filepath.Base(report.Text.Source)
			described.File = &file
		}
	}
	if stored, ok := state.policy.Presets[model]; ok {
		described.Stored = &stored
	}
	return described
}

// Save implements server.PresetStore. The text is checked first; Odoo keeps it for all servers of
// the database and tells them by its signal.
func (s *presetStore) Save(ctx context.Context, who auth.Credentials, model, text string) error {
	state, err := s.enter(ctx, who)
	if err != nil {
		return err
	}
	if report := state.presets.Report(model); report != nil && !report.Text.Stored {
		return server.ErrPresetInFile
	}
	if _, _, err := storedPreset(model, text).Resolve(state.catalogue); err != nil {
		return err
	}
	return writer.SetParameter(ctx, s.caller, who, schema.PresetParameter+model, text)
}

// Remove implements server.PresetStore.
func (s *presetStore) Remove(ctx context.Context, who auth.Credentials, model string) error {
	if _, err := s.enter(ctx, who); err != nil {
		return err
	}
	return writer.RemoveParameter(ctx, s.caller, who, schema.PresetParameter+model)
}
