package server

import (
	"context"
	"strings"

	"lateral/auth"
	"lateral/writer"
)

// update answers PUT /<model>/<id>[,<id>…]: the other parameters are the fields' new values.
func (s *Server) update(x *exchange) {
	if err := s.doUpdate(x); err != nil {
		x.fail(err)
		return
	}
	x.send(x.success, []byte("{}"))
}

// doUpdate checks an update in the order of the contract – token, model, id, work – and does it.
func (s *Server) doUpdate(x *exchange) error {
	who, err := x.authenticate()
	if err != nil {
		return err
	}
	if err := x.findModel(); err != nil {
		return err
	}
	work := x.work()
	defer work.cancel()
	catalogue, err := s.deps.Catalogues(work.ctx)
	if err != nil {
		return endedBy(work.ctx, err)
	}
	model := catalogue.Model(x.model)
	if model == nil {
		return noModel(x.model)
	}
	preset, err := x.preset(work.ctx)
	if err != nil {
		return endedBy(work.ctx, err)
	}
	if preset != nil && preset.SuccessCodes["update_one"] != 0 {
		x.success = preset.SuccessCodes["update_one"]
	}
	segment, _ := x.ctx.UserValue("id").(string)
	ids, err := recordIDs(segment)
	if err != nil {
		return err
	}
	p, err := readParams(x.ctx)
	if err != nil {
		return err
	}
	callContext, err := x.callContext(work.ctx, who, p)
	if err != nil {
		return endedBy(work.ctx, err)
	}
	values, err := writer.UpdateValues(catalogue, model, p.inputs())
	if err != nil {
		return notUpdated(err)
	}
	if err := writer.Update(work.ctx, s.deps.Caller, who, model.Name, ids, values, callContext); err != nil {
		return endedBy(work.ctx, notUpdated(err))
	}
	return nil
}

// recordIDs reads the path's ids: positive integers with commas between them.
func recordIDs(segment string) ([]int64, error) {
	text, err := unescape(segment, false)
	if err != nil {
		return nil, badID(segment)
	}
	var ids []int64
	for _, part := range strings.Split(text, ",") {
		id, err := recordID(strings.TrimSpace(part))
		if err != nil {
			return nil, badID(segment)
		}
		ids = append(ids, id)
	}
	return ids, nil
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
		return nil, notUpdated(&writer.ValueError{Field: "__context__", Path: "__context__", Msg: "it must be an object"})
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
