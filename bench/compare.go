package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
)

// compare reads the same through lateral and through web_read and tells the first difference.
func compare(ctx context.Context, s *service, odoo *webClient, w workload, r read) error {
	answer, err := s.get(ctx, "/api/"+w.Model+r.query(), w.Role)
	if err != nil {
		return err
	}
	var ours []any
	if r.ID != 0 {
		var document any
		if err := decode(answer, &document); err != nil {
			return err
		}
		ours = []any{document}
	} else {
		var page struct{ Results []any }
		if err := decode(answer, &page); err != nil {
			return err
		}
		ours = page.Results
	}
	records, err := odoo.read(ctx, r)
	if err != nil {
		return err
	}
	var theirs []any
	if err := decode(records, &theirs); err != nil {
		return err
	}
	if len(ours) != len(theirs) {
		return fmt.Errorf("lateral has %d records, Odoo %d", len(ours), len(theirs))
	}
	for i := range ours {
		if err := w.Tree.equal(ours[i], theirs[i], fmt.Sprintf("record %d", i)); err != nil {
			return err
		}
	}
	return nil
}

func decode(text []byte, target any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return decoder.Decode(target)
}

// equal compares a record, where what is empty is false to Odoo, and null or false to lateral (contract, section 4).
func (t tree) equal(ours, theirs any, where string) error {
	a, ok := ours.(map[string]any)
	b, isRecord := theirs.(map[string]any)
	if !ok || !isRecord {
		return fmt.Errorf("%s: lateral has %v, Odoo %v", where, ours, theirs)
	}
	for _, n := range t {
		at := where + "." + n.Name
		x, found := a[n.Name]
		if !found {
			return fmt.Errorf("%s: lateral has none", at)
		}
		if err := n.equal(x, b[n.Name], at); err != nil {
			return err
		}
	}
	return nil
}

func (n node) equal(ours, theirs any, where string) error {
	if empty(ours) && empty(theirs) {
		return nil
	}
	if n.Sub == nil {
		return equalPlain(ours, theirs, where)
	}
	if !n.List {
		return n.Sub.equal(ours, theirs, where)
	}
	a, ok := ours.([]any)
	b, isList := theirs.([]any)
	if !ok || !isList || len(a) != len(b) {
		return fmt.Errorf("%s: lateral has %v, Odoo %v", where, ours, theirs)
	}
	for i := range a {
		if err := n.Sub.equal(a[i], b[i], fmt.Sprintf("%s[%d]", where, i)); err != nil {
			return err
		}
	}
	return nil
}

// equalPlain compares values of plain fields: numbers as numbers, and the ids of relations whether or not they come with a name.
func equalPlain(ours, theirs any, where string) error {
	if record, ok := ours.(map[string]any); ok {
		ours = record["id"]
	}
	if list, ok := ours.([]any); ok {
		others, ok := theirs.([]any)
		if !ok || len(list) != len(others) {
			return fmt.Errorf("%s: lateral has %v, Odoo %v", where, ours, theirs)
		}
		for i := range list {
			if err := equalPlain(list[i], others[i], where); err != nil {
				return err
			}
		}
		return nil
	}
	x, isNumber := ours.(json.Number)
	y, areNumbers := theirs.(json.Number)
	if isNumber && areNumbers {
		a, errA := x.Float64()
		b, errB := y.Float64()
		if errA == nil && errB == nil && a == b {
			return nil
		}
	} else if ours == theirs {
		return nil
	}
	return fmt.Errorf("%s: lateral has %v, Odoo %v", where, ours, theirs)
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	}
	return false
}
