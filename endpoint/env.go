package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"go.starlark.net/starlark"

	"lateral/auth"
	"lateral/reader"
	"lateral/schema"
	"lateral/server"
	"lateral/writer"
)

// Odoo is what scripts reach of Odoo, with the user's own rights.
type Odoo struct {
	Caller  writer.Caller
	Methods *writer.Methods
	// Catalogues returns the present catalogue; values are checked against it.
	Catalogues func(ctx context.Context) (*schema.Catalogue, error)
	Users      server.Users
	// Administrator reports whether a user may know the code of endpoints.
	Administrator func(ctx context.Context, who auth.Credentials) (bool, error)
}

// run is one request that a script answers. It is used by one goroutine.
type run struct {
	ctx     context.Context
	request *server.Request
	odoo    Odoo
	user    *server.User
	// fault is the error of a read or a write that ended the script: Starlark makes texts of errors.
	fault error
}

func (r *run) fail(err error) error {
	r.fault = err
	return err
}

// environment is env: env["sale.order"] is a model.
type environment struct{ run *run }

func (e *environment) String() string        { return "env" }
func (e *environment) Type() string          { return "env" }
func (e *environment) Freeze()               {}
func (e *environment) Truth() starlark.Bool  { return true }
func (e *environment) Hash() (uint32, error) { return 0, errors.New("env cannot be a key") }

// Get returns the model of a name.
func (e *environment) Get(key starlark.Value) (starlark.Value, bool, error) {
	name, ok := starlark.AsString(key)
	if !ok {
		return nil, false, errors.New("a model's name is a text")
	}
	return &model{run: e.run, name: name}, true, nil
}

func (e *environment) AttrNames() []string { return []string{"lang", "tz", "uid"} }

func (e *environment) Attr(name string) (starlark.Value, error) {
	if name == "uid" {
		return starlark.MakeInt64(e.run.request.Who.UID), nil
	}
	if name != "lang" && name != "tz" {
		return nil, nil
	}
	user, err := e.run.whois()
	if err != nil {
		return nil, err
	}
	if name == "lang" {
		return starlark.String(user.Lang), nil
	}
	return starlark.String(user.Tz), nil
}

func (r *run) whois() (*server.User, error) {
	if r.user == nil {
		user, err := r.odoo.Users.User(r.ctx, r.request.Who.UID)
		if err != nil {
			return nil, r.fail(err)
		}
		r.user = &user
	}
	return r.user, nil
}

// model is env["sale.order"].
type model struct {
	run  *run
	name string
}

func (m *model) String() string        { return fmt.Sprintf("env[%q]", m.name) }
func (m *model) Type() string          { return "model" }
func (m *model) Freeze()               {}
func (m *model) Truth() starlark.Bool  { return true }
func (m *model) Hash() (uint32, error) { return 0, errors.New("a model cannot be a key") }

var modelMethods = map[string]func(*model, *meter, starlark.Tuple, []starlark.Tuple) (starlark.Value, error){
	"search_read": (*model).searchRead, "search": (*model).search, "search_count": (*model).searchCount, "read": (*model).read,
	"create": (*model).create, "write": (*model).write, "unlink": (*model).unlink, "call": (*model).call,
}

func (m *model) AttrNames() []string { return slices.Sorted(maps.Keys(modelMethods)) }

func (m *model) Attr(name string) (starlark.Value, error) {
	method, ok := modelMethods[name]
	if !ok {
		return nil, nil
	}
	return starlark.NewBuiltin(name, func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		return method(m, meterOf(thread), args, kwargs)
	}), nil
}

// noPreset stands for that of any model: scripts choose fields and records themselves. It is one
// because statements are cached by the presets' addresses.
var noPreset = &schema.Preset{Available: true}

// query returns a read of the model, which follows no preset.
func (m *model) query(meter *meter, callContext *starlark.Dict) (reader.Query, error) {
	q := reader.Query{Model: m.name, Profile: reader.Typed(), Preset: noPreset}
	if callContext != nil {
		var err error
		if q.Context, err = nativeObject(meter, callContext, 0); err != nil {
			return q, err
		}
	}
	return q, nil
}

// find makes the query of a search from its arguments.
func (m *model) find(meter *meter, name string, args starlark.Tuple, kwargs []starlark.Tuple) (reader.Query, error) {
	var domain, fields starlark.Value = starlark.None, starlark.None
	var order string
	var offset, limit int64
	var callContext *starlark.Dict
	pairs := []any{"domain?", &domain, "offset?", &offset, "limit?", &limit, "order?", &order, "context?", &callContext}
	if name == "search_read" {
		pairs = slices.Insert(pairs, 2, any("fields?"), any(&fields))
	}
	if err := starlark.UnpackArgs(name, args, kwargs, pairs...); err != nil {
		return reader.Query{}, err
	}
	q, err := m.query(meter, callContext)
	if err != nil {
		return q, err
	}
	q.Order, q.Offset, q.Limit = order, offset, limit
	if q.Filters, err = native(meter, domain, 0); err != nil {
		return q, err
	}
	return q, m.choose(&q, meter, fields)
}

// choose sets the fields of a query; None leaves it as it is.
func (m *model) choose(q *reader.Query, meter *meter, fields starlark.Value) (err error) {
	if fields == starlark.None {
		return nil
	}
	q.Exclude = "*"
	q.Include, err = native(meter, fields, 0)
	return err
}

// rows reads all records of a query.
func (m *model) rows(meter *meter, q reader.Query) ([]starlark.Value, error) {
	var list []starlark.Value
	err := m.each(q, func(text []byte) error {
		v, err := document(meter, text)
		list = append(list, v)
		return err
	})
	return list, err
}

// each reads the records of a query one by one. An error of the reader ends the script.
func (m *model) each(q reader.Query, do func(text []byte) error) error {
	rows, err := m.run.request.Read(m.run.ctx, q)
	if err != nil {
		return m.run.fail(err)
	}
	defer rows.Close()
	for {
		text, err := rows.Next(m.run.ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return m.run.fail(err)
		}
		if err := do(text); err != nil {
			return err
		}
	}
}

func (m *model) searchRead(meter *meter, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	q, err := m.find(meter, "search_read", args, kwargs)
	if err != nil {
		return nil, err
	}
	list, err := m.rows(meter, q)
	return starlark.NewList(list), err
}

func (m *model) search(meter *meter, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	q, err := m.find(meter, "search", args, kwargs)
	if err != nil {
		return nil, err
	}
	q.Exclude = "*"
	ids := []starlark.Value{}
	err = m.each(q, func(text []byte) error {
		id, err := idOf(text)
		ids = append(ids, starlark.MakeInt64(id))
		return errors.Join(err, meter.spend(elementSize))
	})
	return starlark.NewList(ids), err
}

func idOf(text []byte) (int64, error) {
	var record struct{ ID int64 }
	if err := json.Unmarshal(text, &record); err != nil {
		return 0, fmt.Errorf("the id of a record: %w", err)
	}
	return record.ID, nil
}

func (m *model) searchCount(meter *meter, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var domain starlark.Value = starlark.None
	var callContext *starlark.Dict
	if err := starlark.UnpackArgs("search_count", args, kwargs, "domain?", &domain, "context?", &callContext); err != nil {
		return nil, err
	}
	q, err := m.query(meter, callContext)
	if err != nil {
		return nil, err
	}
	if q.Filters, err = native(meter, domain, 0); err != nil {
		return nil, err
	}
	q.Exclude, q.Limit, q.Count = "*", 1, true
	rows, err := m.run.request.Read(m.run.ctx, q)
	if err != nil {
		return nil, m.run.fail(err)
	}
	defer rows.Close()
	total, _ := rows.Total()
	return starlark.MakeInt64(total), nil
}

// read reads records by their ids, archived ones too, in the order of the ids. Those that are not
// there, or not for this user, are left out.
func (m *model) read(meter *meter, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var given starlark.Value
	var fields starlark.Value = starlark.None
	callContext := starlark.NewDict(1)
	if err := starlark.UnpackArgs("read", args, kwargs, "ids", &given, "fields?", &fields, "context?", &callContext); err != nil {
		return nil, err
	}
	ids, err := idList(given)
	if err != nil {
		return nil, err
	}
	q, err := m.query(meter, callContext)
	if err != nil {
		return nil, err
	}
	q.Context["active_test"] = false
	q.Filters = []any{schema.Tuple{"id", "in", anyList(ids)}}
	if err := m.choose(&q, meter, fields); err != nil {
		return nil, err
	}
	if fields == starlark.None {
		q.Exclude, q.Include = "*", []any{"display_name"}
	}
	found := make(map[int64]starlark.Value, len(ids))
	err = m.each(q, func(text []byte) error {
		id, err := idOf(text)
		if err != nil {
			return err
		}
		found[id], err = document(meter, text)
		return err
	})
	if err != nil {
		return nil, err
	}
	list := make([]starlark.Value, 0, len(ids))
	for _, id := range ids {
		if v, ok := found[id]; ok {
			list = append(list, v)
		}
	}
	return starlark.NewList(list), nil
}

// idList takes an id or a list of ids.
func idList(v starlark.Value) ([]int64, error) {
	if n, ok := v.(starlark.Int); ok {
		v = starlark.Tuple{n}
	}
	list, ok := v.(starlark.Indexable)
	if _, isText := v.(starlark.String); !ok || isText {
		return nil, fmt.Errorf("ids are a list of integers, not a %s", v.Type())
	}
	ids := make([]int64, list.Len())
	for i := range ids {
		n, ok := list.Index(i).(starlark.Int)
		id, fits := n.Int64()
		if !ok || !fits || id < 1 {
			return nil, errors.New("an id is a positive integer")
		}
		ids[i] = id
	}
	return ids, nil
}

func anyList(ids []int64) []any {
	list := make([]any, len(ids))
	for i, id := range ids {
		list[i] = id
	}
	return list
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
