package endpoint

import (
	"bytes"
	"encoding/json"
	"maps"

	"go.starlark.net/starlark"

	"lateral/schema"
	"lateral/server"
	"lateral/writer"
)

// change is what a write is made of.
type change struct {
	catalogue *schema.Catalogue
	model     *schema.Model
	values    map[string]writer.Input // of a create or an update
	context   map[string]any          // of the call
}

// writing prepares a write: the reads before it are over, those after it see it. Values are nil where
// the write has none.
func (m *model) writing(meter *meter, values, callContext *starlark.Dict) (*change, error) {
	given, err := inputs(meter, values)
	if err != nil {
		return nil, err
	}
	r := m.run
	c, err := r.odoo.Catalogues(r.ctx)
	if err != nil {
		return nil, r.fail(err)
	}
	found := c.Model(m.name)
	if found == nil {
		return nil, r.fail(&server.Refusal{Status: 404, Code: "model_not_found", Text: "There is no model '" + m.name + "'."})
	}
	user, err := r.whois()
	if err != nil {
		return nil, err
	}
	merged := map[string]any{}
	if user.Lang != "" {
		merged["lang"] = user.Lang
	}
	if user.Tz != "" {
		merged["tz"] = user.Tz
	}
	if callContext != nil {
		extra, err := nativeObject(meter, callContext, 0)
		if err != nil {
			return nil, err
		}
		maps.Copy(merged, extra)
	}
	if err := r.request.Written(r.ctx); err != nil {
		return nil, r.fail(err)
	}
	return &change{catalogue: c, model: found, values: given, context: merged}, nil
}

// refused ends the script with a write that failed.
func (m *model) refused(operation string, err error) error {
	return m.run.fail(&server.WriteError{Operation: operation, Err: err})
}

func inputs(meter *meter, values *starlark.Dict) (map[string]writer.Input, error) {
	if values == nil {
		return nil, nil
	}
	plain, err := nativeObject(meter, values, 0)
	if err != nil {
		return nil, err
	}
	given := make(map[string]writer.Input, len(plain))
	for name, v := range plain {
		given[name] = writer.Input{Value: v}
	}
	return given, nil
}

// create creates a record in one Odoo transaction and returns its id.
func (m *model) create(meter *meter, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var values, callContext *starlark.Dict
	if err := starlark.UnpackArgs("create", args, kwargs, "values", &values, "context?", &callContext); err != nil {
		return nil, err
	}
	change, err := m.writing(meter, values, callContext)
	if err != nil {
		return nil, err
	}
	converted, err := writer.CreateValues(change.catalogue, change.model, change.values)
	if err != nil {
		return nil, m.refused("create_one", err)
	}
	id, err := writer.Create(m.run.ctx, m.run.odoo.Caller, m.run.request.Who, m.name, converted, change.context)
	if err != nil {
		return nil, m.refused("create_one", err)
	}
	return starlark.MakeInt64(id), nil
}

// write changes records in one Odoo transaction.
func (m *model) write(meter *meter, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var ids starlark.Value
	var values, callContext *starlark.Dict
	if err := starlark.UnpackArgs("write", args, kwargs, "ids", &ids, "values", &values, "context?", &callContext); err != nil {
		return nil, err
	}
	list, err := idList(ids)
	if err != nil {
		return nil, err
	}
	change, err := m.writing(meter, values, callContext)
	if err != nil {
		return nil, err
	}
	converted, err := writer.UpdateValues(change.catalogue, change.model, change.values)
	if err == nil {
		err = writer.Update(m.run.ctx, m.run.odoo.Caller, m.run.request.Who, m.name, list, converted, change.context)
	}
	if err != nil {
		return nil, m.refused("update_one", err)
	}
	return starlark.True, nil
}

// unlink deletes records in one Odoo transaction.
func (m *model) unlink(meter *meter, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var ids starlark.Value
	var callContext *starlark.Dict
	if err := starlark.UnpackArgs("unlink", args, kwargs, "ids", &ids, "context?", &callContext); err != nil {
		return nil, err
	}
	list, err := idList(ids)
	if err != nil {
		return nil, err
	}
	change, err := m.writing(meter, nil, callContext)
	if err != nil {
		return nil, err
	}
	if err := writer.Delete(m.run.ctx, m.run.odoo.Caller, m.run.request.Who, m.name, list, change.context); err != nil {
		return nil, m.refused("delete_one", err)
	}
	return starlark.True, nil
}

// call calls a method in one Odoo transaction: call("action_confirm", [7], name=value, context={}).
func (m *model) call(meter *meter, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var method string
	var ids starlark.Value = starlark.Tuple{}
	if err := starlark.UnpackPositionalArgs("call", args, nil, 1, &method, &ids); err != nil {
		return nil, err
	}
	list, err := idList(ids)
	if err != nil {
		return nil, err
	}
	var callContext *starlark.Dict
	arguments := map[string]any{}
	for _, pair := range kwargs {
		name, _ := starlark.AsString(pair[0])
		if given, ok := pair[1].(*starlark.Dict); ok && name == "context" {
			callContext = given
			continue
		}
		if arguments[name], err = native(meter, pair[1], 0); err != nil {
			return nil, err
		}
	}
	change, err := m.writing(meter, nil, callContext)
	if err != nil {
		return nil, err
	}
	result, err := m.run.odoo.Methods.Call(m.run.ctx, m.run.request.Who, change.catalogue, m.name, method, list, arguments, change.context)
	if err != nil {
		return nil, m.refused("call_method", err)
	}
	if len(bytes.TrimSpace(result)) == 0 || !json.Valid(result) {
		return starlark.None, nil
	}
	return document(meter, result)
}
