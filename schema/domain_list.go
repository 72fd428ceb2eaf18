package schema

// DomainList returns a domain in Odoo's list form, fit for RPC: lists only, no tuples. It is the
// inverse of ParseDomain up to flattening.
func DomainList(d Domain) []any {
	list := []any{}
	switch d := d.(type) {
	case nil, True:
		return list
	case And:
		// The & between the terms of a list is implied.
		for _, term := range d {
			list = appendTerm(list, term)
		}
		return list
	}
	return appendTerm(list, d)
}

// appendTerm appends exactly one complete term.
func appendTerm(list []any, d Domain) []any {
	switch d := d.(type) {
	case nil, True:
		return append(list, []any{int64(1), "=", int64(1)})
	case False:
		return append(list, []any{int64(0), "=", int64(1)})
	case And:
		return appendTerms(list, "&", d, True{})
	case Or:
		return appendTerms(list, "|", d, False{})
	case Not:
		return appendTerm(append(list, "!"), d.Term)
	case Condition:
		return append(list, []any{d.Path, d.Op, plainValue(d.Value)})
	}
	return list
}

// appendTerms appends terms in prefix notation; without any they mean empty.
func appendTerms(list []any, op string, terms []Domain, empty Domain) []any {
	if len(terms) == 0 {
		return appendTerm(list, empty)
	}
	for range len(terms) - 1 {
		list = append(list, op)
	}
	for _, term := range terms {
		list = appendTerm(list, term)
	}
	return list
}

// plainValue turns tuples and sub-domains of a value into lists.
func plainValue(v any) any {
	switch v := v.(type) {
	case Tuple:
		return append([]any{}, v...)
	case Domain:
		return DomainList(v)
	}
	return v
}

// Normalize returns an equivalent domain in which no And holds an And or a True, no Or an Or or a
// False, none of them fewer than two terms, constants are folded, and so are sub-domains. It is
// idempotent. What is folded away is gone: check the fields of a client's domain before.
func Normalize(d Domain) Domain {
	switch d := d.(type) {
	case nil:
		return True{}
	case And:
		return normalizeTerms(d, True{}, False{}, func(terms []Domain) Domain { return And(terms) })
	case Or:
		return normalizeTerms(d, False{}, True{}, func(terms []Domain) Domain { return Or(terms) })
	case Not:
		switch term := Normalize(d.Term).(type) {
		case True:
			return False{}
		case False:
			return True{}
		default:
			return Not{term}
		}
	case Condition:
		if sub, ok := d.Value.(Domain); ok {
			d.Value = Normalize(sub)
		}
		return d
	}
	return d
}

// normalizeTerms folds the terms of an And or Or: neutral terms go, an absorbing one decides.
func normalizeTerms(terms []Domain, neutral, absorbing Domain, wrap func([]Domain) Domain) Domain {
	flat := make([]Domain, 0, len(terms))
	for _, term := range terms {
		switch term := Normalize(term).(type) {
		case True, False:
			if term == absorbing {
				return absorbing
			}
		case And:
			if neutral == (True{}) {
				flat = append(flat, term...)
			} else {
				flat = append(flat, term)
			}
		case Or:
			if neutral == (False{}) {
				flat = append(flat, term...)
			} else {
				flat = append(flat, term)
			}
		default:
			flat = append(flat, term)
		}
	}
	switch len(flat) {
	case 0:
		return neutral
	case 1:
		return flat[0]
	}
	return wrap(flat)
}
