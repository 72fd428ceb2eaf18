package facts

import (
	"slices"
	"strings"
)

// Access says with what care a model's rows and values may be read from the database. The zero Access means that
// reading SQL gives what Odoo gives, once model access, record rules and field groups are applied.
type Access struct {
	// Guarded: which rows or values a reader gets is decided in Python. Never read this model by SQL.
	Guarded bool
	// SelfRead: a read of nothing but the reader's own record, and of nothing but the fields in SelfReadable, is done
	// as superuser (res.users).
	SelfRead bool
	// Fields lists fields whose values are not those of their columns: get them from Odoo.
	Fields []string
	// Terms lists what Python looks for in a domain or an order and rewrites. A search that names one must go to Odoo;
	// values of records that are already known are exact. Each is "field" (any term or order on it) or "field
	// operator"; the field "*" is any.
	//
	// They count wherever the model is searched: in its domain and order, in its own order where none is given, where
	// an order recurses into it through a many2one, on a hop of a dotted path, and for child_of and parent_of on a
	// relation to it (ask for the field "id").
	Terms []string
	// Reasons says why, one entry for each reviewed override, also the harmless ones.
	Reasons []string
}

// Harmless tells whether nothing about the model needs care.
func (a Access) Harmless() bool {
	return !a.Guarded && !a.SelfRead && len(a.Fields) == 0 && len(a.Terms) == 0
}

// Rewrites tells whether a term of a domain is one that Python rewrites. The field is the first name of the term's
// left side.
func (a Access) Rewrites(field, operator string) bool {
	for _, term := range a.Terms {
		name, op, _ := strings.Cut(term, " ")
		if (name == "*" || name == field) && (op == "" || op == operator) {
			return true
		}
	}
	return false
}

// RewritesOrder tells whether ordering by a field is done in Python or by an expression of its own.
func (a Access) RewritesOrder(field string) bool { return slices.Contains(a.Terms, field) }

func (a *Access) guard(reason string) {
	a.Guarded = true
	a.Reasons = append(a.Reasons, reason)
}

func (a *Access) add(v verdict) {
	switch v.effect {
	case guarded:
		a.Guarded = true
	case selfRead:
		a.SelfRead = true
	case masks:
		a.Fields = union(a.Fields, strings.Split(v.names, ", "))
	case rewrites:
		a.Terms = union(a.Terms, strings.Split(v.names, ", "))
	}
	if !slices.Contains(a.Reasons, v.reason) {
		a.Reasons = append(a.Reasons, v.reason)
	}
}

func (a Access) merge(b Access) Access {
	return Access{
		Guarded:  a.Guarded || b.Guarded,
		SelfRead: a.SelfRead || b.SelfRead,
		Fields:   union(a.Fields, b.Fields),
		Terms:    union(a.Terms, b.Terms),
		Reasons:  union(a.Reasons, b.Reasons),
	}
}

// effect is what an overridden method does to a reader.
type effect int

const (
	harmless effect = iota // nothing, given the context keys this service passes
	guarded                // it decides about rows or values
	masks                  // it changes the values of the named fields
	rewrites               // it changes searches that name these terms
	selfRead               // it lets a user read his own record as superuser
)

// verdict is the outcome of reading the code of one or several overrides.
type verdict struct {
	on      string // the model or mixin that carries them
	methods string // "module.method", several separated by a comma
	effect  effect
	names   string // of fields or terms, separated by a comma
	reason  string
}

type reviewKey struct{ on, method string }

// between holds what is known of the series that were not scanned and what neither neighbour shows.
var between = []verdict{
	{
		"analytic.mixin", "analytic._search", rewrites, "analytic_distribution, analytic_distribution_search",
		"16.0 and 17.0 rewrite a term on the distribution in _search",
	},
}

// reviews holds the verdicts by series and override.
var reviews = map[string]map[reviewKey]verdict{
	"14.0": index(reviews14),
	"19.0": index(reviews19),
}

func index(list []verdict) map[reviewKey]verdict {
	table := map[reviewKey]verdict{}
	for _, v := range list {
		for method := range strings.SplitSeq(v.methods, ", ") {
			table[reviewKey{v.on, method}] = v
		}
	}
	return table
}
