package schema

import "strings"

// readFields reads ir_model_fields.
func (l *loader) readFields() error {
	translate := "CASE WHEN coalesce(translate, false) THEN 'yes' ELSE '' END"
	if l.tables["ir_model_fields"].columns["translate"].typeName != "bool" {
		translate = "coalesce(translate, '')"
	}
	rows, err := l.q.Query(l.ctx, `SELECT id, model_id, name, `+l.text("ir_model_fields", "field_description")+`, ttype,
			coalesce(store, false), coalesce(relation, ''), coalesce(relation_field, ''),
			coalesce(relation_table, ''), coalesce(column1, ''), coalesce(column2, ''), coalesce(related, ''),
			`+translate+`, `+l.flag("ir_model_fields", "company_dependent")+`, coalesce(selectable, false),
			state = 'manual', coalesce(required, false), coalesce(readonly, false), coalesce(size, 0)
		FROM ir_model_fields`)
	if err != nil {
		return err
	}
	defer rows.Close()
	l.fields = map[int64]*Field{}
	for rows.Next() {
		f := &Field{}
		var (
			id, modelID         int64
			related, translated string
		)
		if err := rows.Scan(&id, &modelID, &f.Name, &f.Label, &f.Type, &f.Stored, &f.Comodel, &f.Inverse,
			&f.RelTable, &f.RelColumn1, &f.RelColumn2, &related, &translated, &f.CompanyDependent,
			&f.Searchable, &f.Manual, &f.Required, &f.ReadOnly, &f.Size); err != nil {
			return err
		}
		if f.Model = l.byID[modelID]; f.Model == nil {
			continue
		}
		if !f.Type.Relational() {
			// A label given where the comodel's name belongs leaves one on other fields as well.
			f.Comodel = ""
		}
		if related != "" {
			f.Related = strings.Split(related, ".")
		}
		f.Translate = translation(f.Type, translated)
		f.Model.Fields[f.Name], l.fields[id] = f, f
	}
	return rows.Err()
}

// translation reads ir_model_fields.translate: a boolean up to 18.0 (here "yes"), then a
// selection. Where a boolean leaves it open, HTML is translated by terms, since Odoo turns
// translate=True of sanitised HTML into that (14.0: odoo/fields.py, Html).
func translation(t FieldType, text string) Translation {
	switch {
	case text == "":
		return Untranslated
	case text == "standard", text == "yes" && t != HTML:
		return TranslatedWhole
	}
	return TranslatedTerms
}

// readCompanyDependent marks the company-dependent fields of 14.0 to 17.0, which have no column and
// no flag: those that the sources call so. That ir_property holds values of a field is no proof,
// since computed fields keep theirs there as well (14.0: addons/product/models/res_partner.py,
// property_product_pricelist). It is asked all the same where the sources are those of other
// series; a field that is not marked is read through Odoo, which is right in any case.
func (l *loader) readCompanyDependent() error {
	if l.catalogue.Features.JSONCompanyValues || l.facts == nil || l.tables["ir_property"] == nil {
		return nil
	}
	used := map[*Field]bool{}
	exact := l.facts.Series == "14.0"
	if !exact {
		rows, err := l.q.Query(l.ctx, `SELECT DISTINCT fields_id FROM ir_property`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				return err
			}
			used[l.fields[id]] = true
		}
		if err := rows.Err(); err != nil {
			return err
		}
	}
	for _, m := range l.models {
		for name, f := range m.Fields {
			possible := !f.Stored && f.Related == nil && !f.Type.X2many()
			f.CompanyDependent = possible && l.facts.Field(m.Name, name).CompanyDependent && (exact || used[f])
		}
	}
	return nil
}

// describeFields adds what the sources say of a model's fields.
func (l *loader) describeFields(m *Model) {
	known := l.known(m)
	if known == nil {
		return
	}
	for _, name := range known.Fields() {
		f := m.Fields[name]
		if f == nil {
			continue
		}
		source := l.facts.Field(m.Name, name)
		f.Static.AsUser = source.AsUser
		f.Static.BypassSearchAccess = source.Bypass
		if source.Domain == "list" {
			f.Static.ReadDomain = source.DomainText
		}
		f.Static.Source = &source
		if source.Translate != "" && f.Translate == TranslatedWhole && f.Type != Char {
			f.Translate = TranslatedTerms
		}
	}
	if seriesMajor(l.catalogue.Series) > 14 {
		// In 14.0 the link of a delegation is checked like any other unless it is declared auto_join.
		for _, d := range m.Inherits {
			if link := m.Fields[d.Link]; link != nil {
				link.Static.BypassSearchAccess = true
			}
		}
	}
	for _, name := range known.Access.Fields {
		if f := m.Fields[name]; f != nil {
			f.Static.Python = "Odoo's code changes its value: " + strings.Join(known.Access.Reasons, "; ")
		}
	}
}
