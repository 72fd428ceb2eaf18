package schema

import (
	"sort"

	"lateral/schema/facts"
)

// known returns what the sources say of a model, or nil.
func (l *loader) known(m *Model) *facts.Model {
	if l.facts == nil {
		return nil
	}
	return l.facts.Model(m.Name)
}

// mailMixins are the mixins that a model made in the user interface may have, by the column of
// ir_model that says so (addons/mail/models/ir_model.py).
var mailMixins = []struct{ column, model string }{
	{"is_mail_thread", "mail.thread"},
	{"is_mail_activity", "mail.activity.mixin"},
	{"is_mail_blacklist", "mail.thread.blacklist"},
}

// readModels reads ir_model and which add-ons touch each model. Odoo writes an external id of
// every model for each add-on that has a class of it (addons/base/models/ir_model.py,
// _reflect_models).
func (l *loader) readModels() error {
	mixins := ""
	for _, mixin := range mailMixins {
		mixins += ", " + l.flag("ir_model", mixin.column)
	}
	rows, err := l.q.Query(l.ctx, `SELECT m.id, model, `+l.text("ir_model", "name")+`, coalesce("order", 'id'), state = 'manual',
			coalesce(transient, false), `+l.flag("ir_model", "abstract")+`,
			coalesce(d.modules, '{}')`+mixins+`
		FROM ir_model m
		LEFT JOIN (SELECT res_id, array_agg(module::text) AS modules FROM ir_model_data
			WHERE ir_model_data.model = 'ir.model' GROUP BY res_id) d ON d.res_id = m.id`)
	if err != nil {
		return err
	}
	defer rows.Close()
	l.models, l.byID = map[string]*Model{}, map[int64]*Model{}
	l.modulesOf, l.mixins, l.abstract = map[*Model][]string{}, map[*Model][]string{}, map[*Model]bool{}
	for rows.Next() {
		m := &Model{Fields: map[string]*Field{}}
		var (
			id         int64
			isAbstract bool
			modules    []string
			mixed      [3]bool
		)
		if err := rows.Scan(&id, &m.Name, &m.Label, &m.Order, &m.Manual, &m.Transient, &isAbstract, &modules,
			&mixed[0], &mixed[1], &mixed[2]); err != nil {
			return err
		}
		l.models[m.Name], l.byID[id], l.modulesOf[m], l.abstract[m] = m, m, modules, isAbstract
		for i, has := range mixed {
			if has && m.Manual {
				l.mixins[m] = append(l.mixins[m], mailMixins[i].model)
			}
		}
	}
	l.catalogue.models = l.models
	return rows.Err()
}

// nameModel sets what follows from a model's fields, by rules and by what the sources say
// (odoo/models.py, _setup_base; 19.0: odoo/orm/model_classes.py).
func (l *loader) nameModel(m *Model) {
	first := func(names ...string) string {
		for _, name := range names {
			if name != "" && m.Fields[name] != nil {
				return name
			}
		}
		return ""
	}
	known := l.known(m)
	named := ""
	if known != nil {
		named = known.RecName
	}
	m.RecName = first(named, "name")
	if m.RecName == "" && m.Manual {
		m.RecName = first("x_name")
	}
	m.ActiveName = first("active", "x_active")

	parent := "parent_id"
	if known != nil && known.ParentName != "" {
		parent = known.ParentName
	}
	if f := m.Fields[parent]; f != nil && f.Type == Many2one && f.Comodel == m.Name {
		m.ParentName = parent
	}
	m.ParentStore = m.ParentName != "" && m.hasColumns("parent_path")
}

// readDelegations finds _inherits and parents: in ir_model_inherit from 17.0 on, before by facts
// and by their trace in the fields.
func (l *loader) readDelegations() error {
	l.parents = map[string][]string{}
	if l.has("ir_model_inherit", "parent_field_id") {
		if err := l.readInheritTable(); err != nil {
			return err
		}
	} else {
		for _, m := range l.models {
			l.inferDelegations(m)
		}
	}
	for _, m := range l.models {
		sort.Slice(m.Inherits, func(i, j int) bool { return m.Inherits[i].Link < m.Inherits[j].Link })
		for _, d := range m.Inherits {
			for _, f := range m.Fields {
				f.Inherited = f.Inherited || delegates(f, d.Link)
			}
		}
	}
	return nil
}

// delegates reports whether a field is what _inherits makes of the parent's field of that name.
func delegates(f *Field, link string) bool {
	return !f.Stored && len(f.Related) == 2 && f.Related[0] == link && f.Related[1] == f.Name
}

func (l *loader) readInheritTable() error {
	rows, err := l.q.Query(l.ctx, `SELECT model_id, parent_id, coalesce(parent_field_id, 0) FROM ir_model_inherit`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var child, parent, link int64
		if err := rows.Scan(&child, &parent, &link); err != nil {
			return err
		}
		m, p, f := l.byID[child], l.byID[parent], l.fields[link]
		switch {
		case m == nil || p == nil:
		case f == nil:
			l.parents[m.Name] = append(l.parents[m.Name], p.Name)
		case f.Model == m:
			m.Inherits = append(m.Inherits, Delegation{Parent: p.Name, Link: f.Name})
		}
	}
	return rows.Err()
}

// inferDelegations finds the delegations of a model in 14.0 to 16.0, where the database has them
// only by their trace: through the link, every field of the parent that the model does not define
// itself is one of its own. For models that the sources have, these say which links delegate;
// for others a required link must show at least two such fields, since a single one is often just
// a related field.
func (l *loader) inferDelegations(m *Model) {
	known := l.known(m)
	through := map[string]int{}
	for _, f := range m.Fields {
		if len(f.Related) == 2 && delegates(f, f.Related[0]) {
			through[f.Related[0]]++
		}
	}
	for name, link := range m.Fields {
		parent := l.models[link.Comodel]
		if link.Type != Many2one || !link.Stored || parent == nil || parent == m {
			continue
		}
		likely := known == nil && link.Required && through[name] > 1
		stated := known != nil && known.Inherits[parent.Name] == name
		if (likely || stated) && covers(m, parent) {
			m.Inherits = append(m.Inherits, Delegation{Parent: parent.Name, Link: name})
		}
	}
}

// covers reports whether a model has every field of another. Fields made in the user interface may
// be missing where Odoo reflected them later.
func covers(m, parent *Model) bool {
	for name, f := range parent.Fields {
		if m.Fields[name] == nil && !f.Manual {
			return false
		}
	}
	return true
}
