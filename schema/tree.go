package schema

// Form is the way a nested item asks for its records.
type Form int

const (
	// Plain items have no nested fields.
	Plain Form = iota
	// OneRecord is ('f', ('id', 'name')): one object.
	OneRecord
	// List is ('f', [('id', 'name')]): a list of objects.
	List
)

// Tree is a tree of fields to read: a preset's schema or a request's include_fields.
type Tree struct{ Items []Item }

// Item is one field of a Tree.
type Item struct {
	Name string
	Form Form
	Sub  *Tree // nil with Plain
}
