package reader

import (
	"lateral/schema"
)

// Query is a read as the client asked for it, before it is resolved against the catalogue and the
// user's access.
type Query struct {
	Model string
	// Alias is the name by which the model is asked for, where that is another: its preset is found by
	// it.
	Alias string
	// One asks for one record: that of ID or, where SearchField is set, the first whose
	// SearchField equals SearchValue. Otherwise a page is asked for.
	One         bool
	ID          int64
	SearchField string
	SearchValue string
	// Created reads the record of ID as the answer of a create: with the preset's fields for that,
	// and also where it is archived.
	Created bool
	// Content, of a read one, is the binary field whose content is to be found rather than written;
	// it is for Reader.Content.
	Content string

	// Filters is an Odoo domain as parsed from a literal or from JSON, nil without one.
	Filters       any
	Order         string
	Offset, Limit int64 // Limit 0: no limit
	// Include and Exclude are include_fields and exclude_fields, nil without them.
	Include, Exclude any
	// Context is __context__.
	Context map[string]any

	Profile Profile
	// Preset is a preset of the query's own; nil: that of the model, see Deps.Presets.
	Preset *schema.Preset
	// Count asks for the number of all matching records, taken in the same snapshot.
	Count bool
	// Estimate lets that number be PostgreSQL's estimate, where it gives nothing away that is hidden from
	// the user; see Result.Estimated.
	Estimate bool
	// Keyset asks for pages by key: the result has a cursor, see Result.Cursor, and begins behind that of
	// After, or with the first record where After is empty. An offset cannot go with it.
	Keyset bool
	After  string

	// Asker lets the answer be one that the client has, see Result.Unchanged; nil: it has to be read.
	Asker *Asker

	whole bool // by one statement, whatever the length of the page
	many  bool // of One: the statement is that which reads several records together
	// written tells that what was written before the read must be in the answer, and that the database may not have it.
	written bool

	from *position // what After says
	seal *sealer   // of cursors; nil: Keyset is not set
}

// Profile is how a read's answer is written (contract, sections 4 and 8).
type Profile struct {
	Name string
	Null NullPolicy
	// Flat are the shapes of plain relational names at the top level without a preset, Nested
	// those everywhere else.
	Flat, Nested PlainShapes
}

// PlainShapes are the shapes of relational fields asked for as a plain name.
type PlainShapes struct {
	Many2one, X2many, Reference Shape
}

// Classic writes what clients of the seed product expect.
func Classic() Profile {
	return Profile{
		Name:   "classic",
		Null:   NullPolicy{False: true, Empty: true},
		Flat:   PlainShapes{Many2one: NamedID, X2many: NullableIDs, Reference: ReferenceIDs},
		Nested: PlainShapes{Many2one: ID, X2many: BareIDs, Reference: ReferenceID},
	}
}

// Typed writes honest types.
func Typed() Profile {
	plain := PlainShapes{Many2one: ID, X2many: IDs, Reference: ReferenceID}
	return Profile{Name: "typed", Null: NullPolicy{Empty: true}, Flat: plain, Nested: plain}
}
