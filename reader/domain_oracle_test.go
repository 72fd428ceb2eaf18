package reader

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"lateral/schema"
)

// domainOracle says which records a domain selects, by the rules of Odoo's documentation and
// sources rather than by any SQL: 14.0's comparisons take what is stored as it is, 19.0's know an
// empty value per type and negate exactly. It knows the scalar operators and the paths over
// relations; name searches and hierarchies it does not.
type domainOracle struct {
	catalogue *schema.Catalogue
	tables    sqlTables
	zone      *time.Location
	archived  bool // 14.0: behind a many2one no path hides archived records any more
}

func (o domainOracle) modern() bool { return o.catalogue.Features.ModernDomains }

// selects reports whether a record of the model is in the domain, or, where negated, in what a '!'
// before the domain makes of it.
func (o domainOracle) selects(m *schema.Model, row sqlRow, d schema.Domain, negated bool) bool {
	switch d := d.(type) {
	case schema.True:
		return !negated
	case schema.False:
		return negated
	case schema.Not:
		return o.selects(m, row, d.Term, !negated)
	case schema.And:
		if negated {
			return o.some(m, row, d, true)
		}
		return !slices.ContainsFunc(d, func(term schema.Domain) bool { return !o.selects(m, row, term, false) })
	case schema.Or:
		if negated {
			return !slices.ContainsFunc(d, func(term schema.Domain) bool { return !o.selects(m, row, term, true) })
		}
		return o.some(m, row, d, false)
	}
	leaf := d.(schema.Condition)
	if o.modern() {
		if f := m.Field(leaf.Path); negated && f != nil && len(f.Related) > 0 && strings.ContainsAny(leaf.Op, "<>") {
			// The operator is turned before the path is known, which a missing record satisfies neither way.
			leaf.Op, negated = oracleInverses[leaf.Op], false
		}
		return o.modernLeaf(m, row, leaf) != negated
	}
	return o.classicLeaf(m, row, leaf, negated)
}

func (o domainOracle) some(m *schema.Model, row sqlRow, terms []schema.Domain, negated bool) bool {
	return slices.ContainsFunc(terms, func(term schema.Domain) bool { return o.selects(m, row, term, negated) })
}

// targets returns the records behind a relational field.
func (o domainOracle) targets(f *schema.Field, row sqlRow, hideArchived bool) (found []sqlRow) {
	comodel := o.catalogue.Model(f.Comodel)
	for _, target := range o.tables[comodel.Table] {
		linked := false
		switch f.Type {
		case schema.Many2one:
			linked = row[f.Column] == target["id"]
		case schema.One2many:
			linked = target[comodel.Field(f.Inverse).Column] == row["id"]
		case schema.Many2many:
			linked = slices.ContainsFunc(o.tables[f.RelTable], func(link sqlRow) bool {
				return link[f.RelColumn1] == row["id"] && link[f.RelColumn2] == target["id"]
			})
		}
		if linked && !(hideArchived && comodel.ActiveName != "" && target["active"] != true) {
			found = append(found, target)
		}
	}
	return found
}

// behind reports whether a record behind f satisfies a domain. Records behind an x2many hide where
// they are archived, unless the domain speaks of that.
func (o domainOracle) behind(f *schema.Field, row sqlRow, d schema.Domain, negated bool) bool {
	leaf, isLeaf := d.(schema.Condition)
	if isLeaf && leaf.Op == "in" && pythonFalse(leaf.Value) && !o.modern() {
		// 14.0 gives up such a search before it looks at the field.
		return false
	}
	comodel := o.catalogue.Model(f.Comodel)
	hide := f.Type != schema.Many2one && !o.archived && !(isLeaf && leaf.Path == "active")
	o.archived = o.archived || !o.modern() && f.Type == schema.Many2one
	return slices.ContainsFunc(o.targets(f, row, hide), func(target sqlRow) bool {
		return o.selects(comodel, target, d, negated)
	})
}

var oracleInverses = map[string]string{
	"=": "!=", "!=": "=", "in": "not in", "not in": "in", "<": ">=", ">=": "<", ">": "<=", "<=": ">",
	"like": "not like", "not like": "like", "ilike": "not ilike", "not ilike": "ilike",
}

// classicLeaf is a condition in 14.0. A '!' turns the operator into its opposite, at the end of a
// path; of the operators without one, SQL's NOT leaves out what is neither true nor false.
func (o domainOracle) classicLeaf(m *schema.Model, row sqlRow, leaf schema.Condition, negated bool) bool {
	first, rest, dotted := strings.Cut(leaf.Path, ".")
	f := m.Field(first)
	if f.Inherited || !f.Stored && len(f.Related) > 0 {
		return o.classicThrough(m, f, row, leaf, negated)
	}
	if inverse, ok := oracleInverses[leaf.Op]; negated && ok {
		leaf.Op, negated = inverse, false
	}
	if dotted {
		sub := schema.Condition{Path: rest, Op: leaf.Op, Value: leaf.Value}
		found := o.behind(f, row, sub, false)
		if !negated {
			return found
		}
		if f.Type == schema.Many2one && row[f.Column] == nil {
			// No record is not in a list of records, but neither is it outside of one, unless that is empty.
			comodel := o.catalogue.Model(f.Comodel)
			o.archived = true
			return !slices.ContainsFunc(o.tables[comodel.Table], func(target sqlRow) bool { return o.selects(comodel, target, sub, false) })
		}
		return !found
	}
	if f.Type.X2many() {
		return o.classicLinks(f, row, leaf)
	}
	holds, known := o.classicScalar(f, row[f.Column], leaf.Op, leaf.Value)
	return known && holds != negated
}

// classicThrough follows a field that is kept in another record: by a JOIN for a delegated one,
// which sees the NULLs of a missing parent, and like a path for a related one.
func (o domainOracle) classicThrough(m *schema.Model, f *schema.Field, row sqlRow, leaf schema.Condition, negated bool) bool {
	if !f.Inherited {
		leaf.Path = strings.Join(f.Related, ".")
		return o.classicLeaf(m, row, leaf, negated)
	}
	link := m.Field(f.Related[0])
	parents := o.targets(link, row, false)
	if len(parents) == 0 {
		parents = []sqlRow{{}}
	}
	return o.classicLeaf(o.catalogue.Model(link.Comodel), parents[0], leaf, negated)
}

// classicLinks compares the records behind an x2many with ids, or with none.
func (o domainOracle) classicLinks(f *schema.Field, row sqlRow, leaf schema.Condition) bool {
	values, isIDs := leaf.Value.([]any)
	positive := leaf.Op == "=" || leaf.Op == "in"
	linked := o.targets(f, row, false)
	if !isIDs && leaf.Value == false {
		return (len(linked) == 0) == positive
	}
	if !isIDs {
		values = []any{leaf.Value}
	}
	if len(values) == 0 {
		return !positive
	}
	isMeant := func(target sqlRow) bool { return slices.Contains(values, any(int64(target["id"].(float64)))) }
	if positive {
		return slices.ContainsFunc(linked, isMeant)
	}
	// SQL's NOT IN matches nothing where one of the lines meant belongs to nobody.
	if f.Type == schema.One2many {
		comodel := o.catalogue.Model(f.Comodel)
		for _, line := range o.tables[comodel.Table] {
			if isMeant(line) && line[comodel.Field(f.Inverse).Column] == nil {
				return false
			}
		}
	}
	return !slices.ContainsFunc(linked, isMeant)
}

// noValue reports whether a constant is Python's False or None.
func noValue(v any) bool { return v == nil || v == false }

// pythonFalse reports whether a constant is false in Python.
func pythonFalse(v any) bool {
	list, isList := v.([]any)
	return noValue(v) || v == int64(0) || v == 0.0 || v == "" || isList && len(list) == 0
}

// classicScalar compares a stored value as 14.0 does. What is not known is SQL's NULL.
func (o domainOracle) classicScalar(f *schema.Field, stored any, op string, v any) (holds, known bool) {
	list, isList := v.([]any)
	if flag, isFlag := v.(bool); isFlag && (op == "in" || op == "not in") || isList && (op == "=" || op == "!=") {
		op, v = map[string]string{"in": "=", "not in": "!=", "=": "in", "!=": "not in"}[op], any(v)
		if isFlag {
			v = flag
		}
	}
	switch {
	case op == "=?" && noValue(v):
		return true, true
	case op == "=?":
		op = "="
		if stored == nil && v != false {
			return false, false
		}
	}
	missing := stored == nil
	among := slices.ContainsFunc(list, func(item any) bool { return !missing && !noValue(item) && o.compare(f, stored, item) == 0 })
	empty := slices.ContainsFunc(list, func(item any) bool { return noValue(item) || item == int64(0) || item == 0.0 })
	switch {
	case f.Type == schema.Boolean && isList:
		// False stands for both false and NULL.
		hit := slices.Contains(list, any(true)) && stored == true || slices.Contains(list, any(false)) && stored != true
		return hit == (op == "in"), true
	case f.Type == schema.Boolean && op == "=":
		return v == true && stored == true || v == false && stored != true || v == nil && missing, true
	case f.Type == schema.Boolean:
		return v == true && stored != true || v == false && stored == true || v == nil && !missing, true
	case op == "in":
		// Zero equals False to Python, so that it stands for NULL alone.
		return among && !(stored == 0.0 && empty) || missing && empty, true
	case op == "not in":
		if empty {
			return !missing && (!among || stored == 0.0), true
		}
		return !among, true
	case op == "=" && noValue(v):
		return missing, true
	case op == "!=" && noValue(v):
		return !missing, true
	case op == "!=":
		return missing && !pythonFalse(v) || !missing && o.compare(f, stored, v) != 0, true
	case strings.HasSuffix(op, "like"):
		negative, exact := strings.HasPrefix(op, "not"), strings.HasPrefix(op, "=")
		switch {
		case v == "" && !exact:
			return !negative || missing, true
		case missing:
			return negative, !exact
		}
		return matches(stored, op, v.(string)) != negative, true
	case missing, noValue(v) && (!f.Type.Numeric() || f.Name == "id"):
		// Nothing is before or after NULL.
		return false, true
	case noValue(v):
		return ordered(op, o.compare(f, stored, int64(0))), true
	}
	order := o.compare(f, stored, v)
	if day, isText := v.(string); isText && f.Type == schema.Datetime && len(day) == len(time.DateOnly) && (op == ">" || op == "<=") {
		order = o.compare(f, stored, day+" 23:59:59")
	}
	return ordered(op, order), true
}

func ordered(op string, order int) bool {
	switch op {
	case "=":
		return order == 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	}
	panic("unknown operator " + op)
}

// compare orders a stored value and a constant of the same kind.
func (o domainOracle) compare(f *schema.Field, stored, constant any) int {
	switch stored := stored.(type) {
	case float64:
		switch constant := constant.(type) {
		case int64:
			return sign(stored - float64(constant))
		case float64:
			return sign(stored - constant)
		}
	case bool:
		if stored == constant {
			return 0
		}
		return 1
	case string:
		return strings.Compare(stored, constant.(string))
	case sqlDate:
		return strings.Compare(string(stored), constant.(string))
	case sqlTime:
		return time.Time(stored).Compare(moment(constant.(string), time.UTC))
	}
	panic(fmt.Sprintf("%s: %#v against %#v", f.Name, stored, constant))
}

func sign(f float64) int {
	switch {
	case f < 0:
		return -1
	case f > 0:
		return 1
	}
	return 0
}

// moment reads a constant of a datetime; days begin at midnight in the zone.
func moment(text string, zone *time.Location) time.Time {
	if day, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		return day.UTC()
	}
	at, err := time.Parse(time.DateTime, text)
	if err != nil {
		panic(err)
	}
	return at
}

// matches compares a value's text with a pattern by the operator, negative or not.
func matches(stored any, op, pattern string) bool {
	text := fmt.Sprint(stored)
	if strings.Contains(op, "ilike") {
		text, pattern = strings.ToLower(text), strings.ToLower(pattern)
	}
	if !strings.Contains(op, "=") {
		pattern = "%" + pattern + "%"
	}
	return sqlLike([]rune(text), []rune(pattern))
}

// modernLeaf is a condition in 19.0. Negative operators are the complement of their opposites.
func (o domainOracle) modernLeaf(m *schema.Model, row sqlRow, leaf schema.Condition) bool {
	if positive, ok := strings.CutPrefix(leaf.Op, "not "); ok {
		if !strings.Contains(leaf.Path, ".") {
			leaf.Op = positive
			return !o.modernLeaf(m, row, leaf)
		}
	} else if leaf.Op == "!=" && !strings.Contains(leaf.Path, ".") {
		leaf.Op = "="
		return !o.modernLeaf(m, row, leaf)
	}
	first, rest, dotted := strings.Cut(leaf.Path, ".")
	f := m.Field(first)
	sub, isDomain := leaf.Value.(schema.Domain)
	switch {
	case f.Inherited, !f.Stored && len(f.Related) > 0:
		parents := o.targets(m.Field(f.Related[0]), row, false)
		if len(parents) == 0 {
			// What is not there is as empty as a field without a value, but in no order.
			return !strings.ContainsAny(leaf.Op, "<>") && o.modernScalar(f, nil, leaf.Op, leaf.Value) || strings.ContainsAny(leaf.Op, "<>") && pythonFalse(leaf.Value)
		}
		return o.modernLeaf(o.catalogue.Model(m.Field(f.Related[0]).Comodel), parents[0], leaf)
	case dotted:
		return o.behind(f, row, schema.Condition{Path: rest, Op: leaf.Op, Value: leaf.Value}, false)
	case isDomain:
		return o.behind(f, row, sub, false)
	case f.Type.X2many():
		return o.modernLinks(f, row, leaf)
	}
	return o.modernScalar(f, row[f.Column], leaf.Op, leaf.Value)
}

// modernLinks is "=" or "in" of an x2many: a linked record is meant, or none is there and False is.
func (o domainOracle) modernLinks(f *schema.Field, row sqlRow, leaf schema.Condition) bool {
	values, isIDs := leaf.Value.([]any)
	if leaf.Op == "in" && pythonFalse(leaf.Value) {
		return false
	}
	if !isIDs {
		values = []any{leaf.Value}
	}
	linked := o.targets(f, row, false)
	return slices.ContainsFunc(values, func(v any) bool {
		if noValue(v) {
			return len(linked) == 0
		}
		return slices.ContainsFunc(linked, func(target sqlRow) bool { return any(int64(target["id"].(float64))) == v })
	})
}

// emptyValue is what a type takes for no value; nil where that is NULL alone.
func emptyValue(t schema.FieldType) any {
	switch t {
	case schema.Integer, schema.Float, schema.Monetary:
		return 0.0
	case schema.Char, schema.Text:
		return ""
	}
	return nil
}

// modernScalar is a positive comparison of 19.0.
func (o domainOracle) modernScalar(f *schema.Field, stored any, op string, v any) bool {
	list, isList := v.([]any)
	missing := stored == nil // which no pattern matches
	if missing {
		stored = emptyValue(f.Type)
	}
	equals := func(v any) bool {
		switch {
		case f.Type == schema.Boolean:
			return (stored == true) != pythonFalse(v)
		case noValue(v):
			return stored == emptyValue(f.Type)
		case stored == nil, f.Type == schema.Monetary && missing && v == int64(0):
			// An amount of no value is 0.0, and as texts that is not 0.
			return false
		case f.Type == schema.Datetime:
			return time.Time(stored.(sqlTime)).Truncate(time.Second).Equal(moment(v.(string), o.zone))
		}
		return o.compare(f, stored, v) == 0
	}
	switch op {
	case "=?":
		return pythonFalse(v) || o.modernScalar(f, stored, "=", v)
	case "in":
		if pythonFalse(v) {
			return false
		}
		fallthrough
	case "=":
		if !isList || len(list) == 0 {
			list = []any{v}
			if isList {
				list = []any{false}
			}
		}
		zeroes := 0
		return slices.ContainsFunc(list, func(v any) bool {
			if v == false || v == int64(0) || v == 0.0 {
				if zeroes++; zeroes > 1 {
					return false // a set has the first of them
				}
			}
			return equals(v)
		})
	case "like", "ilike":
		return pythonFalse(v) || !missing && matches(stored, op, v.(string))
	case "=like", "=ilike":
		if pythonFalse(v) {
			return equals(false)
		}
		return !missing && matches(stored, op, v.(string))
	}
	if noValue(v) {
		v = emptyValue(f.Type)
		if number, ok := v.(float64); ok {
			v = int64(number)
		}
	}
	if stored == nil || v == nil {
		return false
	}
	if f.Type == schema.Datetime {
		at, text := time.Time(stored.(sqlTime)), v.(string)
		limit := moment(text, o.zone)
		// What is after a second or a day is after all of it.
		end := limit.Add(time.Second)
		if len(text) == len(time.DateOnly) {
			end = limit.AddDate(0, 0, 1)
		}
		switch op {
		case "<":
			return at.Before(limit)
		case "<=":
			return at.Before(end)
		case ">":
			return !at.Before(end)
		}
		return !at.Before(limit)
	}
	return ordered(op, o.compare(f, stored, v))
}
