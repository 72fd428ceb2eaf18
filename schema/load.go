package schema

import (
	"context"
	"fmt"
	"strings"

	"lateral/pg"
	"lateral/schema/facts"
)

// Load reads the catalogue of the Odoo database behind q, which should be one snapshot so that
// models, fields and tables agree. It works for the layouts of 14.0 to 19.0 and learns from the
// columns that exist which one it has. Stamp is left to the caller, see Holder.
//
// What the database does not say comes from facts; a model that neither explains is Guarded.
func Load(ctx context.Context, q pg.Querier) (*Catalogue, error) {
	l := &loader{ctx: ctx, q: q}
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"add-ons", l.readModules},
		{"tables", l.readTables},
		{"features", l.readFeatures},
		{"models", l.readModels},
		{"fields", l.readFields},
		{"facts", l.awaitFacts},
		{"delegations", l.readDelegations},
		{"tables of models", l.findTables},
		{"company-dependent fields", l.readCompanyDependent},
	} {
		if err := step.run(); err != nil {
			return nil, fmt.Errorf("load catalogue: %s: %w", step.name, err)
		}
	}
	for _, m := range l.models {
		l.bindColumns(m)
		l.nameModel(m)
		l.describeFields(m)
	}
	l.guardModels()
	return l.catalogue, nil
}

// loader is the state of one Load.
type loader struct {
	ctx context.Context
	q   pg.Querier

	catalogue *Catalogue
	tables    map[string]*table
	// facts is nil where the series is unknown. It is set by awaitFacts.
	facts   *facts.Facts
	pending chan *facts.Facts
	models  map[string]*Model
	byID    map[int64]*Model // ir_model.id
	fields  map[int64]*Field // ir_model_fields.id
	// modulesOf holds the add-ons that define or extend a model.
	modulesOf map[*Model][]string
	// parents holds ir_model_inherit without delegations (17.0+): the parents and mixins of a model.
	parents map[string][]string
	// mixins holds the mixins of models made in the user interface, which are columns of ir_model.
	mixins map[*Model][]string
	// abstract holds the models that ir_model calls abstract (19.0).
	abstract map[*Model]bool
}

// has reports whether a table has a column. Odoo's layouts are told apart by it.
func (l *loader) has(tableName, column string) bool {
	t := l.tables[tableName]
	return t != nil && t.columns[column].typeName != ""
}

// text is the expression of a translatable label: jsonb from 16.0 on, plain text before.
func (l *loader) text(tableName, column string) string {
	if t := l.tables[tableName]; t != nil && t.columns[column].typeName == "jsonb" {
		return "coalesce(" + column + "->>'en_US', '')"
	}
	return "coalesce(" + column + ", '')"
}

// flag is the expression of a boolean column that not every series has.
func (l *loader) flag(tableName, column string) string {
	if !l.has(tableName, column) {
		return "false"
	}
	return "coalesce(" + column + ", false)"
}

// readModules reads the add-ons and, from that of base, the series.
func (l *loader) readModules() error {
	rows, err := l.q.Query(l.ctx, `SELECT name, coalesce(latest_version, ''), state FROM ir_module_module
		WHERE state IN ('installed', 'to install', 'to upgrade', 'to remove')`)
	if err != nil {
		return err
	}
	defer rows.Close()
	l.catalogue = &Catalogue{Modules: map[string]bool{}}
	var names []string
	for rows.Next() {
		var name, version, state string
		if err := rows.Scan(&name, &version, &state); err != nil {
			return err
		}
		if state != "installed" {
			l.catalogue.Upgrading = true
		}
		if state != "to install" {
			l.catalogue.Modules[name] = true
			names = append(names, name)
		}
		if name == "base" {
			l.catalogue.Series = seriesOf(version)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if l.catalogue.Series == "" {
		return fmt.Errorf("the add-on base is not installed: this is no Odoo database")
	}
	// Unpacking the facts takes about as long as the queries that follow, so both run at once.
	l.pending = make(chan *facts.Facts, 1)
	series := l.catalogue.Series
	go func() {
		// An unknown series is no error: without facts every model is read through Odoo.
		if known, err := facts.Load(series); err == nil {
			l.pending <- known.Installed(names)
		}
		close(l.pending)
	}()
	return nil
}

// awaitFacts waits for the facts that readModules began to load.
func (l *loader) awaitFacts() error {
	l.facts = <-l.pending
	l.catalogue.Facts = l.facts
	return nil
}

// seriesOf returns "19.0" for the version "19.0.1.3" and "saas~18.3" for "saas~18.3.1.3".
func seriesOf(version string) string {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return version
	}
	return parts[0] + "." + parts[1]
}

// readFeatures completes what follows from the series by what exists.
func (l *loader) readFeatures() error {
	f := FeaturesOf(l.catalogue.Series)
	f.JSONTranslations = l.tables["ir_model"].columns["name"].typeName == "jsonb"
	f.JSONCompanyValues = l.has("ir_model_fields", "company_dependent")
	_, f.SignalTables = l.tables["orm_signaling_registry"]
	for _, group := range []string{"registry", "default", "stable", "groups"} {
		// The other groups (assets, templates, routing) say nothing about data.
		if _, ok := l.tables["orm_signaling_"+group]; ok {
			f.SignalTableNames = append(f.SignalTableNames, "orm_signaling_"+group)
		}
	}
	// Odoo finds unaccent by name alone up to 15.0, then in the schema public, and in 19.0 in the
	// current schema (odoo/modules/db.py, has_unaccent).
	unaccent := "p.pronamespace = current_schema()::regnamespace"
	switch {
	case f.UnaccentAnySchema:
		unaccent = "true"
	case !f.ModernDomains:
		unaccent = "p.pronamespace = 'public'::regnamespace"
	}
	err := l.q.QueryRow(l.ctx, `SELECT
			EXISTS (SELECT FROM pg_proc p WHERE p.proname = 'unaccent' AND p.pronargs = 1 AND `+unaccent+`),
			coalesce((SELECT array_agg(c.relname::text ORDER BY c.relname) FROM pg_class c
				WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'S'
					AND c.relname ~ '^base_cache_signaling(_|$)' AND c.relname !~ '_(assets|templates|routing)$'), '{}'),
			pg_is_in_recovery()`,
	).Scan(&f.HasUnaccent, &f.CacheSequences, &l.catalogue.Standby)
	if f.SignalTables {
		f.CacheSequences = nil
	}
	l.catalogue.Features = f
	if err == nil && l.catalogue.Standby && !f.SignalTables {
		return fmt.Errorf("%w: it is a standby, and Odoo %s signals changes by sequences, of which a standby sees one in 32", pg.ErrUnfit, l.catalogue.Series)
	}
	return err
}
