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
		if q.Count, q.Estimate, err = countMode(p); err != nil {
			return q, err
		}
	}
	return q, pageByKey(p, &q)
}

// pageByKey reads the parameter after: the cursor of the page before, or an empty text for the first page. Without
// it pages are not by key; null and its like say nothing.
func pageByKey(p params, q *reader.Query) error {
	after, given, err := p.word("after")
	if err != nil {
		return badRead("after", err.Error())
	}
	q.Keyset, q.After = given || p.empty("after"), after
	switch format, _, _ := p.word("format"); { // pageFormat tells what is wrong with it
	case !q.Keyset:
	case q.Offset != 0:
		return badRead("after", "it takes the place of offset and cannot go with it")
	case format != "" && format != "json":
		return badRead("after", "lines have no place for the cursor of the page that follows: ask for format=json")
	}
	return nil
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

// countMode reads the parameter count: whether the number of all records is asked for, and whether an
// estimate will do.
func countMode(p params) (count, estimate bool, err error) {
	switch value, given := p.parsed("count"); {
	case !given:
		return false, false, nil
	case value == true:
		return true, false, nil
	default:
		switch word, _ := value.(string); strings.ToLower(word) {
		case "true", "exact":
			return true, false, nil
		case "planned":
			return true, true, nil
		case "false", "none":
			return false, false, nil
		}
		return false, false, badRead("count", "it must be true, false or planned")
	}
}
