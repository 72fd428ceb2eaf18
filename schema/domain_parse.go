package schema

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// Limits of a domain, far above what Odoo's clients send.
const (
	// MaxDomainTerms is how many leaves one domain may have, sub-domains included.
	MaxDomainTerms = 5000
	// maxDomainDepth is how deep operators and sub-domains may nest; & in & and | in | do not count.
	maxDomainDepth = 100
)

// DomainError says where a domain is wrong, and why. Path leads to the place: the index in the
// list, then the part of the leaf (0 path, 1 operator, 2 value), then on into a sub-domain.
type DomainError struct {
	Path []int
	Msg  string
}

func (e *DomainError) Error() string {
	if len(e.Path) == 0 {
		return "domain: " + e.Msg
	}
	steps := make([]string, len(e.Path))
	for i, step := range e.Path {
		steps[i] = strconv.Itoa(step)
	}
	return "domain, term " + strings.Join(steps, ".") + ": " + e.Msg
}

// ParseDomain returns the domain that a list or tuple in polish prefix notation means, as Odoo
// reads it: between complete terms & is implied, leaves may be lists or tuples, (1, '=', 1) and
// (0, '=', 1) are constants, operators may be in upper case. nil and the empty list match every
// record. Terms of & and of | are flattened; nothing else is simplified, so that every leaf the
// client wrote can still be checked. Errors are of type *DomainError.
func ParseDomain(v any) (Domain, error) {
	p := &domainParser{}
	domain, _, err := p.list(v, nil, 0)
	return domain, err
}

type domainParser struct{ terms int }

// operand is a complete term on the parser's stack. The terms of an & or | are kept in reverse,
// because the list is read from its end.
type operand struct {
	op    string // "&" or "|" where terms holds their operands, "" otherwise
	terms []Domain
	depth int
}

func (o operand) domain() Domain {
	if o.op == "" {
		return o.terms[0]
	}
	slices.Reverse(o.terms)
	if o.op == "|" {
		return Or(o.terms)
	}
	return And(o.terms)
}

// list parses one domain; depth is how deep it lies in others. It returns the depth of what it
// found as well.
func (p *domainParser) list(v any, path []int, depth int) (Domain, int, error) {
	elements, ok := sequence(v)
	switch {
	case v == nil:
		return True{}, 0, nil
	case !ok:
		return nil, 0, &DomainError{Path: path, Msg: "a domain must be a list of terms, not " + describe(v)}
	case depth > maxDomainDepth:
		return nil, 0, &DomainError{Path: path, Msg: "domains nest too deep"}
	}
	// From the end, an operator finds its operands on the stack.
	var stack []operand
	for i := len(elements) - 1; i >= 0; i-- {
		at := append(slices.Clip(path), i)
		var err error
		if op, isText := elements[i].(string); isText {
			stack, err = applyOperator(stack, op, at)
		} else {
			var leaf operand
			if leaf, err = p.leaf(elements[i], at, depth); err == nil {
				stack = append(stack, leaf)
			}
		}
		if err != nil {
			return nil, 0, err
		}
		if top := stack[len(stack)-1]; depth+top.depth > maxDomainDepth {
			return nil, 0, &DomainError{Path: at, Msg: "operators nest too deep"}
		}
	}
	if len(stack) == 0 {
		return True{}, 0, nil
	}
	// What is left are the terms of an implied &.
	whole := stack[0]
	for _, next := range stack[1:] {
		whole = join("&", next, whole)
	}
	return whole.domain(), whole.depth, nil
}

// applyOperator replaces the operands on top of the stack by the term they make.
func applyOperator(stack []operand, op string, path []int) ([]operand, error) {
	operands := 2
	switch op {
	case "!":
		operands = 1
	case "&", "|":
	default:
		msg := strconv.Quote(op) + " is neither an operator (&, |, !) nor a leaf (field, operator, value)"
		if len(path) == 1 && path[0] < 3 {
			msg += "; a single leaf stands in a list of its own"
		}
		return nil, &DomainError{Path: path, Msg: msg}
	}
	rest := len(stack) - operands
	if rest < 0 {
		return nil, &DomainError{Path: path, Msg: fmt.Sprintf("%q wants %d terms after it, and has %d", op, operands, len(stack))}
	}
	if op == "!" {
		term := stack[rest]
		return append(stack[:rest], operand{terms: []Domain{Not{term.domain()}}, depth: term.depth + 1}), nil
	}
	return append(stack[:rest], join(op, stack[rest+1], stack[rest])), nil
}

// join makes one operand of two, flattening those of the same operator.
func join(op string, first, second operand) operand {
	joined := operand{op: op}
	for _, o := range []operand{second, first} {
		switch {
		case o.op == op && joined.terms == nil:
			joined.terms, joined.depth = o.terms, o.depth
		case o.op == op:
			joined.terms = append(joined.terms, o.terms...)
			joined.depth = max(joined.depth, o.depth)
		default:
			joined.terms = append(joined.terms, o.domain())
			joined.depth = max(joined.depth, o.depth+1)
		}
	}
	return joined
}

// leaf parses (path, operator, value).
func (p *domainParser) leaf(v any, path []int, depth int) (operand, error) {
	wrong := func(msg string, at ...int) (operand, error) {
		return operand{}, &DomainError{Path: append(slices.Clip(path), at...), Msg: msg}
	}
	parts, ok := sequence(v)
	switch {
	case !ok:
		return wrong("a term must be an operator or a leaf (field, operator, value), not " + describe(v))
	case len(parts) != 3:
		return wrong(fmt.Sprintf("a leaf has 3 parts (field, operator, value), this one has %d", len(parts)))
	}
	if p.terms++; p.terms > MaxDomainTerms {
		return wrong(fmt.Sprintf("a domain may have %d terms", MaxDomainTerms))
	}
	if constant, ok := constantLeaf(parts); ok {
		return operand{terms: []Domain{constant}}, nil
	}
	name, ok := parts[0].(string)
	switch {
	case !ok:
		return wrong("the field must be a text, not "+describe(parts[0]), 0)
	case name == "" || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, ".."):
		return wrong(fmt.Sprintf("%q is no path of field names", name), 0)
	}
	op, ok := parts[1].(string)
	if !ok {
		return wrong("the operator must be a text, not "+describe(parts[1]), 1)
	}
	if op = canonicalOperator(op); !knownOperator(op) {
		return wrong(fmt.Sprintf("unknown operator %q", parts[1]), 1)
	}
	condition := Condition{Path: name, Op: op, Value: parts[2]}
	if op == "any" || op == "not any" {
		sub, isDomain := parts[2].(Domain)
		below := 0
		if !isDomain {
			var err error
			if sub, below, err = p.list(parts[2], append(slices.Clip(path), 2), depth+1); err != nil {
				return operand{}, err
			}
		}
		condition.Value = sub
		return operand{terms: []Domain{condition}, depth: below + 1}, nil
	}
	if msg := checkValue(parts[2]); msg != "" {
		return wrong(msg, 2)
	}
	return operand{terms: []Domain{condition}}, nil
}

// constantLeaf recognises (1, '=', 1) and (0, '=', 1); to Python, True is 1 and False is 0.
func constantLeaf(parts []any) (Domain, bool) {
	left, ok := zeroOrOne(parts[0])
	right, ok2 := zeroOrOne(parts[2])
	if !ok || !ok2 || !right || parts[1] != "=" {
		return nil, false
	}
	if left {
		return True{}, true
	}
	return False{}, true
}

func zeroOrOne(v any) (one, ok bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case int64:
		return v == 1, v == 0 || v == 1
	}
	return false, false
}

// checkValue says what is wrong with a leaf's value, or nothing.
func checkValue(v any) string {
	items, ok := sequence(v)
	if !ok {
		if !scalar(v) {
			return "the value must be a text, number, boolean, None or a list of them, not " + describe(v)
		}
		return ""
	}
	for _, item := range items {
		if !scalar(item) {
			return "a list of values holds texts, numbers, booleans and None, not " + describe(item)
		}
	}
	return ""
}

func scalar(v any) bool {
	switch v.(type) {
	case nil, bool, int64, *big.Int, float64, string:
		return true
	}
	return false
}

// sequence returns the elements of a list or tuple.
func sequence(v any) ([]any, bool) {
	switch v := v.(type) {
	case []any:
		return v, true
	case Tuple:
		return v, true
	}
	return nil, false
}

// describe names a value in an error, in the words of the client's syntax.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool, int64, float64, *big.Int:
		return "the number or boolean " + FormatLiteral(v)
	case string:
		if len(v) > 40 {
			v = v[:40] + "…"
		}
		return "the text " + strconv.Quote(v)
	case []any:
		return "a list"
	case Tuple:
		return "a tuple"
	case map[string]any:
		return "an object"
	}
	return fmt.Sprintf("a %T", v)
}
