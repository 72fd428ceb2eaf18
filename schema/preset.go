package schema

import (
	"errors"
	"fmt"
)

// Preset is what an administrator laid down for one model: which fields its answers have, what a
// create adds, which records a list is limited to.
type Preset struct {
	Model string
	// ReadAll, ReadOne and CreateOne are the fields of the three kinds of answers; nil where the
	// preset has none. They are resolved against a catalogue, see Presets.Resolve.
	ReadAll, ReadOne, CreateOne *Tree
	// Defaults are values that a create gets on top of the client's.
	Defaults map[string]any
	// DefaultDomain is ANDed to the filters of read all, nil where the preset has none;
	// RawDomain is the same in Odoo's list form.
	DefaultDomain Domain
	RawDomain     []any
	// SuccessCodes are the HTTP statuses of successful answers by operation, see Operations.
	SuccessCodes map[string]int
	// Available tells whether the model can be reached over REST. A preset that does not fit the
	// catalogue makes its model unavailable: to answer without it could show more than was meant.
	Available bool

	// declared is Available as it was written.
	declared bool
	// source is the file it came from.
	source string
	// trees holds the three trees as they were written, by key.
	trees map[string]presetValue
	// defaultsLine is where the defaults stand.
	defaultsLine int
}

// presetValue is a value and the line it stands on, 0 where that is not known.
type presetValue struct {
	value any
	line  int
}

// PresetError says where a preset is wrong, and why.
type PresetError struct {
	File string
	Line int // 0 where it is not known
	Key  string
	Err  error
}

func (e *PresetError) Error() string {
	text := e.File
	if e.Line > 0 {
		text = fmt.Sprintf("%s:%d", text, e.Line)
	}
	if e.Key != "" {
		text += ": " + e.Key
	}
	return text + ": " + e.Err.Error()
}

func (e *PresetError) Unwrap() error { return e.Err }

// Operations returns the names of the operations that success codes can be set for.
func Operations() []string {
	return []string{"read_all", "read_one", "create_one", "update_one", "delete_one", "call_method"}
}

// newPreset makes a preset of the keys of a file. All errors are reported, joined.
func newPreset(model, file string, keys map[string]presetValue) (*Preset, error) {
	p := &Preset{Model: model, Available: true, source: file, trees: map[string]presetValue{}}
	var failures []error
	for _, key := range sortedKeys(keys) {
		v := keys[key]
		if err := p.set(key, v); err != nil {
			failures = append(failures, &PresetError{File: file, Line: v.line, Key: key, Err: err})
		}
	}
	p.declared = p.Available
	return p, errors.Join(failures...)
}

// set takes one key; None leaves it out.
func (p *Preset) set(key string, v presetValue) error {
	if v.value == nil {
		return nil
	}
	switch key {
	case "read_all", "read_one", "create_one":
		p.trees[key] = v
	case "defaults":
		values, ok := v.value.(map[string]any)
		if !ok {
			return errors.New("want a dictionary of fields and values, not " + describe(v.value))
		}
		p.Defaults, p.defaultsLine = values, v.line
	case "domain":
		domain, err := ParseDomain(v.value)
		if err != nil {
			return err
		}
		p.DefaultDomain, p.RawDomain = domain, DomainList(domain)
	case "success_codes":
		return p.setCodes(v.value)
	case "available":
		available, ok := v.value.(bool)
		if !ok {
			return errors.New("want True or False, not " + describe(v.value))
		}
		p.Available = available
	default:
		return errors.New("unknown key; known are read_all, read_one, create_one, defaults, domain, success_codes and available")
	}
	return nil
}

func (p *Preset) setCodes(v any) error {
	codes, ok := v.(map[string]any)
	if !ok {
		return errors.New("want a dictionary of operations and statuses, not " + describe(v))
	}
	p.SuccessCodes = make(map[string]int, len(codes))
	for _, operation := range sortedKeys(codes) {
		if !isOperation(operation) {
			return fmt.Errorf("unknown operation %q; known are %v", operation, Operations())
		}
		code, ok := codes[operation].(int64)
		if !ok || code < 200 || code > 299 {
			return fmt.Errorf("%s: want a status from 200 to 299, not %s", operation, describe(codes[operation]))
		}
		p.SuccessCodes[operation] = int(code)
	}
	return nil
}

func isOperation(name string) bool {
	for _, operation := range Operations() {
		if operation == name {
			return true
		}
	}
	return false
}

// resolve returns a copy of the preset whose trees are checked against a catalogue. It returns one
// that is not available along with an error.
func (p *Preset) resolve(c *Catalogue) (*Preset, error) {
	fail := func(line int, key string, err error) error {
		return &PresetError{File: p.source, Line: line, Key: key, Err: err}
	}
	resolved := *p
	resolved.Available = false
	model := c.Model(p.Model)
	if model == nil {
		return &resolved, fail(0, "", fmt.Errorf("there is no model %q", p.Model))
	}
	var failures []error
	for _, slot := range []struct {
		key  string
		tree **Tree
	}{
		{"read_all", &resolved.ReadAll}, {"read_one", &resolved.ReadOne}, {"create_one", &resolved.CreateOne},
	} {
		v, ok := p.trees[slot.key]
		if !ok {
			continue
		}
		tree, err := ParseTree(c, p.Model, v.value)
		if err != nil {
			failures = append(failures, fail(v.line, slot.key, err))
		}
		*slot.tree = tree
	}
	for _, name := range sortedKeys(p.Defaults) {
		if model.Field(name) == nil {
			failures = append(failures, fail(p.defaultsLine, "defaults", fmt.Errorf("%s has no field %q", p.Model, name)))
		}
	}
	if err := errors.Join(failures...); err != nil {
		return &resolved, err
	}
	resolved.Available = p.declared
	return &resolved, nil
}

// Presets holds the presets of a folder, each resolved against one catalogue. It is immutable.
type Presets struct{ models map[string]*Preset }

// Of returns the preset of a model, or nil where it has none. It is safe on nil Presets.
func (p *Presets) Of(model string) *Preset {
	if p == nil {
		return nil
	}
	return p.models[model]
}

// Models returns the names of the models that have presets, sorted.
func (p *Presets) Models() []string {
	if p == nil {
		return nil
	}
	return sortedKeys(p.models)
}

// Resolve returns the presets as they are for another catalogue. The error joins what does not fit;
// the presets are returned all the same, those that do not fit as not available.
func (p *Presets) Resolve(c *Catalogue) (*Presets, error) {
	resolved := &Presets{models: make(map[string]*Preset, len(p.models))}
	var failures []error
	for _, name := range sortedKeys(p.models) {
		preset, err := p.models[name].resolve(c)
		if err != nil {
			failures = append(failures, err)
		}
		resolved.models[name] = preset
	}
	return resolved, errors.Join(failures...)
}
