package schema

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.starlark.net/syntax"
)

// LoadPresets reads the presets of a folder: <model>.schema holds one dictionary in Python's
// syntax, <model>.json the same as JSON. Its keys are read_all, read_one, create_one, defaults,
// domain, success_codes and available, each of which may be missing. Other files are ignored. The
// error joins everything that is wrong, one *PresetError each; nothing is returned then.
func LoadPresets(dir string, c *Catalogue) (*Presets, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("presets: %w", err)
	}
	parsed := &Presets{models: map[string]*Preset{}}
	var failures []error
	for _, entry := range entries {
		extension := filepath.Ext(entry.Name())
		if entry.IsDir() || extension != ".schema" && extension != ".json" {
			continue
		}
		file := filepath.Join(dir, entry.Name())
		model := strings.TrimSuffix(entry.Name(), extension)
		preset, err := readPreset(file, model)
		if err == nil && parsed.models[model] != nil {
			err = &PresetError{File: file, Err: fmt.Errorf("%s has a preset in %s already", model, parsed.models[model].source)}
		}
		if err != nil {
			failures = append(failures, err)
			continue
		}
		parsed.models[model] = preset
	}
	presets, err := parsed.Resolve(c)
	if err := errors.Join(append(failures, err)...); err != nil {
		return nil, err
	}
	return presets, nil
}

func readPreset(file, model string) (*Preset, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("preset: %w", err)
	}
	var keys map[string]presetValue
	if filepath.Ext(file) == ".json" {
		keys, err = jsonKeys(text)
	} else {
		keys, err = literalKeys(string(text))
	}
	if err != nil {
		failure := &PresetError{File: file, Err: err}
		if at := (*LiteralError)(nil); errors.As(err, &at) {
			failure.Line, failure.Err = at.Line, errors.New(at.Msg)
		}
		return nil, failure
	}
	return newPreset(model, file, keys)
}

func jsonKeys(text []byte) (map[string]presetValue, error) {
	value, err := DecodeJSON(text)
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("want an object, not " + describe(value))
	}
	keys := make(map[string]presetValue, len(object))
	for key, value := range object {
		keys[key] = presetValue{value: value}
	}
	return keys, nil
}

// literalKeys parses a dictionary and notes the line of each key.
func literalKeys(text string) (map[string]presetValue, error) {
	expr, err := literalExpr(text)
	if err != nil {
		return nil, err
	}
	dict, ok := expr.(*syntax.DictExpr)
	if !ok {
		return nil, errors.New("want one dictionary: {'read_all': (…), …}")
	}
	keys := make(map[string]presetValue, len(dict.List))
	for _, item := range dict.List {
		entry := item.(*syntax.DictEntry)
		key, value, err := literalEntry(entry)
		if err != nil {
			return nil, err
		}
		start, _ := entry.Key.Span()
		if _, twice := keys[key]; twice {
			return nil, literalErrorAt(start, fmt.Sprintf("the key %q is there twice", key))
		}
		keys[key] = presetValue{value: value, line: int(start.Line)}
	}
	return keys, nil
}
