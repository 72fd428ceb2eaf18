package auth

import "lateral/schema"

// ModelAccess is what one principal may read of one model.
type ModelAccess struct {
	Model *schema.Model
	// Readable is the model's ACL.
	Readable bool
	// Rule is the conjunction of the record rules, evaluated for the principal, delegated parents'
	// rules included (Odoo 17.0: addons/base/models/ir_rule.py, _compute_domain). It is
	// schema.True where nothing restricts. It is to be compiled with superuser semantics: no rules,
	// no ACL and no field groups on its hops.
	Rule schema.Domain
	// Opaque is why the rule could not be evaluated completely, empty where it was. A model with an
	// opaque rule is read by Odoo.
	Opaque string
	// Fields holds the fields the principal may read, as fields_get gave them.
	Fields map[string]FieldView
}

// FieldView is what fields_get tells one user of a field and the database does not.
type FieldView struct {
	// Domain is the filter an x2many field applies when it is read; nil where it has none.
	Domain schema.Domain
	// ActiveTest is active_test in the field's own context; nil where it says nothing.
	ActiveTest *bool
	// Opaque is why Domain or the context could not be understood; empty where they were. Such a
	// field is read by Odoo.
	Opaque string
}
