package schema

import "strings"

// canonicalOperator returns an operator in lower case, "<>" and "==" replaced by their synonyms,
// as all series do (Odoo 14.0: odoo/osv/expression.py, normalize_leaf; 19.0: odoo/orm/domains.py).
func canonicalOperator(op string) string {
	switch op = strings.ToLower(op); op {
	case "<>":
		return "!="
	case "==":
		return "="
	}
	return op
}

// knownOperator reports whether any series has the operator, which is in canonical form.
func knownOperator(op string) bool {
	return commonOperator(op) || op == "any" || op == "not any" || op == "not =like" || op == "not =ilike"
}

// commonOperator reports whether all series have the operator.
func commonOperator(op string) bool {
	switch op {
	case "=", "!=", "<", ">", "<=", ">=", "in", "not in", "=?", "child_of", "parent_of",
		"like", "not like", "ilike", "not ilike", "=like", "=ilike":
		return true
	}
	return false
}

// ValidOperator reports whether a caller may use the operator of a Condition in the series: any
// and not any since 17.0, not =like and not =ilike since 19.0 (odoo/osv/expression.py,
// TERM_OPERATORS; 19.0: odoo/orm/domains.py, CONDITION_OPERATORS).
func ValidOperator(op string, f Features) bool {
	switch op {
	case "any", "not any":
		return f.AnyOperator
	case "not =like", "not =ilike":
		return f.ModernDomains
	}
	return commonOperator(op)
}
