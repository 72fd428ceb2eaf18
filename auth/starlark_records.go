package auth

import (
	"errors"
	"fmt"
	"slices"

	"go.starlark.net/starlark"

	"lateral/schema"
)

// recordset is a Python recordset in superuser mode and with an empty context, which is how rules
// see their user.
type recordset struct {
	e     *evaluator
	model *schema.Model
	ids   []int64 // without duplicates
}

func (e *evaluator) recordset(m *schema.Model, ids ...int64) *recordset {
	return &recordset{e: e, model: m, ids: ids}
}

// Starlark's own interfaces: a recordset can be iterated, counted and tested for emptiness.

func (r *recordset) String() string       { return fmt.Sprintf("%s%v", r.model.Name, r.ids) }
func (r *recordset) Type() string         { return "recordset" }
func (r *recordset) Freeze()              {}
func (r *recordset) Truth() starlark.Bool { return len(r.ids) > 0 }
func (r *recordset) Len() int             { return len(r.ids) }

func (r *recordset) Hash() (uint32, error) { return 0, errors.New("it makes a set of records") }

func (r *recordset) Iterate() starlark.Iterator { return &recordIterator{records: r} }

type recordIterator struct {
	records *recordset
	next    int
}

func (i *recordIterator) Next(value *starlark.Value) bool {
	if i.next == len(i.records.ids) {
		return false
	}
	*value = i.records.e.recordset(i.records.model, i.records.ids[i.next])
	i.next++
	return true
}

func (i *recordIterator) Done() {}

func (r *recordset) holds(id int64) bool { return slices.Contains(r.ids, id) }

// equal ignores the order, as Odoo's __eq__ does.
func (r *recordset) equal(other *recordset) bool {
	if r.model != other.model || len(r.ids) != len(other.ids) {
		return false
	}
	for _, id := range r.ids {
		if !other.holds(id) {
			return false
		}
	}
	return true
}

// attribute returns a method or the value of a field.
func (r *recordset) attribute(name string) (starlark.Value, error) {
	switch name {
	case "id":
		return r.id()
	case "ids":
		ids := make([]starlark.Value, len(r.ids))
		for i, id := range r.ids {
			ids[i] = starlark.MakeInt64(id)
		}
		return starlark.NewList(ids), nil
	case "env":
		return &environment{r.e}, nil
	case "mapped":
		return r.method(name, r.mapped), nil
	case "sudo":
		return r.method(name, func(string) (starlark.Value, error) { return r, nil }), nil
	case "has_group", "has_groups", "_is_internal", "_is_portal", "_is_public", "_is_system":
		return r.groupMethod(name)
	}
	return r.field(name)
}

// id is False for no record, and an error for several.
func (r *recordset) id() (starlark.Value, error) {
	switch len(r.ids) {
	case 0:
		return starlark.False, nil
	case 1:
		return starlark.MakeInt64(r.ids[0]), nil
	}
	return nil, r.notSingle()
}

func (r *recordset) notSingle() error {
	return fmt.Errorf("it expects one record of %s where there are %d", r.model.Name, len(r.ids))
}

// method makes a method of at most one text as argument.
func (r *recordset) method(name string, call func(argument string) (starlark.Value, error)) starlark.Value {
	return starlark.NewBuiltin(name, func(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		var argument string
		required := 1
		if name == "sudo" {
			required = 0
			if len(args) > 0 {
				return nil, errors.New("it calls sudo with an argument")
			}
		}
		if err := starlark.UnpackPositionalArgs(b.Name(), args, kwargs, required, &argument); err != nil {
			return nil, err
		}
		return call(argument)
	})
}

// field returns what Python's attribute access gives: the union of relational values; of other
// fields the value of the only record, or what stands for none.
func (r *recordset) field(name string) (starlark.Value, error) {
	f := r.model.Field(name)
	if f == nil {
		return nil, fmt.Errorf("it asks %s for %s", r.model.Name, name)
	}
	if f.Type.Relational() {
		return r.related(f)
	}
	switch len(r.ids) {
	case 0:
		return emptyValue(f)
	case 1:
		values, err := r.e.scalars(f, r.ids)
		if err != nil {
			return nil, err
		}
		return scalarValue(f, values[r.ids[0]])
	}
	return nil, r.notSingle()
}

func (r *recordset) related(f *schema.Field) (*recordset, error) {
	comodel := r.e.catalogue.Model(f.Comodel)
	if comodel == nil {
		return nil, fmt.Errorf("the model %s is unknown", f.Comodel)
	}
	links, err := r.e.links(f, r.ids)
	if err != nil {
		return nil, err
	}
	var union []int64
	seen := map[int64]bool{}
	for _, id := range r.ids {
		for _, target := range links[id] {
			if !seen[target] {
				seen[target] = true
				union = append(union, target)
			}
		}
	}
	return r.e.recordset(comodel, union...), nil
}

// mapped follows a path; its last field may be of any type and then gives one value per record.
func (r *recordset) mapped(path string) (starlark.Value, error) {
	current := r
	names := splitPath(path)
	for i, name := range names {
		f := current.model.Field(name)
		if f == nil {
			return nil, fmt.Errorf("it maps %s to %s", current.model.Name, name)
		}
		if f.Type.Relational() {
			next, err := current.related(f)
			if err != nil {
				return nil, err
			}
			current = next
			continue
		}
		if i < len(names)-1 {
			return nil, fmt.Errorf("it maps beyond %s", name)
		}
		values, err := r.e.scalars(f, current.ids)
		if err != nil {
			return nil, err
		}
		list := make([]starlark.Value, len(current.ids))
		for j, id := range current.ids {
			if list[j], err = scalarValue(f, values[id]); err != nil {
				return nil, err
			}
		}
		return starlark.NewList(list), nil
	}
	return current, nil
}

// scalarValue turns a value of the database into Python's, NULL being nil.
func scalarValue(f *schema.Field, value any) (starlark.Value, error) {
	switch v := value.(type) {
	case nil:
		return emptyValue(f)
	case bool:
		return starlark.Bool(v), nil
	case int64:
		return starlark.MakeInt64(v), nil
	case float64:
		return starlark.Float(v), nil
	case string:
		return starlark.String(v), nil
	}
	return nil, fmt.Errorf("it reads %s", f.Name)
}

// emptyValue is what a field has without a record or with NULL.
func emptyValue(f *schema.Field) (starlark.Value, error) {
	switch f.Type {
	case schema.Integer:
		return starlark.MakeInt(0), nil
	case schema.Float, schema.Monetary:
		return starlark.Float(0), nil
	case schema.Boolean, schema.Char, schema.Text, schema.HTML, schema.Selection:
		return starlark.False, nil
	}
	return nil, fmt.Errorf("it reads %s, which is of type %s", f.Name, f.Type)
}

// environment is the env of the rule's user. Since the user comes with an empty context, its
// companies are all of the user's, and its company the default one, whatever the request allows.
type environment struct{ e *evaluator }

func (v *environment) String() string        { return "env" }
func (v *environment) Type() string          { return "env" }
func (v *environment) Freeze()               {}
func (v *environment) Truth() starlark.Bool  { return true }
func (v *environment) Hash() (uint32, error) { return 0, errors.New("it makes a set of env") }

func (v *environment) attribute(name string) (starlark.Value, error) {
	p, c := v.e.principal, v.e.catalogue
	companies, users := c.Model("res.company"), c.Model("res.users")
	switch {
	case name == "company" && companies != nil && p.DefaultCompany != 0:
		return v.e.recordset(companies, p.DefaultCompany), nil
	case name == "companies" && companies != nil:
		return v.e.recordset(companies, p.userCompanies...), nil
	case name == "user" && users != nil:
		return v.e.recordset(users, p.UID), nil
	case name == "uid":
		return starlark.MakeInt64(p.UID), nil
	case name == "ref":
		return starlark.NewBuiltin(name, func(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
			var xmlid string
			if err := starlark.UnpackPositionalArgs(b.Name(), args, kwargs, 1, &xmlid); err != nil {
				return nil, err
			}
			return v.e.reference(xmlid)
		}), nil
	}
	return nil, fmt.Errorf("it asks env for %s", name)
}

var (
	_ starlark.Sequence = (*recordset)(nil)
	_ starlark.Value    = (*environment)(nil)
)
