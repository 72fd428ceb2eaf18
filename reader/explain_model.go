package reader

import (
	"context"

	"lateral/auth"
	"lateral/schema"
)

// ModelFields is what one user may know of a model's fields and of what reading them costs.
type ModelFields struct {
	Model string
	Label string
	// Path is how one record of the model is read, Reason why it is not direct: all fields of a model that
	// is read through Odoo are.
	Path   string
	Reason string
	Fields []FieldCost
}

// FieldCost is one field that the user may read.
type FieldCost struct {
	FieldDescription
	NodeCost
	Field *schema.Field
	// Comodel is the model of a relational field, where it is there and the user may read it.
	Comodel string
}

// Fields lists the fields of a model that the user may read, by name, with what each costs as a plain
// name. Errors are *Error.
func (r *Reader) Fields(ctx context.Context, who auth.Credentials, model string) (*ModelFields, error) {
	return present(ctx, r, who, func(c *schema.Catalogue, p *auth.Principal) (*ModelFields, error) {
		m, access, err := r.explored(ctx, who, c, p, model)
		if err != nil {
			return nil, err
		}
		readContext := Context{}.withUser(p)
		described, err := r.describeFields(ctx, who, m, p.Lang)
		if err != nil {
			return nil, err
		}
		labels, err := schema.ModelLabels(ctx, r.deps.Pool, c.Features, p.Lang)
		if err != nil {
			return nil, err
		}
		fields := &ModelFields{Model: model, Label: labels[model], Path: PathDirect}
		all := &schema.Tree{}
		for _, name := range m.FieldNames() {
			_, visible := access.Fields[name]
			if _, told := described[name]; visible && told {
				all.Items = append(all.Items, schema.Item{Name: name})
			}
		}
		q := Query{Model: model, One: true, Profile: Typed(), Preset: &schema.Preset{Model: model, ReadOne: all, Available: true}}
		made, err := r.compiled(ctx, who, c, p, q, readContext)
		if err != nil {
			return nil, err
		}
		if made.plan.Delegate != "" {
			fields.Path, fields.Reason = PathOdoo, made.plan.Delegate
		}
		for _, cost := range nodeCosts(made.plan) {
			f := FieldCost{FieldDescription: described[cost.Path], NodeCost: cost, Field: m.Field(cost.Path)}
			if f.Field.Type.Relational() && c.Model(f.Field.Comodel) != nil && p.Readable(f.Field.Comodel) {
				f.Comodel = f.Field.Comodel
			}
			fields.Fields = append(fields.Fields, f)
		}
		return fields, nil
	})
}

// LabelField returns the field that tells records of a model apart, id where there is none better. It
// fails where the user may not read the model, or where it is closed. Errors are *Error.
func (r *Reader) LabelField(ctx context.Context, who auth.Credentials, model string) (string, error) {
	return present(ctx, r, who, func(c *schema.Catalogue, p *auth.Principal) (string, error) {
		m, access, err := r.explored(ctx, who, c, p, model)
		if err != nil {
			return "", err
		}
		return labelField(m, access), nil
	})
}

// explored returns a model that the user may look into, and the user's access to it. Models that a preset
// closes are open to administrators, who may open them anyway.
func (r *Reader) explored(ctx context.Context, who auth.Credentials, c *schema.Catalogue, p *auth.Principal, model string) (*schema.Model, *auth.ModelAccess, error) {
	m := c.Model(model)
	if m == nil || !p.Readable(model) {
		return nil, nil, r.unreadable(c, p, model)
	}
	if err := r.findPreset(&Query{Model: model}, c, p.Policy()); err != nil && !p.Administrator() {
		return nil, nil, err
	}
	access, err := r.accessor(ctx, who, c, p, Context{})(model)
	return m, access, err
}

// labelField is the field to tell records of a model apart by, of those the user may read.
func labelField(m *schema.Model, access *auth.ModelAccess) string {
	for _, name := range []string{m.LabelField, m.RecName, "display_name"} {
		if _, visible := access.Fields[name]; visible && m.Field(name) != nil && m.Field(name).Type == schema.Char {
			return name
		}
	}
	return "id"
}

// ListedModel is one model that a user may read.
type ListedModel struct {
	Name  string
	Label string
	// Preset tells that a preset is in force, Closed that it closes the model, which only
	// administrators are told of.
	Preset, Closed bool
}

// ModelList is what one user may read.
type ModelList struct {
	Administrator bool
	Models        []ListedModel // by name
}

// Models lists the models that the user may read. Errors are *Error.
func (r *Reader) Models(ctx context.Context, who auth.Credentials) (*ModelList, error) {
	return present(ctx, r, who, func(c *schema.Catalogue, p *auth.Principal) (*ModelList, error) {
		labels, err := schema.ModelLabels(ctx, r.deps.Pool, c.Features, p.Lang)
		if err != nil {
			return nil, err
		}
		list := &ModelList{Administrator: p.Administrator()}
		for _, name := range c.ModelNames() {
			if !p.Readable(name) {
				continue
			}
			q := Query{Model: name}
			if err := r.findPreset(&q, c, p.Policy()); err != nil && (q.Preset == nil || !list.Administrator) {
				continue
			}
			closed := q.Preset != nil && !q.Preset.Available
			list.Models = append(list.Models, ListedModel{Name: name, Label: labels[name], Preset: q.Preset != nil, Closed: closed})
		}
		return list, nil
	})
}
