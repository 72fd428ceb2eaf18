package schema

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"
)

// reservedSegments are first segments of paths that the API has for itself, under every profile.
var reservedSegments = map[string]bool{"auth": true, "report": true, "openapi.json": true}

// Reserved reports whether the first segment of a path is the API's own, and can be neither a
// model's nor an alias's nor an endpoint's.
func Reserved(segment string) bool { return reservedSegments[segment] }

// aliasPath is what the path of an alias may be: up to four segments.
var aliasPath = regexp.MustCompile(`^[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*){0,3}$`)

// longestAlias bounds an alias, in bytes.
const longestAlias = 128

// takeAlias takes the path and the model of an alias out of its keys. It returns them as far as they
// are right, and a *PresetError for each mistake, joined.
func takeAlias(source string, keys map[string]presetValue) (path, model string, err error) {
	var failures []error
	take := func(key, example string) string {
		v, there := keys[key]
		delete(keys, key)
		text, ok := v.value.(string)
		if !there || !ok || text == "" {
			failures = append(failures, &PresetError{Source: source, Line: v.line, Key: key, Err: fmt.Errorf("an alias wants a text here, such as '%s'", example)})
		}
		return text
	}
	line := keys["path"].line
	path, model = take("path", "v1/orders"), take("model", "sale.order")
	first, _, _ := strings.Cut(path, "/")
	switch {
	case path == "":
	case len(path) > longestAlias || !aliasPath.MatchString(path):
		err := errors.New("want one to four segments of small letters and digits, with single points, hyphens or underscores between these: 'v1/orders'")
		failures = append(failures, &PresetError{Source: source, Line: line, Key: "path", Err: err})
		path = ""
	case Reserved(first):
		failures = append(failures, &PresetError{Source: source, Line: line, Key: "path", Err: fmt.Errorf("paths below %s are the API's own", first)})
		path = ""
	}
	return path, model, errors.Join(failures...)
}

// aliasConflict returns why an alias cannot be had under a catalogue, or nil.
func (p *Preset) aliasConflict(c *Catalogue) error {
	first, _, _ := strings.Cut(p.Alias, "/")
	if c.Model(first) == nil {
		return nil
	}
	return &PresetError{Source: p.source, Line: p.written["path"].line, Key: "path", Err: fmt.Errorf("%s is a model", first)}
}

// placeAlias puts an alias's entry in force, unless its path is taken.
func (p *Presets) placeAlias(entry *presetEntry) {
	preset := entry.preset
	if preset == nil || preset.Alias == "" || p.catalogue.Model(preset.Model) == nil || preset.aliasConflict(p.catalogue) != nil {
		return
	}
	for other := range p.aliases {
		if other == preset.Alias || strings.HasPrefix(other, preset.Alias+"/") || strings.HasPrefix(preset.Alias, other+"/") {
			entry.twice = &PresetError{
				Source: entry.text.Source, Line: preset.written["path"].line, Key: "path",
				Err: fmt.Errorf("%s is an alias in %s", other, p.models[other].text.Source),
			}
			return
		}
	}
	p.models[preset.Alias], p.aliases[preset.Alias] = entry, preset.Model
}

// Aliases returns the models of the aliases in force, by alias. It must not be changed.
func (p *Presets) Aliases() map[string]string {
	if p == nil {
		return nil
	}
	return p.aliases
}

// SameAliases reports whether both have the same aliases.
func (p *Presets) SameAliases(other *Presets) bool { return maps.Equal(p.Aliases(), other.Aliases()) }
