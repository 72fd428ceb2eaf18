package reader

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
)

// difference is where the answers of the two executors to one plan part. It holds no value of a
// record: what is logged must not show more than the request's user may know.
type difference struct {
	path string // of keys from the root; empty for the root records themselves
	what string
	// leak tells that SQL shows something that Odoo does not.
	leak bool
	// models are those of the levels from the root down to the difference.
	models []string
}

func (d *difference) String() string {
	kind := "difference"
	if d.leak {
		kind = "leak"
	}
	if d.path == "" {
		return kind + ": " + d.what
	}
	return kind + " at " + d.path + ": " + d.what
}

// compareDocuments returns the gravest difference between the answers of SQL and of Odoo to a plan,
// or nil: a leak before any other, and of equals the first. The order of root records counts; that
// of nested ones does not, since Odoo leaves lines that compare equal in any order.
func compareDocuments(root *Level, sql, odoo [][]byte) (*difference, error) {
	ours, err := decodeDocuments(sql)
	if err != nil {
		return nil, fmt.Errorf("an answer of SQL: %w", err)
	}
	theirs, err := decodeDocuments(odoo)
	if err != nil {
		return nil, fmt.Errorf("an answer of Odoo: %w", err)
	}
	var c answerDiff
	c.records(root, "", nil, ours, theirs, true)
	return c.worst, nil
}

func decodeDocuments(documents [][]byte) ([]any, error) {
	decoded := make([]any, len(documents))
	for i, document := range documents {
		decoder := json.NewDecoder(bytes.NewReader(document))
		decoder.UseNumber()
		if err := decoder.Decode(&decoded[i]); err != nil {
			return nil, err
		}
	}
	return decoded, nil
}

// answerDiff collects the gravest difference.
type answerDiff struct{ worst *difference }

func (c *answerDiff) note(leak bool, path string, models []string, what string) {
	if c.worst == nil || leak && !c.worst.leak {
		c.worst = &difference{path: path, what: what, leak: leak, models: slices.Clone(models)}
	}
}

// records compares records of one level, matched by their ids where all have one and else by their
// places.
func (c *answerDiff) records(level *Level, path string, models []string, ours, theirs []any, ordered bool) {
	models = append(slices.Clip(models), level.Model.Name)
	ourIDs, ok := recordKeys(ours)
	theirIDs, too := recordKeys(theirs)
	if !ok || !too {
		c.unnamed(level, path, models, ours, theirs, ordered)
		return
	}
	if ordered && !slices.Equal(ourIDs, theirIDs) && sameMembers(ourIDs, theirIDs) {
		c.note(false, path, models, "the order of the records")
	}
	places := make(map[string]int, len(theirIDs))
	for i, id := range theirIDs {
		places[id] = i
	}
	seen := make(map[string]bool, len(ourIDs))
	for i, id := range ourIDs {
		place, shown := places[id]
		if !shown {
			c.note(true, path, models, "a record is shown that Odoo does not show")
			continue
		}
		if seen[id] {
			c.note(false, path, models, "a record is shown twice")
		}
		seen[id] = true
		c.object(level, path, models, ours[i], theirs[place])
	}
	if slices.ContainsFunc(theirIDs, func(id string) bool { return !seen[id] }) {
		c.note(false, path, models, "a record is missing")
	}
}

// unnamed compares records that have no ids.
func (c *answerDiff) unnamed(level *Level, path string, models []string, ours, theirs []any, ordered bool) {
	if len(ours) != len(theirs) {
		c.note(len(ours) > len(theirs), path, models, "the number of records")
		return
	}
	if !ordered && sameMembers(canonical(ours), canonical(theirs)) {
		return
	}
	for i := range ours {
		c.object(level, path, models, ours[i], theirs[i])
	}
}

// recordKeys returns the ids of objects as texts, and whether all have one.
func recordKeys(objects []any) ([]string, bool) {
	keys := make([]string, len(objects))
	for i, object := range objects {
		fields, _ := object.(map[string]any)
		id, ok := fields["id"].(json.Number)
		if !ok {
			return nil, false
		}
		keys[i] = id.String()
	}
	return keys, true
}

func sameMembers(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// canonical writes values as texts that are equal where the values are.
func canonical(values []any) []string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprint(numbers(v))
	}
	return texts
}

// numbers replaces the numbers of a JSON value by floats, so that 5 and 5.0 are the same.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if f, err := v.Float64(); err == nil {
			return f
		}
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = numbers(v[i])
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for key := range v {
			object[key] = numbers(v[key])
		}
		return object
	}
	return v
}

func (c *answerDiff) object(level *Level, path string, models []string, ours, theirs any) {
	mine, _ := ours.(map[string]any)
	other, _ := theirs.(map[string]any)
	for _, n := range level.Nodes {
		at := join(path, n.Key)
		a, shown := mine[n.Key]
		b, told := other[n.Key]
		switch {
		case !shown && !told:
		case !shown:
			c.note(false, at, models, "the field is missing")
		case !told:
			c.note(true, at, models, "the field is shown, and Odoo does not show it")
		default:
			c.value(n, at, models, a, b)
		}
	}
}

func (c *answerDiff) value(n *Node, path string, models []string, ours, theirs any) {
	switch {
	case n.Sub != nil:
		c.records(n.Sub, path, models, listed(ours), listed(theirs), false)
	case n.Field.Type.X2many():
		a, b := canonical(listed(ours)), canonical(listed(theirs))
		models = append(slices.Clip(models), n.Field.Comodel)
		if slices.ContainsFunc(a, func(id string) bool { return !slices.Contains(b, id) }) {
			c.note(true, path, models, "a record is shown that Odoo does not show")
		} else if !sameMembers(a, b) {
			c.note(false, path, models, "a record is missing, or shown twice")
		}
	case !reflect.DeepEqual(numbers(ours), numbers(theirs)):
		c.note(theirs == nil, path, models, "the value, of type "+string(n.Field.Type)+" (shape "+strconv.Itoa(int(n.Shape))+")")
	}
}

// listed makes a list of a value that may stand alone.
func listed(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}
