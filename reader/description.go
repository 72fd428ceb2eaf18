package reader

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"lateral/auth"
	"lateral/schema"
)

// Description is what one user may know of the models, in the user's language.
type Description struct {
	Lang string
	// Readable holds the names of all models that the user may read and that no preset closes.
	Readable map[string]bool
	// Models are the described ones, by name, and the aliases of those that were asked for, by alias.
	Models map[string]*ModelDescription
}

// ModelDescription is what one user may know of a model.
type ModelDescription struct {
	Model *schema.Model
	// Alias is that which is described, empty of the model itself.
	Alias string
	Label string
	// Asked tells that the model was asked for; others are described because presets lead to them.
	Asked  bool
	Preset *schema.Preset
	Fields map[string]FieldDescription
}

// FieldDescription is what Odoo's fields_get tells of a field.
type FieldDescription struct {
	Label, Help        string
	Selection          [][2]string // value and label
	Required, ReadOnly bool
}

// describers is how many models Odoo is asked about at once.
const describers = 4

// Describe describes models to a user: those asked for, all that the user may read where there are
// none, and those that the presets of both lead to. A model that the user may not read is an error
// where it is asked for, and is not there otherwise. Errors are *Error.
func (r *Reader) Describe(ctx context.Context, who auth.Credentials, models []string) (*Description, error) {
	return present(ctx, r, who, func(c *schema.Catalogue, p *auth.Principal) (*Description, error) {
		return r.describe(ctx, who, c, p, models)
	})
}

// present tells something of the models as they are now, and tells it anew for as long as it finds that
// Odoo has signalled changes meanwhile: what was true before must neither be told nor be the reason for
// a refusal.
func present[T any](ctx context.Context, r *Reader, who auth.Credentials, tell func(c *schema.Catalogue, p *auth.Principal) (T, error)) (T, error) {
	var nothing T
	for range maxAttempts {
		c, policy, err := r.Current(ctx)
		if err != nil {
			return nothing, err
		}
		p, err := r.deps.Directory.Principal(ctx, r.deps.Pool, c, who.UID, nil)
		if err != nil {
			return nothing, classify(asError(err))
		}
		if p.Policy() != policy {
			continue
		}
		told, err := tell(c, p)
		err = r.unlessStale(ctx, c, p, asError(err))
		switch {
		case err == nil:
			return told, nil
		case !errors.Is(err, errStale):
			return nothing, classify(err)
		}
	}
	return nothing, changing(errStale)
}

func (r *Reader) describe(ctx context.Context, who auth.Credentials, c *schema.Catalogue, p *auth.Principal, models []string) (*Description, error) {
	d := &Description{Lang: p.Lang, Readable: map[string]bool{}, Models: map[string]*ModelDescription{}}
	presets := map[string]*schema.Preset{}
	for _, name := range c.ModelNames() {
		q := Query{Model: name}
		if !p.Readable(name) {
			continue
		}
		if err := r.findPreset(&q, c, p.Policy()); err == nil {
			d.Readable[name], presets[name] = true, q.Preset
		}
	}
	asked := models
	if len(asked) == 0 {
		asked = c.ModelNames()
	}
	aliases, err := r.describedAliases(c, p, presets)
	if err != nil {
		return nil, err
	}
	for _, name := range asked {
		switch {
		case d.Readable[name]:
			d.Models[name] = &ModelDescription{Asked: true}
		case aliases[name] != "": // below
		case len(models) > 0:
			return nil, r.unreadable(c, p, name)
		}
	}
	for alias, model := range aliases {
		if len(models) == 0 || slices.Contains(models, model) || slices.Contains(models, alias) {
			d.Models[alias] = &ModelDescription{Asked: true, Alias: alias}
		}
	}
	modelOf := func(name string) *schema.Model { return c.Model(cmp.Or(aliases[name], name)) }
	for name, m := range d.Models {
		if m.Asked {
			d.reach(c, modelOf(name), presets[name])
		}
	}
	labels, err := schema.ModelLabels(ctx, r.deps.Pool, c.Features, p.Lang)
	if err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(describers)
	for name, m := range d.Models {
		m.Model, m.Preset = modelOf(name), presets[name]
		m.Label = labels[m.Model.Name]
		if m.Alias != "" && d.Models[m.Model.Name] != nil {
			continue
		}
		group.Go(func() (err error) {
			m.Fields, err = r.describeFields(ctx, who, m.Model, p.Lang)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, m := range d.Models {
		if m.Fields == nil {
			m.Fields = d.Models[m.Model.Name].Fields
		}
	}
	return d, nil
}

// describedAliases returns the models of the aliases that the user may read, by alias, and adds their
// presets.
func (r *Reader) describedAliases(c *schema.Catalogue, p *auth.Principal, presets map[string]*schema.Preset) (map[string]string, error) {
	if r.deps.Presets == nil {
		return nil, nil
	}
	all, err := r.deps.Presets.Aliases(c, p.Policy())
	if err != nil {
		return nil, err
	}
	aliases := map[string]string{}
	for alias, model := range all {
		q := Query{Model: model, Alias: alias}
		if !p.Readable(model) {
			continue
		}
		if err := r.findPreset(&q, c, p.Policy()); err == nil {
			aliases[alias], presets[alias] = model, q.Preset
		}
	}
	return aliases, nil
}

// unreadable is why a model that was asked for cannot be described.
func (r *Reader) unreadable(c *schema.Catalogue, p *auth.Principal, name string) error {
	switch {
	case c.Model(name) == nil:
		return &Error{Kind: ModelNotFound, Path: name, Message: fmt.Sprintf("there is no model %q", name)}
	case !p.Readable(name):
		return denied("the user may not read the model %s", name)
	}
	return r.findPreset(&Query{Model: name}, c, p.Policy())
}

// reach adds the models that the preset of a described one leads to, at any depth.
func (d *Description) reach(c *schema.Catalogue, m *schema.Model, preset *schema.Preset) {
	var walk func(m *schema.Model, items []schema.Item)
	walk = func(m *schema.Model, items []schema.Item) {
		for _, item := range items {
			f := m.Field(item.Name)
			if item.Sub == nil || f == nil || c.Model(f.Comodel) == nil {
				continue
			}
			d.add(f.Comodel)
			walk(c.Model(f.Comodel), item.Sub.Items)
		}
	}
	if preset != nil {
		for _, tree := range []*schema.Tree{preset.ReadAll, preset.ReadOne, preset.CreateOne} {
			if tree != nil {
				walk(m, tree.Items)
			}
		}
	}
}

func (d *Description) add(model string) {
	if d.Readable[model] && d.Models[model] == nil {
		d.Models[model] = &ModelDescription{}
	}
}

// describeFields asks Odoo, as the user, for the fields of a model. Some descriptions cannot be told
// over XML-RPC, which has no None; of such a model the names of the fields are asked for.
func (r *Reader) describeFields(ctx context.Context, who auth.Credentials, m *schema.Model, lang string) (map[string]FieldDescription, error) {
	told, err := r.fieldsGet(ctx, who, m.Name, lang, "string", "help", "selection", "required", "readonly")
	if err != nil && ctx.Err() == nil {
		told, err = r.fieldsGet(ctx, who, m.Name, lang, "string")
	}
	if err != nil {
		return nil, err
	}
	fields := make(map[string]FieldDescription, len(told))
	for name, value := range told {
		attributes, _ := value.(map[string]any)
		if m.Field(name) == nil || attributes == nil {
			continue
		}
		var d FieldDescription
		d.Label, _ = attributes["string"].(string)
		d.Help, _ = attributes["help"].(string)
		d.Required, _ = attributes["required"].(bool)
		d.ReadOnly, _ = attributes["readonly"].(bool)
		if m.Field(name).Type == schema.Selection {
			d.Selection = choices(attributes["selection"])
		}
		fields[name] = d
	}
	return fields, nil
}

func (r *Reader) fieldsGet(ctx context.Context, who auth.Credentials, model, lang string, attributes ...string) (map[string]any, error) {
	names := make([]any, len(attributes))
	for i, name := range attributes {
		names[i] = name
	}
	kwargs := map[string]any{"attributes": names}
	if lang != "" {
		kwargs["context"] = map[string]any{"lang": lang}
	}
	result, err := r.deps.Odoo.Execute(ctx, who, model, "fields_get", nil, kwargs)
	if err != nil {
		return nil, fmt.Errorf("fields_get of %s: %w", model, err)
	}
	told, ok := result.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("fields_get of %s: %T is no description of fields", model, result)
	}
	return told, nil
}

// choices reads a selection as fields_get tells it: a list of pairs.
func choices(v any) [][2]string {
	list, _ := v.([]any)
	pairs := make([][2]string, 0, len(list))
	for _, item := range list {
		pair, _ := item.([]any)
		if len(pair) != 2 {
			return nil
		}
		value, isText := pair[0].(string)
		if !isText {
			return nil
		}
		label, _ := pair[1].(string)
		pairs = append(pairs, [2]string{value, label})
	}
	return pairs
}
