package facts

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
)

// scan is one file that scan.py wrote.
type scan struct {
	Series  string            `json:"series"`
	Modules []string          `json:"modules"`
	Models  map[string][]part `json:"models"`
}

// part is what one class of an add-on says about a model. Parts stand in the order in which Odoo loads them.
type part struct {
	In             string              `json:"in"`
	Kind           string              `json:"kind"`
	Inherit        []string            `json:"inherit"`
	Inherits       map[string]string   `json:"inherits"`
	Table          string              `json:"table"`
	RecName        *string             `json:"rec_name"`
	RecNamesSearch json.RawMessage     `json:"rec_names_search"`
	ParentName     string              `json:"parent_name"`
	TableQuery     bool                `json:"table_query"`
	HasName        bool                `json:"has_name"`
	Overrides      map[string]string   `json:"overrides"`
	SuperOnly      []string            `json:"super_only"`
	Fields         map[string]rawField `json:"fields"`
}

// resolve builds all models from the parts of the add-ons that keep accepts.
func (f *Facts) resolve(keep func(module string) bool) map[string]*Model {
	all := map[string]*Model{}
	for _, s := range f.scans {
		r := resolver{scan: s, keep: keep}
		for name := range s.Models {
			m := r.model(name)
			switch other := all[name]; {
			case m == nil:
			case other == nil:
				all[name] = m
			default:
				all[name] = other.merge(m)
			}
		}
	}
	if len(f.scans) > 1 {
		for _, v := range between {
			for name, m := range all {
				if name == v.on || slices.Contains(m.Ancestors, v.on) {
					m.Access.add(v)
				}
			}
		}
	}
	return all
}

type resolver struct {
	scan
	keep func(module string) bool
}

func (r resolver) parts(model string) []part {
	return slices.DeleteFunc(slices.Clone(r.Models[model]), func(p part) bool { return !r.keep(p.In) })
}

// lineage lists a model, its parents and mixins, nearest first, and last of all "base", which every model inherits.
// Odoo's own order (C3) may differ between two mixins, not between a model and its mixins.
func (r resolver) lineage(model string) []string {
	line := []string{model}
	for i := 0; i < len(line); i++ {
		parts := r.parts(line[i])
		for _, p := range slices.Backward(parts) {
			for _, parent := range p.Inherit {
				if !slices.Contains(line, parent) {
					line = append(line, parent)
				}
			}
		}
	}
	if !slices.Contains(line, "base") {
		line = append(line, "base")
	}
	return line
}

// model builds one model, or returns nil where no accepted add-on has it.
func (r resolver) model(name string) *Model {
	own := r.parts(name)
	if len(own) == 0 {
		return nil
	}
	line := r.lineage(name)
	m := &Model{Name: name, Ancestors: line[1:], Inherits: map[string]string{}, fields: map[string]Field{}}
	for _, p := range own {
		m.Modules = append(m.Modules, p.In)
		if p.Kind != "" {
			m.Abstract, m.Transient = p.Kind == "abstract", p.Kind == "transient"
		}
		setText(&m.Table, p.Table)
	}
	slices.Sort(m.Modules)
	m.Modules = slices.Compact(m.Modules)

	// From the farthest ancestor to the model itself, so that what stands nearer wins.
	var recNames json.RawMessage
	for _, ancestor := range slices.Backward(line) {
		for _, p := range r.parts(ancestor) {
			maps.Copy(m.Inherits, p.Inherits)
			m.TableQuery = m.TableQuery || p.TableQuery
			setText(&m.ParentName, p.ParentName)
			if p.RecName != nil {
				m.RecName = *p.RecName
			}
			if len(p.RecNamesSearch) > 0 {
				recNames = p.RecNamesSearch
			}
			for field, raw := range p.Fields {
				m.fields[field] = m.fields[field].add(raw)
			}
		}
	}
	if m.RecName == "" && r.hasName(name, nil) {
		m.RecName = "name"
	}
	if r.Series == "14.0" {
		// 14.0 drops a declaration with inherited=True, and makes the field anew from the delegation.
		for name, field := range m.fields {
			field.Super = false
			m.fields[name] = field
		}
	} else {
		// In 14.0 only links that say auto_join bypass access; later all do.
		for _, link := range m.Inherits {
			field := m.fields[link]
			field.Type, field.Bypass = cmp.Or(field.Type, "many2one"), true
			m.fields[link] = field
		}
	}
	r.review(m, line, recNames)
	return m
}

// hasName tells whether a model has the field `name`, its own, a mixin's or one inherited by delegation.
func (r resolver) hasName(model string, seen []string) bool {
	if slices.Contains(seen, model) {
		return false
	}
	seen = append(seen, model)
	for _, ancestor := range r.lineage(model) {
		for _, p := range r.parts(ancestor) {
			if p.HasName {
				return true
			}
			for parent := range p.Inherits {
				if r.hasName(parent, seen) {
					return true
				}
			}
		}
	}
	return false
}

// review judges every override of the model and of its ancestors by the reviews of the series.
func (r resolver) review(m *Model, line []string, recNames json.RawMessage) {
	m.labelKnown, m.plainFind = m.RecName != "", m.RecName != ""
	m.label = m.RecName
	if m.TableQuery {
		m.Access.guard("its rows come from a query that Python writes (_table_query)")
	}
	for _, ancestor := range line {
		for _, p := range r.parts(ancestor) {
			for _, method := range slices.Sorted(maps.Keys(p.Overrides)) {
				if !slices.Contains(p.SuperOnly, method) {
					r.judge(m, ancestor, p, method)
				}
			}
			if _, redefined := p.Fields["display_name"]; redefined && !reviewedLabel(r.Series, ancestor, p.In, "_compute_display_name", m) {
				m.labelKnown = false
			}
		}
	}
	list, known := names(recNames)
	m.search = list
	if len(list) == 0 && m.RecName != "" {
		m.search = []string{m.RecName}
	}
	m.plainFind = m.plainFind && known
}

func (r resolver) judge(m *Model, on string, p part, method string) {
	switch method {
	case "fields_get":
		// Describes fields; what a read may return is decided elsewhere.
	case "name_search":
		// The RPC method alone: domains search labels by the methods below.
	case "_name_search", "_search_display_name":
		m.plainFind = false
	case "name_get", "_compute_display_name":
		if !reviewedLabel(r.Series, on, p.In, method, m) {
			m.labelKnown = false
		}
	default:
		v, ok := reviews[r.Series][reviewKey{on, p.In + "." + method}]
		if !ok {
			m.Access.guard("nobody has reviewed " + on + " " + p.In + "." + method + " (" + p.Overrides[method] + ")")
			return
		}
		m.Access.add(v)
	}
}

// merge joins what two series say of a model, the more restrictive of both.
func (m *Model) merge(n *Model) *Model {
	merged := *m
	merged.Modules = union(m.Modules, n.Modules)
	merged.Ancestors = union(m.Ancestors, n.Ancestors)
	merged.Inherits = maps.Clone(m.Inherits)
	maps.Copy(merged.Inherits, n.Inherits)
	merged.TableQuery = m.TableQuery || n.TableQuery
	merged.Abstract, merged.Transient = m.Abstract && n.Abstract, m.Transient || n.Transient
	if m.Table != n.Table {
		merged.Table = "?"
	}
	if m.ParentName != n.ParentName {
		merged.ParentName = "?"
	}
	if m.RecName != n.RecName {
		merged.RecName = ""
	}
	merged.Access = m.Access.merge(n.Access)
	merged.labelKnown = m.labelKnown && n.labelKnown && m.label == n.label && m.labelUnless == n.labelUnless
	merged.plainFind = m.plainFind && n.plainFind && slices.Equal(m.search, n.search)
	merged.fields = map[string]Field{}
	for _, name := range union(m.Fields(), n.Fields()) {
		merged.fields[name] = m.fields[name].merge(n.fields[name])
	}
	for _, link := range n.Inherits {
		field := merged.fields[link]
		field.Unsure, field.Bypass = false, true // 15.0 to 19.0 agree
		merged.fields[link] = field
	}
	return &merged
}

func union(a, b []string) []string {
	joined := append(slices.Clone(a), b...)
	slices.Sort(joined)
	return slices.Compact(joined)
}
