package reader

import (
	"strings"

	"lateral/pg"
	"lateral/schema"
)

// layer is a level of the tree in a page that is rendered level by level: its records are rows of columns,
// which Go makes documents of, and what is nested in them is read by statements of its own, in the
// same snapshot. A record that many others lead to is so read and written once, and
// PostgreSQL neither makes nor copies texts. For a few records one statement with lateral joins is faster.
type layer struct {
	columns []column
	flagged bool   // an int of flags follows the columns
	tail    string // ends a document
}

// column is what of a document one column fills.
type column struct {
	lead string    // what comes before the value
	as   rendering // of the value
	part *part     // nil: there is a value; otherwise the column is the key of the part's records
	// ofRecord tells that the key is the id of the record itself.
	ofRecord bool
}

// part is a relational field whose records are read by a statement of their own: for a list of keys, its
// first parameter, it returns rows of a key and a layer's columns, those of one key in the field's order.
type part struct {
	layer
	number int // among the statement's parts
	// alongside are parts whose keys are the ids of this part's records, which are this part's own keys: they need not wait for
	// the records.
	alongside  []*part
	shape      Shape
	sql        string
	between    string // sql for the keys from the first of two to the second, which an index has side by side
	args       []any
	parameters [][]byte
}

// parts are those that the layer's columns lead to.
func (l *layer) parts() []*part {
	var parts []*part
	for _, column := range l.columns {
		if column.part != nil {
			parts = append(parts, column.part)
		}
	}
	return parts
}

// every calls fn for all parts of a layer, however deep.
func (l *layer) every(fn func(*part) error) error {
	for _, p := range l.parts() {
		if err := fn(p); err != nil {
			return err
		}
		if err := p.every(fn); err != nil {
			return err
		}
	}
	return nil
}

// of is the statement that reads the part's records for keys, which are in order: theirs, or those of all keys between the
// first and the last.
func (p *part) of(keys []int64) (pg.Statement, error) {
	sql := p.sql
	if closeTogether(keys) {
		sql, keys = p.between, []int64{keys[0], keys[len(keys)-1]}
	}
	list, err := pg.Parameters([]any{keys})
	if err != nil {
		return pg.Statement{}, err
	}
	return pg.Statement{SQL: sql, Parameters: append(list, p.parameters[1:]...)}, nil
}

// layer writes a level's fields of one record as columns: their expressions, and that of the flags, "" for none.
func (t table) layer(level *Level) (l layer, selected []string, flags string, err error) {
	var all fragment
	lead := "{"
	for _, n := range level.Nodes {
		f, err := t.node(level, n)
		if err != nil {
			return layer{}, nil, "", err
		}
		sql := f.text
		if f.scalar.value.sql != "" {
			sql = f.scalar.value.sql
		}
		selected = append(selected, sql)
		l.columns = append(l.columns, column{lead: lead + `"` + n.Key + `":`, as: f.scalar.as, part: f.part, ofRecord: f.part != nil && f.text == t.alias+".id"})
		all.flag(f.flags)
		lead = ","
	}
	if len(selected) == 0 {
		selected, l.columns = []string{"''"}, []column{{lead: lead}}
	}
	l.tail = "}"
	return l, selected, all.flags, nil
}

// onePart is toOne where the target is read by a statement of its own.
func (t table) onePart(n *Node) (fragment, error) {
	link, err := t.field(n.Field)
	if err != nil {
		return fragment{}, err
	}
	if err := openToSQL(n.Sub); err != nil {
		return fragment{}, err
	}
	comodel, err := t.target(n.Field)
	if err != nil {
		return fragment{}, err
	}
	c := t.scope.c
	p := c.part(n)
	defer c.begin()()
	keys := c.keys()
	target := table{scope: c.newScope(), model: comodel, alias: c.alias()}
	l, selected, flags, err := target.layer(n.Sub)
	if err != nil {
		return fragment{}, err
	}
	hidden, err := target.hidden(n.Sub)
	if err != nil {
		return fragment{}, err
	}
	p.layer = l
	p.sendAlongside()
	p.read(target, target.alias+".id", " = ANY("+keys+")", selected, flags, hidden, nil, "")
	return fragment{text: link.sql, part: p}, nil
}

// manyPart is toMany where the records are read by a statement of their own.
func (t table) manyPart(n *Node, f *schema.Field, asUser bool) (fragment, error) {
	c := t.scope.c
	p := c.part(n)
	defer c.begin()()
	keys := c.keys()
	lines, key, where, err := t.lines(n, f, asUser)
	if err != nil {
		return fragment{}, err
	}
	among := " = ANY(" + keys + ")"
	if inverse := lines.model.Field(f.Inverse); f.Type == schema.One2many && !inverse.Indexed {
		// PostgreSQL would compare each row of the table with each key.
		among = " IN (SELECT unnest(" + keys + "))"
	}
	selected, flags, hidden := []string{lines.alias + ".id"}, "", ""
	p.columns = []column{{}}
	if n.Sub != nil {
		if p.layer, selected, flags, err = lines.layer(n.Sub); err != nil {
			return fragment{}, err
		}
		if hidden, err = lines.hiddenLine(n.Sub, asUser); err != nil {
			return fragment{}, err
		}
	}
	order, err := lines.order("", lines.model.Field(f.Inverse), c.userMode())
	if err != nil {
		return fragment{}, err
	}
	p.read(lines, key, among, selected, flags, hidden, where, order.sql())
	return fragment{text: t.alias + ".id", part: p}, nil
}

// sendAlongside has the parts that hang on the records of a part, whose keys are those records' ids, read together with it.
func (p *part) sendAlongside() {
	for _, column := range p.columns {
		if column.ofRecord {
			p.alongside = append(p.alongside, column.part)
		}
	}
}

// part returns an empty part for a node.
func (c *compiler) part(n *Node) *part {
	c.parts++
	return &part{number: c.parts - 1, shape: n.Shape}
}

// begin begins another statement; what it returns goes back to that which is being written.
func (c *compiler) begin() func() {
	args, lang, shared := c.args, c.langArg, c.shared
	c.args, c.langArg, c.shared = nil, "", nil
	return func() { c.args, c.langArg, c.shared = args, lang, shared }
}

// keys returns the first parameter of a part, which every reading of it sets.
func (c *compiler) keys() string { return c.arg([]int64(nil)) + "::int8[]" }

// read writes the part's statement.
func (p *part) read(from table, key, among string, selected []string, flags, hidden string, where []string, order string) {
	all := fragment{flags: flags}
	all.flag(hidden)
	sql := "SELECT " + strings.Join(append([]string{key}, selected...), ", ")
	if all.flags != "" {
		sql += ",\n" + all.flags
		p.flagged = true
	}
	sql = from.selectWhere(sql, strings.Join(append([]string{amongMark}, where...), " AND "))
	if order != "" {
		sql += "\nORDER BY " + order
	}
	sql, p.args = from.scope.c.complete(sql)
	p.sql = strings.Replace(sql, amongMark, key+among, 1)
	p.between = strings.Replace(sql, amongMark, key+" BETWEEN "+firstOfKeys+" AND "+lastOfKeys, 1)
}

// amongMark stands for the condition on a part's keys until the rest is written, and what it compares is the first
// parameter.
const (
	amongMark   = "$1\x00among"
	firstOfKeys = "($1::int8[])[1]"
	lastOfKeys  = "($1::int8[])[2]"
)
