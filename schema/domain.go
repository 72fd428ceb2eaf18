package schema

// Domain is a search domain in normalised form: one of True, False, And, Or, Not or Condition.
type Domain interface{ domain() }

type (
	// True matches every record: the empty list, or the leaf (1, '=', 1).
	True struct{}
	// False matches none: the leaf (0, '=', 1).
	False struct{}
	// And matches records that match all of its terms.
	And []Domain
	// Or matches records that match one of its terms.
	Or []Domain
	// Not is the prefix '!'; its meaning on relational paths differs between series, so it is
	// kept in the tree and pushed down by the compiler.
	Not struct{ Term Domain }
	// Condition is one leaf (path, operator, value).
	Condition struct {
		// Path is a field name or a dotted path of them.
		Path string
		// Op is the operator, in lower case, "<>" and "==" replaced by "!=" and "=".
		Op string
		// Value is nil, bool, int64, *big.Int, float64, string, []any or Tuple of those, or (of any and
		// not any) a Domain.
		Value any
	}
)

func (True) domain()      {}
func (False) domain()     {}
func (And) domain()       {}
func (Or) domain()        {}
func (Not) domain()       {}
func (Condition) domain() {}

// Tuple is a Python tuple, kept apart from a list because the schema syntax tells them apart.
type Tuple []any
