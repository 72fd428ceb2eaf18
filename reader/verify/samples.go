package verify

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"lateral/pg"
	"lateral/schema"
)

// pattern cuts a piece out of a text.
func (d *draw) pattern(v any) any {
	text, ok := v.(string)
	if !ok || text == "" || d.chance(0.05) {
		return pick(d, []any{"", "a", "%", "_a%"})
	}
	runes := []rune(text)
	from := d.IntN(len(runes))
	piece := string(runes[from:min(len(runes), from+1+d.IntN(6))])
	switch d.IntN(6) {
	case 0:
		return strings.ToUpper(piece)
	case 1:
		return "%" + piece + "%"
	case 2:
		return text
	}
	return piece
}

// label draws a text that names a record of a model.
func (d *draw) label(m *schema.Model) any {
	if f := m.Field(m.RecName); f != nil && f.Type.Textual() {
		return d.pattern(d.value(f))
	}
	return "a"
}

// value draws a value that a field has in some record, or nearly.
func (d *draw) value(f *schema.Field) any {
	for range 4 {
		if f.Stored || len(f.Related) < 2 {
			break
		}
		target := f.Model
		for _, name := range f.Related[:len(f.Related)-1] {
			if link := target.Field(name); link != nil {
				target = d.catalogue.Model(link.Comodel)
			}
			if target == nil {
				return int64(1)
			}
		}
		if f = target.Field(f.Related[len(f.Related)-1]); f == nil {
			return int64(1)
		}
	}
	if f.Type.Relational() {
		if comodel := d.catalogue.Model(f.Comodel); comodel != nil {
			return d.id(comodel)
		}
		return int64(1)
	}
	values := d.sample(f)
	if len(values) == 0 || d.chance(0.03) {
		switch f.Type {
		case schema.Integer, schema.Many2oneReference:
			return d.Int64N(5)
		case schema.Float, schema.Monetary:
			return float64(d.IntN(100)) / 4
		case schema.Date:
			return "2024-02-29"
		case schema.Datetime:
			return "2024-02-29 12:00:00"
		}
		return "x"
	}
	value := pick(d, values)
	if text, ok := value.(string); ok && f.Type == schema.Datetime && d.chance(0.3) {
		return text[:10]
	}
	return value
}

// id draws the id of a record, or of none.
func (d *draw) id(m *schema.Model) int64 {
	if d.chance(0.02) {
		return 99999999
	}
	ids := d.column(m.Table, `"id"`, "id::text")
	if m.Table == "" || len(ids) == 0 {
		return 1
	}
	n, err := strconv.ParseInt(pick(d, ids), 10, 64)
	if err != nil {
		d.err = err
	}
	return n
}

// searchField draws a search_field and a value for it.
func (d *draw) searchField(m *schema.Model) (name, value string) {
	fields := d.fields(m, func(f *schema.Field) bool {
		return f.Stored && f.Column != "" && (f.Type == schema.Char || f.Type == schema.Integer || f.Type == schema.Selection || f.Type == schema.Many2one)
	})
	if len(fields) == 0 {
		return "id", "1"
	}
	f := pick(d, fields)
	return f.Name, fmt.Sprint(d.value(f))
}

// sample returns values of a field's column.
func (d *draw) sample(f *schema.Field) []any {
	m := f.Model
	if m.Table == "" || f.Column == "" {
		return nil
	}
	column := `"` + f.Column + `"`
	expression := column + "::text"
	switch {
	case f.ColumnType == "jsonb":
		expression = "(jsonb_path_query_array(" + column + ", '$.*')->>0)"
	case f.Type == schema.Datetime:
		expression = "to_char(" + column + ", 'YYYY-MM-DD HH24:MI:SS')"
	case f.Type == schema.Binary:
		return nil
	}
	texts := d.column(m.Table, column, expression)
	values := make([]any, 0, len(texts))
	for _, text := range texts {
		switch f.Type {
		case schema.Integer, schema.Many2oneReference:
			if n, err := strconv.ParseInt(text, 10, 32); err == nil {
				values = append(values, n)
			}
		case schema.Float, schema.Monetary:
			if n, err := strconv.ParseFloat(text, 64); err == nil {
				values = append(values, n)
			}
		default:
			if len(text) < 200 && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }) {
				values = append(values, text)
			}
		}
	}
	return values
}

// column returns texts of a column, each once, the same ones at every call.
func (d *draw) column(table, column, expression string) []string {
	if table == "" {
		return nil
	}
	key := table + "." + column
	if known, ok := d.samples.Load(key); ok {
		return known.([]string)
	}
	sql := `SELECT DISTINCT v FROM (SELECT ` + expression + ` AS v FROM "` + table + `" WHERE ` + column +
		` IS NOT NULL ORDER BY id LIMIT 500) x WHERE v IS NOT NULL ORDER BY v LIMIT 60`
	texts, err := d.texts(d.ctx, sql)
	if err != nil {
		d.err = err
		return nil
	}
	slices.Sort(texts)
	d.samples.Store(key, texts)
	return texts
}

// texts runs a query of one column. What the role may not read, such as password hashes, is nothing.
func (g *Generator) texts(ctx context.Context, sql string) ([]string, error) {
	rows, err := g.database.Query(ctx, sql)
	var texts []string
	if err == nil {
		texts, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil && pg.Classify(err) == pg.Denied {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("values to compare with: %w", err)
	}
	return texts, nil
}
