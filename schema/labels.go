package schema

import (
	"context"
	"fmt"

	"lateral/pg"
)

// ModelLabels returns the names of all models in a language, in the source language where there is
// no translation. They are columns of ir_model from 16.0 on, and before that in ir_translation.
func ModelLabels(ctx context.Context, q pg.Querier, f Features, lang string) (map[string]string, error) {
	statement := `SELECT m.model, coalesce(nullif(t.value, ''), m.name) FROM ir_model m
		LEFT JOIN ir_translation t ON t.type = 'model' AND t.name = 'ir.model,name' AND t.res_id = m.id AND t.lang = $1`
	if f.JSONTranslations {
		statement = `SELECT model, coalesce(nullif(name->>$1, ''), name->>'en_US', model) FROM ir_model`
	}
	rows, err := q.Query(ctx, statement, lang)
	if err != nil {
		return nil, fmt.Errorf("names of the models: %w", err)
	}
	defer rows.Close()
	labels := map[string]string{}
	for rows.Next() {
		var model, label string
		if err := rows.Scan(&model, &label); err != nil {
			return nil, fmt.Errorf("names of the models: %w", err)
		}
		labels[model] = label
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("names of the models: %w", err)
	}
	return labels, nil
}
