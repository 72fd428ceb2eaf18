package server

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"lateral/auth"
	"lateral/reader"
	"lateral/schema"
	"lateral/writer"
)

// change is a write under way: what has been checked of it before Odoo is asked.
type change struct {
	x         *exchange
	ctx       context.Context
	who       auth.Credentials
	catalogue *schema.Catalogue
	model     *schema.Model
	preset    *schema.Preset // nil without one
	ids       []int64        // of the path; nil of a create
	params    params
	context   map[string]any // of the call: the user's language and time zone under __context__
}

// create answers POST /<model>: the parameters are the fields' values.
func (s *Server) create(x *exchange) {
	x.success = x.profile.created
	x.write(creating, noIDs, func(c *change) ([]byte, error) {
		values, err := writer.CreateValues(c.catalogue, c.model, c.withDefaults(c.params.inputs()))
		if err != nil {
			return nil, err
		}
		id, err := writer.Create(c.ctx, s.deps.Caller, c.who, c.model.Name, values, c.context)
		if err != nil {
			return nil, err
		}
		return c.created(id), nil
	})
}

// update answers PUT /<model>/<id>[,<id>…]: the other parameters are the fields' new values.
func (s *Server) update(x *exchange) {
	x.write(updating, recordIDs, func(c *change) ([]byte, error) {
		values, err := writer.UpdateValues(c.catalogue, c.model, c.params.inputs())
		if err != nil {
			return nil, err
		}
		return []byte("{}"), writer.Update(c.ctx, s.deps.Caller, c.who, c.model.Name, c.ids, values, c.context)
	})
}

// remove answers DELETE /<model>/<id>[,<id>…].
func (s *Server) remove(x *exchange) {
	x.write(deleting, recordIDs, func(c *change) ([]byte, error) {
		return []byte("{}"), writer.Delete(c.ctx, s.deps.Caller, c.who, c.model.Name, c.ids, c.context)
	})
}

// call answers PUT /<model>/<ids>/<method>: the parameters are the method's named arguments.
func (s *Server) call(x *exchange) {
	x.write(calling, callIDs, func(c *change) ([]byte, error) {
		segment, _ := x.ctx.UserValue("method").(string)
		method, err := unescape(segment, false)
		if err != nil {
			return nil, noMethod("There is no method " + quoted(segment) + ".")
		}
		arguments := make(map[string]any, len(c.params))
		for name, found := range c.params {
			switch {
			case name == "__context__":
			case found.isText:
				arguments[name] = schema.ParseParam(found.text)
			default:
				arguments[name] = found.value
			}
		}
		return s.deps.Methods.Call(c.ctx, c.who, c.catalogue, c.model.Name, method, c.ids, arguments, c.context)
	})
}

// write checks a write in the order of the contract – token, model, id, work –, does it and answers.
func (x *exchange) write(op operation, ids func(segment string) ([]int64, error), do func(*change) ([]byte, error)) {
	body, err := x.doWrite(op, ids, do)
	if err != nil {
		x.fail(err)
		return
	}
	x.send(x.success, body)
}

func (x *exchange) doWrite(op operation, ids func(segment string) ([]int64, error), do func(*change) ([]byte, error)) ([]byte, error) {
	c := &change{x: x}
	var err error
	if c.who, err = x.authenticate(); err != nil {
		return nil, err
	}
	if err := x.findModel(); err != nil {
		return nil, err
	}
	work := x.work()
	defer work.cancel()
	c.ctx = work.ctx
	if c.catalogue, err = x.s.deps.Catalogues(c.ctx); err != nil {
		return nil, endedBy(c.ctx, err)
	}
	if c.model = c.catalogue.Model(x.model); c.model == nil {
		return nil, noModel(x.model)
	}
	if c.preset, err = x.preset(c.ctx); err != nil {
		return nil, endedBy(c.ctx, err)
	}
	if c.preset != nil && c.preset.SuccessCodes[op.name] != 0 {
		x.success = c.preset.SuccessCodes[op.name]
	}
	segment, _ := x.ctx.UserValue("id").(string)
	if c.ids, err = ids(segment); err != nil {
		return nil, err
	}
	if c.params, err = readParams(x.ctx); err != nil {
		return nil, err
	}
	if c.context, err = x.callContext(c.ctx, c.who, c.params); err != nil {
		return nil, notDone(c.ctx, op, err)
	}
	body, err := do(c)
	if err != nil {
		return nil, notDone(c.ctx, op, err)
	}
	return body, nil
}

// withDefaults adds what the preset lays down for new records. Profiles differ in whose word is the
// last one.
func (c *change) withDefaults(inputs map[string]writer.Input) map[string]writer.Input {
	if c.preset == nil {
		return inputs
	}
	for name, value := range c.preset.Defaults {
		if _, given := inputs[name]; !given || !c.x.profile.clientFirst {
			inputs[name] = writer.Input{Value: value}
		}
	}
	return inputs
}

// created is the answer to a create: the record by the preset's fields for it, or its id. The record
// is there whether or not it can be read, by this user or at this moment, so that a failed read is
// no failure of the request.
func (c *change) created(id int64) []byte {
	bare := []byte(`{"id": ` + strconv.FormatInt(id, 10) + `}`)
	if c.preset == nil || c.preset.CreateOne == nil {
		return bare
	}
	given, _ := c.params.parsed("__context__")
	readContext, _ := given.(map[string]any)
	rows, err := c.x.s.deps.Reader.Read(c.ctx, c.who, reader.Query{
		Model: c.model.Name, One: true, Created: true, ID: id, Preset: c.preset, Context: readContext, Profile: c.x.profile.values,
	})
	if err == nil {
		defer rows.Close()
		var doc []byte
		if doc, err = rows.Next(c.ctx); err == nil {
			c.x.readPath = rows.ReadPath()
			c.x.ctx.Response.Header.Set("X-Read-Path", c.x.readPath)
			return slices.Clone(doc)
		}
	}
	c.x.s.log.Warn("a created record cannot be read", slog.String("request_id", c.x.id),
		slog.String("model", c.model.Name), slog.Int64("id", id), slog.String("error", err.Error()))
	return bare
}

// noIDs is for paths without ids.
func noIDs(string) ([]int64, error) { return nil, nil }

// recordIDs reads the path's ids: positive integers with commas between them. One that is there
// twice means one record.
func recordIDs(segment string) ([]int64, error) {
	text, err := unescape(segment, false)
	if err != nil {
		return nil, badID(segment)
	}
	var ids []int64
	seen := map[int64]bool{}
	for _, part := range strings.Split(text, ",") {
		id, err := recordID(strings.TrimSpace(part))
		if err != nil {
			return nil, badID(segment)
		}
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// callIDs reads the ids of a call, where 0 stands for no record.
func callIDs(segment string) ([]int64, error) {
	if segment == "0" {
		return nil, nil
	}
	return recordIDs(segment)
}

// callContext is the context of a call: the user's language and time zone under __context__.
func (x *exchange) callContext(ctx context.Context, who auth.Credentials, p params) (map[string]any, error) {
	user, err := x.s.deps.Users.User(ctx, who.UID)
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
	value, given := p.parsed("__context__")
	extra, ok := value.(map[string]any)
	if given && !ok {
		return nil, &writer.ValueError{Field: "__context__", Path: "__context__", Msg: "it must be an object"}
	}
	for key, v := range extra {
		merged[key] = v
	}
	return merged, nil
}

// inputs are the parameters that are fields' values.
func (p params) inputs() map[string]writer.Input {
	inputs := make(map[string]writer.Input, len(p))
	for name, found := range p {
		if name != "__context__" {
			inputs[name] = writer.Input{Text: found.text, IsText: found.isText, Value: found.value}
		}
	}
	return inputs
}
