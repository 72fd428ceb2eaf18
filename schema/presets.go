package schema

import (
	"errors"
	"fmt"
	"slices"
)

// Presets are the presets in force under one catalogue. They are immutable; nil is none.
type Presets struct {
	catalogue *Catalogue
	entries   map[string]*presetEntry // by source
	models    map[string]*presetEntry // by model, or alias
	aliases   map[string]string       // their models, by alias
}

// presetEntry is one text and what came of it.
type presetEntry struct {
	text PresetText
	err  error // why the text cannot be used
	// twice tells that another text of the model counts.
	twice error
	// good is the last preset of this source that could be used, nil before the first.
	good *Preset
	// preset is what is in force: the text's, else the last good one, else one that closes its model.
	preset *Preset
}

// Renew returns the presets of some texts under a catalogue. The first text of a model counts, and a
// stored one behind a file is passed over. A text that is wrong leaves the last good one of its
// source in force; without one, and where that does not fit the catalogue any more, its model is
// closed, since without its preset it could show more than was meant. Presets whose text and
// catalogue are the same stay the same pointers.
func (p *Presets) Renew(c *Catalogue, texts []PresetText) *Presets {
	next := &Presets{catalogue: c, entries: make(map[string]*presetEntry, len(texts)), models: make(map[string]*presetEntry, len(texts)), aliases: map[string]string{}}
	for _, text := range texts {
		if text.Alias {
			var old *presetEntry
			if p != nil {
				old = p.entries[text.Source]
			}
			entry := renewEntry(c, p, old, text)
			next.entries[text.Source], entry.twice = entry, nil
			next.placeAlias(entry)
			continue
		}
		first := next.models[text.Model]
		if first != nil && text.Stored {
			continue
		}
		var old *presetEntry
		if p != nil {
			old = p.entries[text.Source]
		}
		entry := renewEntry(c, p, old, text)
		next.entries[text.Source] = entry
		entry.twice = nil
		if first != nil {
			entry.twice = &PresetError{Source: text.Source, Err: fmt.Errorf("%s has a preset in %s already", text.Model, first.text.Source)}
			continue
		}
		next.models[text.Model] = entry
	}
	return next
}

func renewEntry(c *Catalogue, p *Presets, old *presetEntry, text PresetText) *presetEntry {
	if old != nil && old.text == text && p.catalogue == c {
		again := *old
		return &again
	}
	entry := &presetEntry{text: text}
	if old != nil {
		entry.good = old.good
	}
	var parsed *Preset
	if parsed, entry.preset, entry.err = text.Resolve(c); entry.err == nil {
		entry.good = parsed
		return entry
	}
	entry.preset = &Preset{Model: text.Model, source: text.Source}
	if text.Alias && parsed != nil {
		entry.preset = &Preset{Model: parsed.Model, Alias: parsed.Alias, source: text.Source, written: parsed.written}
	}
	if entry.good != nil {
		// A preset that does not resolve comes back as not available, which is meant.
		entry.preset, _ = entry.good.Resolve(c)
	}
	return entry
}

// Of returns the preset of a model, or nil where it has none.
func (p *Presets) Of(model string) *Preset {
	if p == nil || p.models[model] == nil {
		return nil
	}
	return p.models[model].preset
}

// PresetReport is the text of a model's preset and why it cannot be used, nil where it can.
type PresetReport struct {
	Text PresetText
	Err  error
}

// Report returns the report of the text that counts for a model, or nil where it has none.
func (p *Presets) Report(model string) *PresetReport {
	if p == nil || p.models[model] == nil {
		return nil
	}
	return &PresetReport{Text: p.models[model].text, Err: p.models[model].err}
}

// Models returns the names of the models that have presets, sorted.
func (p *Presets) Models() []string {
	if p == nil {
		return nil
	}
	models := sortedKeys(p.models)
	return slices.DeleteFunc(models, func(name string) bool { return p.models[name].text.Alias })
}

// Problems returns what is wrong, by source.
func (p *Presets) Problems() map[string]error {
	problems := map[string]error{}
	if p == nil {
		return problems
	}
	for source, entry := range p.entries {
		if err := errors.Join(entry.twice, entry.err); err != nil {
			problems[source] = err
		}
	}
	return problems
}

// Err joins what is wrong, in the order of the sources.
func (p *Presets) Err() error {
	problems := p.Problems()
	failures := make([]error, 0, len(problems))
	for _, source := range sortedKeys(problems) {
		failures = append(failures, problems[source])
	}
	return errors.Join(failures...)
}
