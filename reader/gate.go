package reader

import (
	"lateral/auth"
	"lateral/schema"
)

// gate refuses, while a read is planned, what the user may not read whatever the records.
type gate interface {
	model(access *auth.ModelAccess) error
	field(access *auth.ModelAccess, f *schema.Field) error
}

// ownGate refuses by what lateral knows of the user's rights.
type ownGate struct{ catalogue *schema.Catalogue }

// model refuses what the ACL refuses. Of a guarded model the code decides, which may show records
// without an ACL (Odoo 14.0–19.0: addons/base/models/ir_attachment.py, _search and check).
func (ownGate) model(access *auth.ModelAccess) error {
	if !access.Readable && access.Model.Guard.Kind != schema.Guarded {
		return denied("the user may not read %s", access.Model.Name)
	}
	return nil
}

// field refuses what fields_get does not show. Of a model that the user may not read at all it shows
// no field; whether that matters is known only with the records, of which there may be none, but
// fields for some groups alone are denied before Odoo looks at any.
func (g ownGate) field(access *auth.ModelAccess, f *schema.Field) error {
	_, visible := access.Fields[f.Name]
	if !visible && (access.Readable || groupRestricted(g.catalogue, f)) {
		return denied("the user may not read the field %s of %s", f.Name, f.Model.Name)
	}
	return nil
}

// openGate lets everything pass: Odoo will refuse by itself.
type openGate struct{}

func (openGate) model(*auth.ModelAccess) error                { return nil }
func (openGate) field(*auth.ModelAccess, *schema.Field) error { return nil }
