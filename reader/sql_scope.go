package reader

import (
	"context"
	"slices"
	"strconv"
	"strings"

	sq "github.com/Masterminds/squirrel"

	"lateral/auth"
	"lateral/schema"
)

// compiler collects the parameters and names of one statement while its parts are written.
type compiler struct {
	ctx       context.Context
	catalogue *schema.Catalogue
	principal *auth.Principal
	policy    *auth.Policy
	context   Context
	access    accessor
	filestore bool // attachments' files can be read

	level *Level // whose node is being written
	// layered is set where the levels of the tree are read by statements of their own; see layer.
	layered bool

	langArg string
	args    []any
	shared  []shared
	aliases int
	parts   int // begun so far
	spliced []spliceSource
}

// accessor gives the principal's access to a model; it is asked for every model a plan touches.
type accessor func(model string) (*auth.ModelAccess, error)

// arg adds a parameter and returns its placeholder. Lists of ids, which are parameters of one type wherever
// they stand, are added once: the user's companies are in most rules.
func (c *compiler) arg(value any) string {
	if ids, ok := value.([]int64); ok && len(ids) > 0 {
		for i, other := range c.args {
			if known, ok := other.([]int64); ok && slices.Equal(known, ids) {
				return "$" + strconv.Itoa(i+1)
			}
		}
	}
	c.args = append(c.args, value)
	return "$" + strconv.Itoa(len(c.args))
}

// lang returns the placeholder of the context's language.
func (c *compiler) lang() string {
	if c.langArg == "" {
		c.langArg = c.arg(c.context.Lang) + "::text"
	}
	return c.langArg
}

// shared is an expression of a query that does not depend on where in a statement it stands, and the name that
// the WITH clause gives it.
type shared struct{ name, sql string }

// share has a statement find a query's one value, the column v, once, wherever in the statement it is used, and returns
// the expression that stands for it. PostgreSQL sets up every sub-select that is written out, also where it is
// never run.
func (c *compiler) share(query string) string {
	i := slices.IndexFunc(c.shared, func(s shared) bool { return s.sql == query })
	if i < 0 {
		i = len(c.shared)
		c.shared = append(c.shared, shared{name: c.alias(), sql: query})
	}
	return "(SELECT v FROM " + c.shared[i].name + ")"
}

// complete puts what a statement shares in front of it and drops the parameters that it does not use.
func (c *compiler) complete(sql string) (string, []any) {
	var with []string
	for _, s := range c.shared {
		if strings.Contains(sql, "(SELECT v FROM "+s.name+")") {
			with = append(with, s.name+" AS ("+s.sql+")")
		}
	}
	if len(with) > 0 {
		sql = "WITH " + strings.Join(with, ",\n") + "\n" + sql
	}
	return prune(sql, c.args)
}

// alias returns a table alias that no other part of the statement has.
func (c *compiler) alias() string {
	c.aliases++
	return "a" + strconv.Itoa(c.aliases)
}

// text renders a predicate, turning squirrel's question marks into the statement's placeholders.
func (c *compiler) text(predicate sq.Sqlizer) (string, error) {
	sql, args, err := predicate.ToSql()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	next := 0
	for {
		i := strings.IndexByte(sql, '?')
		if i < 0 {
			b.WriteString(sql)
			return b.String(), nil
		}
		b.WriteString(sql[:i])
		b.WriteString(c.arg(args[next]))
		next++
		sql = sql[i+1:]
	}
}

// scope is one FROM clause: a table and what is joined to it.
type scope struct {
	c      *compiler
	joins  strings.Builder
	joined map[string]string // alias and field → alias of the joined table
}

func (c *compiler) newScope() *scope { return &scope{c: c, joined: map[string]string{}} }

// table is one table of a scope as a model.
type table struct {
	scope *scope
	model *schema.Model
	alias string
}

// column returns the qualified name of a column.
func (t table) column(name string) string { return t.alias + "." + ident(name) }

// follow joins the record behind an expression, a many2one's value, as a LEFT JOIN: rows without
// one keep, with NULLs. One relation is joined once per scope.
func (t table) follow(field *schema.Field, value string) (table, error) {
	comodel, err := t.target(field)
	if err != nil {
		return table{}, err
	}
	key := t.alias + "." + field.Name
	alias, ok := t.scope.joined[key]
	if !ok {
		alias = t.scope.c.alias()
		t.scope.joined[key] = alias
		t.scope.joins.WriteString("\nLEFT JOIN " + ident(comodel.Table) + " " + alias + " ON " + alias + ".id = " + value)
	}
	return table{scope: t.scope, model: comodel, alias: alias}, nil
}

// ident quotes an identifier of the catalogue.
func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal quotes a text of ours, never of a client, as an SQL constant.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// target returns the model that a many2one leads to, where its records can be found by their ids.
func (t table) target(field *schema.Field) (*schema.Model, error) {
	comodel := t.scope.c.catalogue.Model(field.Comodel)
	switch {
	case comodel == nil || comodel.Table == "":
		return nil, delegate("%s.%s leads to %s, which has no table", t.model.Name, field.Name, field.Comodel)
	case comodel.Guard.Distrusted:
		return nil, delegate("%s: %s", comodel.Name, comodel.Guard.Reason)
	case comodel.Relation == schema.View:
		// A view may have several rows with one id, which would multiply this one's.
		return nil, delegate("%s.%s leads to the view %s", t.model.Name, field.Name, field.Comodel)
	}
	return comodel, nil
}
