package reader

// Column is a field of an answer as a table has it: a value, or the columns of the one record that the
// field leads to.
type Column struct {
	Name    string
	Columns []Column // nil: a value
}

// Columns returns the fields of the records, in the order in which their documents have them. A record may
// lack some of what a many2one with a name leads to: see NamedID.
func (r *Result) Columns() []Column { return columns(r.plan.Root) }

func columns(level *Level) []Column {
	list := make([]Column, len(level.Nodes))
	for i, n := range level.Nodes {
		list[i].Name = n.Key
		switch n.Shape {
		case Object, NamedID, SingleObject:
			list[i].Columns = columns(n.Sub)
		}
	}
	return list
}
