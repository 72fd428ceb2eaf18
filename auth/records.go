package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"lateral/pg"
	"lateral/schema"
)

// records reads values as superuser with an empty context, as rules see them. Errors mean that the
// database did not answer; what cannot be read exactly is not asked for.
type records interface {
	// scalars returns the field's non-NULL values by record: bool, int64, float64 or string.
	scalars(ctx context.Context, f *schema.Field, ids []int64) (map[int64]any, error)
	// many returns the records behind an x2many field, by record and in the comodel's order.
	many(ctx context.Context, f *schema.Field, ids []int64, onlyActive bool) (linked map[int64][]int64, ordered bool, err error)
	// reference returns the record of an external id, id 0 where there is none.
	reference(ctx context.Context, module, name string) (model string, id int64, err error)
}

// sqlRecords reads from PostgreSQL. Names come from the catalogue, values are parameters.
type sqlRecords struct {
	q         pg.Querier
	catalogue *schema.Catalogue
}

// scalarColumn returns the expression of a column by type, as text that readScalar understands.
func scalarColumn(c *schema.Catalogue, f *schema.Field) (expression string, ok bool) {
	column := "t." + quote(f.Column)
	switch f.Type {
	case schema.Boolean, schema.Integer, schema.Many2one, schema.Selection:
		return column, true
	case schema.Float, schema.Monetary:
		return column + "::float8", true
	case schema.Char, schema.Text, schema.HTML:
		switch {
		case f.Translate == schema.Untranslated:
			return column, true
		case f.Translate == schema.TranslatedWhole && c.Features.JSONTranslations:
			return column + "->>'en_US'", true
		case f.Translate == schema.TranslatedWhole:
			return column, true
		}
	}
	return "", false
}

func (r *sqlRecords) scalars(ctx context.Context, f *schema.Field, ids []int64) (map[int64]any, error) {
	expression, ok := scalarColumn(r.catalogue, f)
	if !ok {
		return nil, fmt.Errorf("field %s.%s is no plain column", f.Model.Name, f.Name)
	}
	sql := "SELECT t.id::int8, " + expression + " FROM " + quote(f.Model.Table) + " t WHERE t.id = ANY($1)"
	rows, err := r.q.Query(ctx, sql, ids)
	if err != nil {
		return nil, fmt.Errorf("read %s.%s: %w", f.Model.Name, f.Name, err)
	}
	defer rows.Close()
	values := make(map[int64]any, len(ids))
	for rows.Next() {
		row, err := rows.Values()
		if err != nil {
			return nil, fmt.Errorf("read %s.%s: %w", f.Model.Name, f.Name, err)
		}
		id, _ := row[0].(int64)
		switch value := row[1].(type) {
		case nil:
		case int16:
			values[id] = int64(value)
		case int32:
			values[id] = int64(value)
		case int64, float64, bool, string:
			values[id] = value
		default:
			return nil, fmt.Errorf("read %s.%s: unexpected column type", f.Model.Name, f.Name)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read %s.%s: %w", f.Model.Name, f.Name, err)
	}
	return values, nil
}

func (r *sqlRecords) many(ctx context.Context, f *schema.Field, ids []int64, onlyActive bool) (map[int64][]int64, bool, error) {
	comodel := r.catalogue.Model(f.Comodel)
	from, owner := quote(comodel.Table)+" t", ""
	if f.Type == schema.Many2many {
		from += " JOIN " + quote(f.RelTable) + " r ON r." + quote(f.RelColumn2) + " = t.id"
		owner = "r." + quote(f.RelColumn1)
	} else {
		owner = "t." + quote(comodel.Field(f.Inverse).Column)
	}
	sql := "SELECT " + owner + "::int8, t.id::int8 FROM " + from + " WHERE " + owner + " = ANY($1)"
	if onlyActive {
		if active := comodel.Field(comodel.ActiveName); active != nil {
			sql += " AND t." + quote(active.Column)
		}
	}
	order, ordered := orderSQL(r.catalogue, comodel, "t")
	if ordered {
		sql += " ORDER BY " + order
	}
	rows, err := r.q.Query(ctx, sql, ids)
	if err != nil {
		return nil, false, fmt.Errorf("read %s.%s: %w", f.Model.Name, f.Name, err)
	}
	linked := make(map[int64][]int64, len(ids))
	var from64, to64 int64
	_, err = pgx.ForEachRow(rows, []any{&from64, &to64}, func() error {
		linked[from64] = append(linked[from64], to64)
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("read %s.%s: %w", f.Model.Name, f.Name, err)
	}
	return linked, ordered, nil
}

func (r *sqlRecords) reference(ctx context.Context, module, name string) (string, int64, error) {
	var model string
	var id int64
	err := r.q.QueryRow(ctx, "SELECT model, coalesce(res_id, 0)::int8 FROM ir_model_data WHERE module = $1 AND name = $2", module, name).
		Scan(&model, &id)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", 0, nil
	}
	if err != nil {
		return "", 0, fmt.Errorf("read an external id: %w", err)
	}
	// Odoo's env.ref fails where the record is gone.
	m := r.catalogue.Model(model)
	if m == nil || m.Relation == schema.NoRelation {
		return "", 0, nil
	}
	var exists bool
	sql := strings.Join([]string{"SELECT EXISTS (SELECT 1 FROM", quote(m.Table), "t WHERE t.id = $1)"}, " ")
	if err := r.q.QueryRow(ctx, sql, id).Scan(&exists); err != nil {
		return "", 0, fmt.Errorf("read an external id: %w", err)
	}
	if !exists {
		return "", 0, nil
	}
	return model, id, nil
}
