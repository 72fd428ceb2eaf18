package auth

import (
	"context"
	"fmt"
	"sync"

	"lateral/pg"
	"lateral/schema"
)

// ModelAccess is what one principal may read of one model.
type ModelAccess struct {
	Model *schema.Model
	// Readable is the model's ACL.
	Readable bool
	// Rule is the conjunction of the record rules, evaluated for the principal, delegated parents'
	// rules included (Odoo 17.0: addons/base/models/ir_rule.py, _compute_domain). It is
	// schema.True where nothing restricts, and schema.False where it is opaque. It is to be compiled
	// with superuser semantics: no rules, no ACL and no field groups on its hops. It is there
	// whether or not the model is Readable, since a many2many before 19.0 shows records of a model
	// without asking for its ACL.
	Rule schema.Domain
	// Opaque is why the rule could not be evaluated completely, empty where it was. A model with an
	// opaque rule is read by Odoo.
	Opaque string
	// Fields holds the fields the principal may read, as fields_get gave them; nil where the model
	// is not Readable, unless it is guarded, whose code may show records all the same.
	Fields map[string]FieldView
}

// FieldView is what fields_get tells one user of a field and the database does not.
type FieldView struct {
	// Domain is the filter an x2many field applies when it is read; nil where it has none. A related
	// field that is not stored applies that of the field it leads to instead.
	Domain schema.Domain
	// ActiveTest is active_test in the field's own context; nil where it says nothing.
	ActiveTest *bool
	// Opaque is why Domain or the context could not be understood; empty where they were. Such a
	// field is read by Odoo.
	Opaque string
}

// FieldsGetter asks Odoo for the description of a model's fields with the principal's own rights
// and companies: the method fields_get, whose keys are exactly the fields the user may read.
type FieldsGetter interface {
	FieldsGet(ctx context.Context, model string, attributes []string) (map[string]map[string]any, error)
}

// accessMemo remembers what was found out for a principal. It is shared by the copies of a
// principal that differ in nothing but the stamp.
type accessMemo struct {
	results sync.Map // accessKey → *accessResult
	flights flights[accessKey, *accessResult]
}

// accessKey holds the catalogue itself, since a result points into it.
type accessKey struct {
	catalogue *schema.Catalogue
	model     string
}

type accessResult struct {
	access *ModelAccess
	// dependent tells that evaluating the rules read records, so that the result may change
	// although the principal does not.
	dependent bool
}

// Access returns what the principal may read of a model, nil with no error where the catalogue does
// not know it. Results are kept for as long as the principal: rules are evaluated once, with the
// values that other records than the user's had then, as Odoo caches them too
// (addons/base/models/ir_rule.py, _compute_domain is an ormcache); a Directory looks again at
// MaxAge.
//
// q is used for values that rules ask for, as superuser; it should be a pool rather than a snapshot
// that is held, because callers for one model wait for each other. fields is asked once for a model.
// Errors are those of the database and of fields: nothing is assumed where either cannot be reached.
func (p *Principal) Access(ctx context.Context, q pg.Querier, c *schema.Catalogue, model string, fields FieldsGetter) (*ModelAccess, error) {
	key := accessKey{c, model}
	if known, ok := p.memo.results.Load(key); ok {
		return known.(*accessResult).access, nil
	}
	m := c.Model(model)
	if m == nil {
		return nil, nil
	}
	result, err := p.memo.flights.do(ctx, key, func() (*accessResult, error) {
		if known, ok := p.memo.results.Load(key); ok {
			return known.(*accessResult), nil
		}
		result, err := p.findAccess(ctx, &sqlRecords{q: q, catalogue: c}, c, m, fields)
		if err == nil {
			p.memo.results.Store(key, result)
		}
		return result, err
	})
	if err != nil {
		return nil, fmt.Errorf("access of user %d to %s: %w", p.UID, model, err)
	}
	return result.access, nil
}

func (p *Principal) findAccess(ctx context.Context, records records, c *schema.Catalogue, m *schema.Model, fields FieldsGetter) (*accessResult, error) {
	access := &ModelAccess{Model: m, Readable: p.policy.readable(p, m.Name)}
	e := newEvaluator(ctx, p, c, records, func(ctx context.Context, m *schema.Model) (map[string]FieldView, error) {
		return p.fieldViews(ctx, c, m, fields)
	})
	var err error
	access.Rule, access.Opaque, err = p.combinedRule(e, c, m)
	if err != nil {
		return nil, err
	}
	if access.Readable || m.Guard.Kind == schema.Guarded {
		if access.Fields, err = p.fieldViews(ctx, c, m, fields); err != nil {
			return nil, err
		}
	}
	return &accessResult{access: access, dependent: e.dependent}, nil
}

func (p *Principal) fieldViews(ctx context.Context, c *schema.Catalogue, m *schema.Model, fields FieldsGetter) (map[string]FieldView, error) {
	key := viewKey{p.viewKey, m.Name}
	if views := p.views.get(key); views != nil {
		return views, nil
	}
	views, err := describeFields(ctx, c, m, fields)
	if err != nil {
		return nil, fmt.Errorf("fields of %s: %w", m.Name, err)
	}
	return p.views.put(key, views), nil
}

// describeFields asks Odoo for the fields the user may read, and for the filters of those that are
// x2many. Some domains cannot be told over XML-RPC, which has no None: one None makes the whole
// answer fail (account.tax.report of 14.0 has one). Odoo then is asked for names only and, to tell
// that from a passing failure, once more for all; the x2many fields of such a model are opaque.
func describeFields(ctx context.Context, c *schema.Catalogue, m *schema.Model, fields FieldsGetter) (map[string]FieldView, error) {
	attributes := []string{"domain", "context"}
	described, err := fields.FieldsGet(ctx, m.Name, attributes)
	if err == nil {
		return newFieldViews(c, m, described), nil
	}
	visible, namesErr := fields.FieldsGet(ctx, m.Name, []string{"type"})
	if namesErr != nil {
		return nil, err
	}
	if described, err = fields.FieldsGet(ctx, m.Name, attributes); err == nil {
		return newFieldViews(c, m, described), nil
	}
	if ctx.Err() != nil {
		return nil, err
	}
	views := newFieldViews(c, m, visible)
	for name := range views {
		if m.Field(name).Type.X2many() {
			views[name] = FieldView{Opaque: "Odoo cannot describe its domain"}
		}
	}
	return views, nil
}

// Readable reports whether the model's ACL lets the principal read it.
func (p *Principal) Readable(model string) bool { return p.policy.readable(p, model) }
