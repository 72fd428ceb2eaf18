package schema

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"go.starlark.net/syntax"
)

// PresetParts are the texts of one preset that are edited by themselves, in either syntax. An empty
// one is not there.
type PresetParts struct {
	// ReadAll, ReadOne and CreateOne are the fields of the three kinds of answers.
	ReadAll   string `json:"read_all"`
	ReadOne   string `json:"read_one"`
	CreateOne string `json:"create_one"`
	// Settings is a dictionary of all other keys of the preset.
	Settings string `json:"settings"`
}

// settingsPart is what errors call Settings where they are about no key of it.
const settingsPart = "settings"

// trees returns the keys of the trees with their texts, in the order in which a preset has them.
func (p *PresetParts) trees() []presetTree {
	return []presetTree{{"read_all", &p.ReadAll}, {"read_one", &p.ReadOne}, {"create_one", &p.CreateOne}}
}

type presetTree struct {
	key  string
	text *string
}

// Preset returns the preset that the parts make under a catalogue. The error joins a *PresetError for
// each mistake, whose line counts from the beginning of its part.
func (p PresetParts) Preset(c *Catalogue, model string) (*Preset, error) {
	keys := map[string]presetValue{}
	var failures []error
	for _, tree := range p.trees() {
		if strings.TrimSpace(*tree.text) == "" {
			continue
		}
		expr, err := literalExpr(*tree.text)
		var value any
		if err == nil {
			value, err = literalValue(expr)
		}
		if err != nil {
			failures = append(failures, partError(model, tree.key, err))
			continue
		}
		if value == nil {
			failures = append(failures, &PresetError{Source: model, Key: tree.key, Line: 1, Err: errors.New("want fields, not None")})
			continue
		}
		keys[tree.key] = presetValue{value: value, line: 1, expr: expr}
	}
	settings, err := p.settings()
	if err != nil {
		failures = append(failures, partError(model, settingsPart, err))
	}
	for key, value := range settings {
		if _, twice := keys[key]; twice || isTreeKey(key) {
			failures = append(failures, &PresetError{Source: model, Key: key, Line: value.line, Err: errors.New("it is a part of its own")})
			continue
		}
		keys[key] = value
	}
	preset, err := newPreset(model, model, keys)
	resolved, unfit := preset.Resolve(c)
	return resolved, errors.Join(append(failures, err, unfit)...)
}

func isTreeKey(key string) bool {
	return slices.ContainsFunc((&PresetParts{}).trees(), func(t presetTree) bool { return t.key == key })
}

func partError(source, key string, err error) error {
	failure := &PresetError{Source: source, Key: key, Err: err}
	if at := (*LiteralError)(nil); errors.As(err, &at) {
		failure.Line, failure.Err = at.Line, errors.New(at.Msg)
	}
	return failure
}

func (p PresetParts) settings() (map[string]presetValue, error) {
	switch text := []byte(p.Settings); {
	case len(strings.TrimSpace(p.Settings)) == 0:
		return nil, nil
	case json.Valid(text):
		return jsonKeys(text)
	}
	return literalKeys(p.Settings)
}

// Text returns the text of the preset that the parts make. They must be of a Preset without an error.
// What a part has outside of its value, such as comments in front of it, is left out.
func (p PresetParts) Text() (string, error) {
	var b strings.Builder
	b.WriteString("{\n")
	for _, tree := range p.trees() {
		if strings.TrimSpace(*tree.text) == "" {
			continue
		}
		expr, source, err := literalSource(*tree.text)
		if err != nil {
			return "", err
		}
		text := strings.ReplaceAll(spanned(source, expr), "\n", "\n    ")
		b.WriteString("    '" + tree.key + "': " + text + ",\n")
	}
	if strings.TrimSpace(p.Settings) != "" {
		entries, err := dictEntries(p.Settings)
		if err != nil {
			return "", err
		}
		for _, entry := range entries {
			b.WriteString("    " + syntax.Quote(entry.key, false) + ": " + entry.text + ",\n")
		}
	}
	b.WriteString("}\n")
	return b.String(), nil
}

// Parts takes the text of a preset apart, so that the parts make the same preset. Comments stay where
// they stand within a value. The catalogue is asked for the forms of nested items that JSON cannot
// write. The error joins a *PresetError for each mistake.
func (t PresetText) Parts(c *Catalogue) (PresetParts, error) {
	preset, err := t.Parse()
	if err != nil {
		return PresetParts{}, err
	}
	entries, err := dictEntries(t.Text)
	if err != nil {
		return PresetParts{}, err
	}
	var parts PresetParts
	settings := ""
	for _, entry := range entries {
		written, ok := preset.written[entry.key]
		if !ok {
			continue // None says nothing
		}
		i := slices.IndexFunc(parts.trees(), func(tree presetTree) bool { return tree.key == entry.key })
		switch {
		case i < 0:
			settings += "    " + syntax.Quote(entry.key, false) + ": " + entry.text + ",\n"
		case written.expr != nil:
			*parts.trees()[i].text = dedent(entry.text)
		default:
			// JSON has no tuples: its tree is written anew.
			*parts.trees()[i].text = entry.text
			if tree, err := ParseTree(c, t.Model, written.value); err == nil {
				*parts.trees()[i].text = FormatTree(tree)
			}
		}
	}
	if settings != "" {
		parts.Settings = "{\n" + settings + "}"
	}
	return parts, nil
}

// dictEntry is one entry of a dictionary and the text of its value.
type dictEntry struct{ key, text string }

// dictEntries returns the entries of a dictionary in either syntax: Python's in the order and with the
// text that they have, those of JSON as literals, by key.
func dictEntries(text string) ([]dictEntry, error) {
	if json.Valid([]byte(text)) {
		values, err := jsonKeys([]byte(text))
		if err != nil {
			return nil, err
		}
		entries := make([]dictEntry, 0, len(values))
		for _, key := range sortedKeys(values) {
			entries = append(entries, dictEntry{key, FormatLiteral(values[key].value)})
		}
		return entries, nil
	}
	expr, source, err := literalSource(text)
	if err != nil {
		return nil, err
	}
	dict, ok := expr.(*syntax.DictExpr)
	if !ok {
		return nil, errors.New("want one dictionary")
	}
	entries := make([]dictEntry, 0, len(dict.List))
	for _, item := range dict.List {
		entry := item.(*syntax.DictEntry)
		key, value, err := literalEntry(entry)
		if err != nil {
			return nil, err
		}
		slice := spanned(source, entry.Value)
		if again, err := ParseLiteral(slice); err != nil || !reflect.DeepEqual(again, value) {
			slice = FormatLiteral(value)
		}
		entries = append(entries, dictEntry{key, slice})
	}
	return entries, nil
}

// spanned is the text that an expression stands for in the source it was parsed from.
func spanned(source string, expr syntax.Expr) string {
	start, end := expr.Span()
	from, to := positionOffset(source, start), positionOffset(source, end)
	return source[from:max(from, to)]
}

// positionOffset is the byte at which a position lies. Columns of positions count characters.
func positionOffset(text string, pos syntax.Position) int {
	offset := 0
	for line := int32(1); line < pos.Line; line++ {
		next := strings.IndexByte(text[offset:], '\n')
		if next < 0 {
			return len(text)
		}
		offset += next + 1
	}
	for col := int32(1); col < pos.Col && offset < len(text); col++ {
		_, size := utf8.DecodeRuneInString(text[offset:])
		offset += size
	}
	return offset
}

// dedent takes from all lines but the first as much indentation as they have in common.
func dedent(text string) string {
	lines := strings.Split(text, "\n")
	common := -1
	for _, line := range lines[1:] {
		if indent := len(line) - len(strings.TrimLeft(line, " ")); line != "" && (common < 0 || indent < common) {
			common = indent
		}
	}
	for i, line := range lines {
		if i > 0 && line != "" {
			lines[i] = line[common:]
		}
	}
	return strings.Join(lines, "\n")
}
