// Package reader turns a read request into a plan, the plan into one SQL statement, and streams
// the answer; what SQL cannot answer exactly is read through Odoo by a second executor of the same
// plan.
package reader

import (
	"lateral/auth"
	"lateral/schema"
)

// Plan is a read, resolved against the catalogue and the principal's access: what both executors
// work from.
type Plan struct {
	Catalogue *schema.Catalogue
	Principal *auth.Principal
	Root      *Level

	// Domain filters the root records; its values are as the client sent them.
	Domain schema.Domain
	// RawDomain is the same domain in Odoo's list form, for the Odoo executor.
	RawDomain []any
	Order     string // as the client sent it; empty: the model's own
	Offset    int64
	Limit     int64 // 0: no limit

	Context Context
	// Delegate is why the whole plan is Odoo's; empty where SQL can answer.
	Delegate string
}

// Context is what of Odoo's context a read honours.
type Context struct {
	Lang string
	Tz   string
	// ActiveTest is nil where the request does not say.
	ActiveTest *bool
	// Companies is allowed_company_ids, nil where the request does not say.
	Companies []int64
	// Extra holds any other keys; they make the plan Odoo's, since they may change anything.
	Extra map[string]any

	langSet, tzSet bool // the request says so itself, empty included
}

// Map returns the context as Odoo's RPC takes it.
func (c Context) Map() map[string]any {
	m := make(map[string]any, len(c.Extra)+4)
	for key, value := range c.Extra {
		m[key] = value
	}
	if c.Lang != "" {
		m["lang"] = c.Lang
	}
	if c.Tz != "" {
		m["tz"] = c.Tz
	}
	if c.ActiveTest != nil {
		m["active_test"] = *c.ActiveTest
	}
	if c.Companies != nil {
		m["allowed_company_ids"] = c.Companies
	}
	return m
}

// Level is one model's part of the tree: the fields of the root records or of the records behind a
// relational field.
type Level struct {
	Model  *schema.Model
	Access *auth.ModelAccess
	Nodes  []*Node
}

// Node is one field of a level.
type Node struct {
	Key   string // JSON key: the field's name
	Field *schema.Field
	View  auth.FieldView
	Shape Shape
	// Null tells how empties are written.
	Null NullPolicy
	// Sub holds the nested fields of the shapes that have them.
	Sub *Level
	// Computed is why the value must be fetched from Odoo (hybrid); empty where SQL has it.
	Computed string
}

// NullPolicy is the part of a profile that says which values are written as null.
type NullPolicy struct {
	False bool // boolean false
	Empty bool // empty char, text, html and selection
}

// Shape is how a field's value is written as JSON (contract, section 4).
type Shape int

const (
	// Value: a scalar by its type.
	Value Shape = iota
	// ID: a many2one as int id or null.
	ID
	// NamedID: a many2one as {"id": n, "name": …}; null. The name is missing where the comodel has
	// none and where the user may not read the target: like Odoo's read, which shows the id of
	// whatever a record points at, this shape never fails for the target's sake.
	NamedID
	// Object: a many2one as an object of Sub's fields; null.
	Object
	// ObjectList: a many2one as a list of one object, or [].
	ObjectList
	// BareIDs: an x2many as null, a bare int, or a list of ids.
	BareIDs
	// NullableIDs: an x2many as null or a list of ids.
	NullableIDs
	// IDs: an x2many as a list of ids, [] where there is none.
	IDs
	// Objects: an x2many as a list of objects of Sub's fields.
	Objects
	// SingleObject: an x2many as null or the object of its only record; more are an error.
	SingleObject
	// ReferenceID: a reference as int id or null.
	ReferenceID
	// ReferenceIDs: a reference as [id] or null.
	ReferenceIDs
	// Place: a binary field as a description of where its content lies, see contentPlace; as base64
	// text where Odoo alone has it.
	Place
)
