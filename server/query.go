package server

import (
	"math/big"
	"strconv"
	"strings"

	"lateral/reader"
)

// pageQuery makes a query out of the parameters of read all.
func (x *exchange) pageQuery(p params) (reader.Query, error) {
	q, err := x.commonQuery(p)
	if err != nil {
		return q, err
	}
	q.Filters, _ = p.parsed("filters")
	order, _, err := p.word("order")
	if err != nil {
		return q, badRead("order", err.Error())
	}
	q.Order = order
	if q.Offset, err = wholeNumber(p, "offset"); err != nil {
		return q, err
	}
	if q.Limit, err = wholeNumber(p, "limit"); err != nil {
		return q, err
	}
	if most := x.s.config.MaxPage; most > 0 && (q.Limit == 0 || q.Limit > most) {
		// Answering a part in silence would look like all there is.
		return q, badRead("limit", "this server answers at most "+strconv.FormatInt(most, 10)+" records at once")
	}
	if x.profile.total {
		if q.Count, err = countMode(p); err != nil {
			return q, err
		}
	}
	return q, nil
}

// recordQuery makes a query out of the parameters of read one and the last segment of its path.
func (x *exchange) recordQuery(p params, segment string) (reader.Query, error) {
	q, err := x.commonQuery(p)
	if err != nil {
		return q, err
	}
	q.One = true
	field, given, err := p.word("search_field")
	if err != nil {
		return q, badRead("search_field", err.Error())
	}
	if given {
		q.SearchField = field
		q.SearchValue, err = unescape(segment, false)
		if err != nil {
			return q, badID(segment)
		}
		return q, nil
	}
	q.ID, err = recordID(segment)
	return q, err
}

func (x *exchange) commonQuery(p params) (reader.Query, error) {
	q := reader.Query{Model: x.model, Alias: x.alias, Profile: x.profile.values}
	q.Include, _ = p.parsed("include_fields")
	q.Exclude, _ = p.parsed("exclude_fields")
	if value, given := p.parsed("__context__"); given {
		context, ok := value.(map[string]any)
		if !ok {
			return q, badRead("__context__", "it must be an object")
		}
		q.Context = context
	}
	return q, nil
}

// recordID reads the path's id: digits that make a positive number, nothing else.
func recordID(segment string) (int64, error) {
	text, err := unescape(segment, false)
	if err != nil || strings.Trim(text, "0123456789") != "" {
		return 0, badID(segment)
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return 0, badID(segment)
	}
	return id, nil
}

// wholeNumber reads an offset or a limit; what says nothing is 0.
func wholeNumber(p params, name string) (int64, error) {
	value, _ := p.parsed(name)
	switch n := value.(type) {
	case nil:
		return 0, nil
	case int64:
		if n < 0 {
			return 0, badRead(name, "it must not be negative")
		}
		return n, nil
	case *big.Int:
		return 0, badRead(name, "the number is too large")
	}
	return 0, badRead(name, "it must be an integer")
}

// countMode reads the parameter count. An exact total is never worse than a planned one, so that
// both words ask for it.
func countMode(p params) (bool, error) {
	switch value, given := p.parsed("count"); {
	case !given:
		return false, nil
	case value == true:
		return true, nil
	default:
		switch word, _ := value.(string); strings.ToLower(word) {
		case "true", "exact", "planned":
			return true, nil
		case "false", "none":
			return false, nil
		}
		return false, badRead("count", "it must be true, false or planned")
	}
}
