package schema

import (
	"fmt"
	"strings"
)

// table is one relation of PostgreSQL.
type table struct {
	name     string
	relation Relation
	readable bool // the role may read all of its columns
	columns  map[string]column
}

type column struct {
	typeName string
	notNull  bool
	denied   bool // the role may not read it
	indexed  bool // an index begins with it
}

// readTables reads all relations of the current schema with their columns.
func (l *loader) readTables() error {
	rows, err := l.q.Query(l.ctx, `SELECT c.relname::text, c.relkind IN ('v', 'm'), p.readable,
			array_agg(a.attname::text), array_agg(t.typname::text), array_agg(a.attnotnull),
			array_agg(EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indkey[0] = a.attnum
				AND (i.indpred IS NULL OR pg_get_expr(i.indpred, c.oid) = '(' || quote_ident(a.attname) || ' IS NOT NULL)'))),
			CASE WHEN p.readable THEN '{}' ELSE
				array_agg(NOT has_column_privilege(c.oid, a.attnum, 'SELECT')) END
		FROM pg_class c
		CROSS JOIN LATERAL (SELECT has_table_privilege(c.oid, 'SELECT') AS readable) p
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		JOIN pg_type t ON t.oid = a.atttypid
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
		GROUP BY c.oid, p.readable`)
	if err != nil {
		return err
	}
	defer rows.Close()
	l.tables = map[string]*table{}
	for rows.Next() {
		t := &table{relation: Table}
		var (
			isView          bool
			names, types    []string
			notNull, denied []bool
			indexed         []bool
		)
		if err := rows.Scan(&t.name, &isView, &t.readable, &names, &types, &notNull, &indexed, &denied); err != nil {
			return err
		}
		if isView {
			t.relation = View
		}
		t.columns = make(map[string]column, len(names))
		for i, name := range names {
			t.columns[name] = column{typeName: types[i], notNull: notNull[i], indexed: indexed[i], denied: !t.readable && denied[i]}
		}
		l.tables[t.name] = t
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, needed := range []string{"ir_model", "ir_model_fields", "ir_model_data", "ir_module_module"} {
		if l.tables[needed] == nil {
			return fmt.Errorf("there is no table %s: this is no Odoo database", needed)
		}
	}
	return nil
}

// findTables gives each model its table: what the sources say, else its name with underscores,
// else where the foreign keys of relational fields to it lead.
func (l *loader) findTables() error {
	lost := map[string]*Model{}
	for name, m := range l.models {
		if l.abstract[m] {
			continue
		}
		candidates := []string{strings.ReplaceAll(name, ".", "_")}
		if known := l.known(m); known != nil {
			if known.Abstract || known.TableQuery {
				continue
			}
			if known.Table != "" && known.Table != "?" {
				candidates = []string{known.Table, candidates[0]}
			}
		}
		for _, candidate := range candidates {
			if m.Relation == NoRelation {
				l.setTable(m, candidate)
			}
		}
		if m.Relation == NoRelation {
			lost[name] = m
		}
	}
	return l.followForeignKeys(lost)
}

// setTable takes a relation for a model's, if it can be one: records have an id.
func (l *loader) setTable(m *Model, name string) {
	if t := l.tables[name]; t != nil && t.columns["id"].typeName != "" {
		m.Table, m.Relation = t.name, t.relation
	}
}

// followForeignKeys finds the tables of models by the constraints on many2ones that lead to them
// and on the relation tables of many2manys, which Odoo makes with the true name.
func (l *loader) followForeignKeys(lost map[string]*Model) error {
	var from, columns, models []string
	add := func(tableName, column, model string) {
		if l.has(tableName, column) {
			from, columns, models = append(from, tableName), append(columns, column), append(models, model)
		}
	}
	for _, m := range l.models {
		for _, f := range m.Fields {
			switch {
			case lost[f.Comodel] == nil:
			case f.Type == Many2one && f.Stored && m.Relation == Table:
				add(m.Table, f.Name, f.Comodel)
			case f.Type == Many2many && f.RelTable != "":
				add(f.RelTable, f.RelColumn2, f.Comodel)
			}
		}
	}
	if len(models) == 0 {
		return nil
	}
	rows, err := l.q.Query(l.ctx, `SELECT DISTINCT w.model, target.relname::text
		FROM unnest($1::text[], $2::text[], $3::text[]) AS w(source, source_column, model)
		JOIN pg_class source ON source.relname = w.source AND source.relnamespace = current_schema()::regnamespace
		JOIN pg_attribute a ON a.attrelid = source.oid AND a.attname = w.source_column
		JOIN pg_constraint k ON k.conrelid = source.oid AND k.contype = 'f' AND k.conkey = ARRAY[a.attnum]
		JOIN pg_class target ON target.oid = k.confrelid
		ORDER BY 1, 2`, from, columns, models)
	if err != nil {
		return err
	}
	defer rows.Close()
	targets := map[string][]string{}
	for rows.Next() {
		var model, target string
		if err := rows.Scan(&model, &target); err != nil {
			return err
		}
		targets[model] = append(targets[model], target)
	}
	for model, names := range targets {
		// Where constraints contradict each other the model stays without a table.
		if len(names) == 1 {
			l.setTable(lost[model], names[0])
		}
	}
	return rows.Err()
}

// bindColumns ties stored fields to the columns of the model's table.
func (l *loader) bindColumns(m *Model) {
	t := l.tables[m.Table]
	if t == nil {
		return
	}
	for _, f := range m.Fields {
		if !f.Stored || f.Type.X2many() {
			continue
		}
		found, ok := t.columns[f.Name]
		switch {
		case ok:
			f.Column, f.ColumnType, f.NotNull, f.Indexed = f.Name, found.typeName, found.notNull, found.indexed
			if found.denied {
				f.Static.Python = "the database role may not read its column"
			}
		case f.Type == Binary || f.Type == Image:
			f.Attachment = true
		}
	}
	m.LogAccess = m.hasColumns("create_uid", "create_date", "write_uid", "write_date")
}

// hasColumns reports whether all of the fields have columns.
func (m *Model) hasColumns(names ...string) bool {
	for _, name := range names {
		if f := m.Fields[name]; f == nil || f.Column == "" {
			return false
		}
	}
	return true
}
