package reader

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	sq "github.com/Masterminds/squirrel"

	"lateral/auth"
	"lateral/pg"
	"lateral/schema"
)

// statement is a plan as SQL: one row per root record, the record's finished JSON document first, or the columns
// of a layer, and, where flagged, an int of flags behind them.
type statement struct {
	sql  string
	args []any
	// witnessed is sql with one column more, the last, that tells the snapshot; empty where the snapshot tells nothing of
	// Odoo's signals.
	witnessed string
	// layer is what Go makes documents of; nil: they are finished. parted tells that it has parts.
	layer  *layer
	parted bool
	// size is about how many bytes a root record takes with all that is nested in it, as the last reading
	// of layers found; 0: not known.
	size atomic.Int64
	// limit is the most rows that there can be; 0: not known.
	limit   int64
	shelves sync.Pool // of *shelf
	// parameters and countParameters are args and countArgs, encoded once for all runs.
	parameters, countParameters [][]byte
	byID                        bool // the first argument is the root record's id, to be set for each read
	flagged                     bool
	// count is the statement that counts all matching records, and its arguments; empty unless
	// asked for.
	count     string
	countArgs []any
	estimated bool // count explains itself instead
	spliced   []spliceSource
	// page is the length of a page by key; 0: it has no end, or is not by key. Rows then carry keys
	// behind all else, the texts of what they are ordered by, and one more comes than the page has.
	page    int64
	keys    int
	binding binding
}

// columns is how many columns are what a record's document is made of.
func (s *statement) columns() int {
	if s.layer == nil {
		return 1
	}
	return len(s.layer.columns)
}

// marksFiles reports whether documents may hold marks of files.
func (s *statement) marksFiles() bool {
	marks := strings.Contains(s.sql, spliceMark+"f")
	if s.layer != nil {
		_ = s.layer.every(func(p *part) error {
			marks = marks || strings.Contains(p.sql, spliceMark+"f")
			return nil
		})
	}
	return marks
}

// arguments are the statement's arguments for a query of its shape.
func (s *statement) arguments(q Query) []any {
	switch {
	case s.byID:
		return append([]any{q.ID}, s.args[1:]...)
	case q.from == nil:
		return s.args
	}
	args := slices.Clone(s.args)
	for i, arg := range args {
		if n, ok := arg.(cursorValue); ok {
			args[i] = *q.from.values[n]
		}
	}
	return args
}

// of is the statement to send for a query of its shape.
func (s *statement) of(q Query) pg.Statement {
	sent := s.with(q)
	sent.Generic = s.parted && len(sent.Parameters)+len(sent.Args) > customPlan
	if n := portion(s.size.Load()); s.parted && (s.limit == 0 || s.limit > int64(n)) {
		sent.Portion = n
	}
	return sent
}

// witness is the statement for a query of its shape, with the snapshot that it saw as its last column.
func (s *statement) witness(q Query) pg.Statement {
	sent := s.with(q)
	sent.SQL = s.witnessed
	return sent
}

// customPlan is up to how many parameters it is left to PostgreSQL whether to plan a page anew for each set of them: a
// rare value may deserve another plan. Beyond, planning takes longer than the worse plan, and PostgreSQL does not know: it grows
// with the square of the conditions, to 3 ms for 13 parameters, 46 ms for 43 and 280 ms for 103.
const customPlan = 8

// with is the statement with the query's own parameters.
func (s *statement) with(q Query) pg.Statement {
	parameters := s.parameters
	switch {
	case s.byID:
		parameters = append([][]byte{pg.IntParameter(q.ID)}, parameters[1:]...)
	case q.from != nil:
		return pg.Statement{SQL: s.sql, Args: s.arguments(q)}
	}
	return pg.Statement{SQL: s.sql, Parameters: parameters}
}

// encode encodes the arguments, but for those that each query has of its own.
func (s *statement) encode() (err error) {
	shared := slices.Clone(s.args)
	for i, arg := range shared {
		if _, own := arg.(cursorValue); own {
			shared[i] = nil
		}
	}
	if s.parameters, err = pg.Parameters(shared); err != nil {
		return err
	}
	if s.layer != nil {
		if err := s.layer.every(func(p *part) (err error) {
			p.parameters, err = pg.Parameters(p.args)
			return err
		}); err != nil {
			return err
		}
	}
	s.countParameters, err = pg.Parameters(s.countArgs)
	return err
}

// wholePage is the longest page that is cheap to sort with its documents finished.
const wholePage = 1000

// neededColumns stands for the columns of a page until they are known.
const neededColumns = "\x00columns"

// columnsOf returns the columns of a table that a text names, each once. Not all of a table may be
// asked for: the role has no right to read columns that hold secrets.
func columnsOf(alias, text string) []string {
	columns := []string{"id"}
	for _, found := range columnName.FindAllStringSubmatch(text, -1) {
		if column := found[2]; found[1] == alias && column != `"id"` && !slices.Contains(columns, column) {
			columns = append(columns, column)
		}
	}
	return columns
}

// columnName is a column with its table's alias, as this package writes both.
var columnName = regexp.MustCompile(`\b(a[0-9]+)\.("(?:[^"]|"")+"|[a-z_]+)`)

// pageOrder is the order of a page. Where its domain is FALSE whatever the records, Odoo 19.0 answers that there are none before it
// looks whether the user may order by a field (odoo/orm/models.py, _search).
func (t table) pageOrder(p *Plan) (ordering, error) {
	mode := t.scope.c.userMode()
	order, err := t.order(p.Order, nil, mode)
	if refused := (*Error)(nil); errors.As(err, &refused) && refused.Kind == Denied && t.scope.c.catalogue.Features.ModernDomains {
		if result, unsure := t.constant(p.Domain); unsure == nil && result == never {
			return t.order("id", nil, mode)
		}
	}
	return order, err
}

// compile writes a plan as SQL. It fails with a delegation where the root's domain, order or rules
// are Odoo's business, and marks nodes that must be fetched from Odoo as computed.
func (c *compiler) compile(p *Plan, q Query) (*statement, error) {
	if q.One && q.SearchField == "" {
		if q.many {
			return c.compileMany(p)
		}
		return c.compileOne(p)
	}
	page := table{scope: c.newScope(), model: p.Root.Model, alias: c.alias()}
	unrestricted := c.watchRules()
	where, err := page.rootConditions(p.Domain)
	if err != nil {
		return nil, err
	}
	conditions, err := c.text(sq.And(where))
	if err != nil {
		return nil, err
	}
	open := unrestricted()
	result := &statement{}
	if q.Count {
		result.estimated = q.Estimate && (open || len(listOf(q.Filters)) == 0)
		if result.estimated {
			result.count, result.countArgs = c.complete(page.selectWhere("SELECT", conditions))
			result.count = "EXPLAIN (FORMAT JSON) " + result.count
		} else {
			result.count, result.countArgs = c.complete(page.selectWhere("SELECT count(*)", conditions))
		}
	}
	order, err := page.pageOrder(p)
	if err != nil {
		return nil, err
	}
	limit, searches := p.Limit, []string{conditions}
	if q.Keyset {
		if searches, err = c.keyset(result, p, q, order, conditions); err != nil {
			return nil, err
		}
		if limit > 0 {
			limit++ // whether there are more is known by one more
		}
	}
	head := ""
	outer := make([]string, len(order.terms))
	rows := table{scope: c.newScope(), model: p.Root.Model, alias: c.alias()}
	for i, term := range order.terms {
		name := ident("__order_" + strconv.Itoa(i))
		head += ", " + term.expression + " AS " + name
		outer[i] = rows.alias + "." + name + term.suffix()
	}
	// Which columns the documents need is known when they are written.
	// The page is found before its documents are written. LIMIT and OFFSET are part of the text:
	// PostgreSQL plans an unknown limit for a tenth of the table. OFFSET 0 keeps it from writing
	// documents before it sorts.
	result.limit = limit
	rest := ""
	if limit > 0 {
		rest = "\nLIMIT " + strconv.FormatInt(limit, 10)
	}
	rest += "\nOFFSET " + strconv.FormatInt(p.Offset, 10)
	for i, conditions := range searches {
		searches[i] = page.selectWhere("SELECT "+neededColumns+head, conditions) + "\nORDER BY " + order.sql() + rest
	}
	inner := searches[0]
	if len(searches) > 1 {
		inner = "SELECT " + rows.alias + ".*\nFROM ((" + strings.Join(searches, ")\nUNION ALL\n(") + ")) " + rows.alias + "\nORDER BY " + strings.Join(outer, ", ") + rest
	}

	selected, flags, err := rows.selected(result, p.Root)
	if err != nil {
		return nil, err
	}
	needed := columnsOf(rows.alias, strings.Join(selected, " ")+flags+rows.scope.joins.String())
	for i, column := range needed {
		needed[i] = page.alias + "." + column
	}
	inner = strings.ReplaceAll(inner, neededColumns, strings.Join(needed, ", "))
	keys := make([]string, result.keys)
	for i := range keys {
		keys[i] = rows.alias + "." + ident("__order_"+strconv.Itoa(i)) + "::text"
	}
	c.finish(result, selected, flags, keys, "("+inner+")", rows)
	result.sql += "\nORDER BY " + strings.Join(outer, ", ")
	if p.Limit == 0 || p.Limit > wholePage {
		// No limit, but one that PostgreSQL cannot know: it plans for the first rows to come early and
		// joins in the page's order, rather than to sort finished documents, whose size it underrates.
		result.sql += "\nLIMIT (SELECT NULL::int8)"
	}
	c.end(result)
	return result, nil
}

// watchRules watches the models whose access is asked for from now on. What it returns ends that and reports
// whether all of their records are open to the user: an estimate of how many satisfy a client's
// filters is made of statistics of all records, hidden ones too.
func (c *compiler) watchRules() func() bool {
	asked, all := c.access, true
	c.access = func(model string) (*auth.ModelAccess, error) {
		access, err := asked(model)
		if err == nil {
			_, open := access.Rule.(schema.True)
			all = all && open && access.Readable
		}
		return access, err
	}
	return func() bool {
		c.access = asked
		return all
	}
}

// keyset makes a statement one of pages by key: it returns the conditions with that on where the
// page begins, of several searches whose first records together are the page's.
func (c *compiler) keyset(result *statement, p *Plan, q Query, order ordering, conditions string) ([]string, error) {
	for _, term := range order.terms {
		if !keyTypes[term.typ] {
			return nil, delegate("pages by key in an order by %s, which is %s", term.label, term.typ)
		}
	}
	if result.binding = bind(p, order); p.Limit > 0 {
		result.page, result.keys = p.Limit, len(order.terms)
	}
	searches, err := c.behind(order, q.from)
	if conditions != "" {
		for i, behind := range searches {
			searches[i] = conditions + " AND " + behind
		}
	}
	if len(searches) == 0 {
		searches = []string{conditions}
	}
	return searches, err
}

// compileOne writes the read of one record by its id, which needs no page.
func (c *compiler) compileOne(p *Plan) (*statement, error) {
	id := c.arg(int64(0))
	record := table{scope: c.newScope(), model: p.Root.Model, alias: c.alias()}
	where, err := record.rootConditions(behindID(p.Domain))
	if err != nil {
		return nil, err
	}
	document, err := record.document(p.Root)
	if err != nil {
		return nil, err
	}
	conditions, err := c.text(sq.And(where))
	if err != nil {
		return nil, err
	}
	result := &statement{byID: true}
	c.finish(result, []string{document.text}, document.flags, nil, ident(record.model.Table), record)
	result.sql += "\nWHERE " + record.alias + ".id = " + id + "::int8"
	if conditions != "" {
		result.sql += " AND " + conditions
	}
	// The id is in front and in use, so it stays the first parameter.
	c.end(result)
	return result, nil
}

// behindID is what the domain of a read one has besides the id, which is its first term, see byID.
func behindID(d schema.Domain) schema.Domain {
	if terms, ok := d.(schema.And); ok {
		return terms[1:]
	}
	return schema.True{}
}

// selected writes what a page's statement selects of its records, finished documents or the columns of a
// layer, and their flags, "" for none.
func (t table) selected(result *statement, root *Level) ([]string, string, error) {
	if !t.scope.c.layered {
		document, err := t.document(root)
		return []string{document.text}, document.flags, err
	}
	l, selected, flags, err := t.layer(root)
	result.layer, result.parted = &l, len(l.parts()) > 0
	return selected, flags, err
}

// finish writes the SELECT and FROM clauses.
func (c *compiler) finish(result *statement, selected []string, flags string, keys []string, from string, rows table) {
	result.sql = "SELECT " + strings.Join(selected, ", ")
	if flags != "" {
		result.sql += ",\n" + flags
		result.flagged = true
	}
	for _, key := range keys {
		result.sql += ",\n" + key
	}
	result.sql += snapshotMark + "\nFROM " + from + " " + rows.alias + rows.scope.joins.String()
	result.spliced = c.spliced
}

// snapshotMark is where a statement's last column may tell the snapshot that it saw.
const snapshotMark = "\x00snapshot"

// end ends the writing of a statement.
func (c *compiler) end(result *statement) {
	sql, args := c.complete(result.sql)
	result.sql, result.args = strings.Replace(sql, snapshotMark, "", 1), args
	if c.catalogue.Features.SignalTables {
		result.witnessed = strings.Replace(sql, snapshotMark, ",\n"+snapshotText, 1)
	}
}

// rootConditions are the conditions on the root records: the domain, the active filter and the
// user's access.
func (t table) rootConditions(d schema.Domain) ([]sq.Sqlizer, error) {
	c := t.scope.c
	if !c.catalogue.Features.AnyOperator && neverClassic(d) {
		d = schema.False{}
	}
	predicate, err := t.domain(d, c.userMode())
	if err != nil {
		return nil, err
	}
	where := []sq.Sqlizer{predicate}
	if c.activeTest() {
		active, err := t.activeFilter(d)
		if err != nil {
			return nil, err
		}
		where = append(where, active...)
	}
	rules, err := t.rules()
	if err != nil {
		return nil, err
	}
	return append(where, rules...), nil
}

// placeholder is a parameter in the statement's text. No constant of ours holds a dollar sign:
// identifiers and texts come from the catalogue, values are parameters.
var placeholder = regexp.MustCompile(`\$([0-9]+)`)

// prune drops parameters that the text does not use, which PostgreSQL would refuse, and numbers the
// others anew. Some are left over from parts that turned out to be constant.
func prune(sql string, args []any) (string, []any) {
	numbers := map[string]string{}
	var kept []any
	used := map[string]bool{}
	for _, p := range placeholder.FindAllString(sql, -1) {
		used[p] = true
	}
	for i, arg := range args {
		if old := "$" + strconv.Itoa(i+1); used[old] {
			kept = append(kept, arg)
			numbers[old] = "$" + strconv.Itoa(len(kept))
		}
	}
	if len(kept) == len(args) {
		return sql, args
	}
	return placeholder.ReplaceAllStringFunc(sql, func(p string) string { return numbers[p] }), kept
}

// selectWhere writes a SELECT on this table and what is joined to it so far.
func (t table) selectWhere(head, conditions string) string {
	sql := head + "\nFROM " + ident(t.model.Table) + " " + t.alias + t.scope.joins.String()
	if conditions != "" {
		sql += "\nWHERE " + conditions
	}
	return sql
}
