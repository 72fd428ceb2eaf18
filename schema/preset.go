package schema

import (
	"errors"
	"fmt"
	"strings"
)

// Preset is what an administrator laid down for one model: which fields its answers have, what a
// create adds, which records a list is limited to.
type Preset struct {
	Model string
	// Alias is the path that the preset is of, where it is that of an alias of the model.
	Alias string
	// ReadAll, ReadOne and CreateOne are the fields of the three kinds of answers; nil where the
	// preset has none. They are there once the preset is resolved against a catalogue.
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
	// source is what errors call the text it came from.
	source string
	// written holds what can only be checked against a catalogue, by key.
	written map[string]presetValue
}

// PresetError says where a preset is wrong, and why.
type PresetError struct {
	Source string // the file, or the key of Odoo's parameter
	Line   int    // 0 where it is not known
	Key    string
	Err    error
}

func (e *PresetError) Error() string {
	text := e.Source
	if e.Line > 0 {
		text = fmt.Sprintf("%s:%d", text, e.Line)
	}
	return text + ": " + e.Text()
}

// Text is what is wrong, without the place.
func (e *PresetError) Text() string {
	if e.Key == "" {
		return e.Err.Error()
	}
	return e.Key + ": " + e.Err.Error()
}

func (e *PresetError) Unwrap() error { return e.Err }

// PresetErrors returns the errors that a joined one of this package holds, one for each mistake.
func PresetErrors(err error) []*PresetError {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*PresetError
		for _, part := range joined.Unwrap() {
			all = append(all, PresetErrors(part)...)
		}
		return all
	}
	var one *PresetError
	if errors.As(err, &one) {
		return []*PresetError{one}
	}
	return nil
}

// Operations returns the names of the operations that success codes can be set for.
func Operations() []string {
	return []string{"read_all", "read_one", "create_one", "update_one", "delete_one", "call_method"}
}

// newPreset makes a preset of the keys of a text. All errors are reported, joined.
func newPreset(model, source string, keys map[string]presetValue) (*Preset, error) {
	p := &Preset{Model: model, Available: true, source: source, written: map[string]presetValue{}}
	var failures []error
	for _, key := range sortedKeys(keys) {
		v := keys[key]
		if err := p.set(key, v); err != nil {
			failures = append(failures, &PresetError{Source: source, Line: v.line, Key: key, Err: err})
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
	p.written[key] = v
	switch key {
	case "read_all", "read_one", "create_one":
	case "defaults":
		values, ok := v.value.(map[string]any)
		if !ok {
			return errors.New("want a dictionary of fields and values, not " + describe(v.value))
		}
		p.Defaults = values
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

// Resolve returns a copy of the preset whose trees, defaults and domain are checked against a
// catalogue. It returns one that is not available along with an error, which joins a *PresetError
// for each mistake.
func (p *Preset) Resolve(c *Catalogue) (*Preset, error) {
	fail := func(line int, key string, err error) error {
		return &PresetError{Source: p.source, Line: line, Key: key, Err: err}
	}
	resolved := *p
	resolved.Available = false
	model := c.Model(p.Model)
	if model == nil {
		return &resolved, fail(p.written["model"].line, "", fmt.Errorf("there is no model %q", p.Model))
	}
	var failures []error
	for _, slot := range []struct {
		key  string
		tree **Tree
	}{
		{"read_all", &resolved.ReadAll}, {"read_one", &resolved.ReadOne}, {"create_one", &resolved.CreateOne},
	} {
		v, ok := p.written[slot.key]
		if !ok {
			continue
		}
		tree, err := ParseTree(c, p.Model, v.value)
		if err != nil {
			failures = append(failures, fail(v.treeLine(err), slot.key, err))
		}
		*slot.tree = tree
	}
	for _, name := range sortedKeys(p.Defaults) {
		if model.Field(name) == nil {
			v := p.written["defaults"]
			failures = append(failures, fail(v.lineOf(name), "defaults", fmt.Errorf("%s has no field %q", p.Model, name)))
		}
	}
	if path, err := checkPaths(c, model, p.DefaultDomain); err != nil {
		v := p.written["domain"]
		failures = append(failures, fail(v.lineOf(path), "domain", err))
	}
	if p.Alias != "" {
		failures = append(failures, p.aliasConflict(c))
	}
	if err := errors.Join(failures...); err != nil {
		return &resolved, err
	}
	resolved.Available = p.declared
	return &resolved, nil
}

// checkPaths returns the first path of a domain that leads nowhere, and why. Behind fields that are
// not relational, such as properties and dates, it does not look.
func checkPaths(c *Catalogue, m *Model, d Domain) (string, error) {
	switch d := d.(type) {
	case And:
		return checkTerms(c, m, d)
	case Or:
		return checkTerms(c, m, d)
	case Not:
		return checkPaths(c, m, d.Term)
	case Condition:
		at := m
		for name := range strings.SplitSeq(d.Path, ".") {
			f := at.Field(name)
			if f == nil {
				return d.Path, fmt.Errorf("%s has no field %q", at.Name, name)
			}
			if at = c.Model(f.Comodel); at == nil {
				return "", nil
			}
		}
		if sub, ok := d.Value.(Domain); ok {
			return checkPaths(c, at, sub)
		}
	}
	return "", nil
}

func checkTerms(c *Catalogue, m *Model, terms []Domain) (string, error) {
	for _, term := range terms {
		if path, err := checkPaths(c, m, term); err != nil {
			return path, err
		}
	}
	return "", nil
}
