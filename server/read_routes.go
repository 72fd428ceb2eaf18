package server

import (
	"context"
	"errors"
	"io"
	"net/url"

	"lateral/reader"
	"lateral/schema"
)

// readAll answers GET /<model>.
func (s *Server) readAll(x *exchange) {
	var format pageFormat
	rows, end, err := s.startRead(x, "read_all", func(p params) (reader.Query, error) {
		var err error
		if format, err = s.pageFormat(p); err != nil {
			return reader.Query{}, err
		}
		return x.pageQuery(p)
	})
	if err != nil {
		x.fail(err)
		return
	}
	if x.known(rows) {
		defer end.cancel()
		defer rows.Close()
		return
	}
	x.sendPage(rows, end, format)
}

// readOne answers GET /<model>/<id>.
func (s *Server) readOne(x *exchange) {
	segment, _ := x.ctx.UserValue("id").(string)
	rows, end, err := s.startRead(x, "read_one", func(p params) (reader.Query, error) { return x.recordQuery(p, segment) })
	if err != nil {
		x.fail(err)
		return
	}
	defer end.cancel()
	defer rows.Close()
	if x.known(rows) {
		return
	}
	doc, err := rows.Next(end.ctx)
	switch {
	case errors.Is(err, io.EOF):
		x.fail(noRecord())
		return
	case err != nil:
		x.fail(endedBy(end.ctx, err))
		return
	}
	x.send(x.success, doc)
	// Errors that end the statement after its only row come with the next one.
	if _, err := rows.Next(end.ctx); err != nil && !errors.Is(err, io.EOF) {
		x.fail(endedBy(end.ctx, err))
		return
	}
	x.tag(rows)
}

// startRead checks a read in the order of the contract – token, model, id, work – and starts it.
func (s *Server) startRead(x *exchange, operation string, query func(params) (reader.Query, error)) (Rows, *work, error) {
	who, err := x.authenticate()
	if err != nil {
		return nil, nil, err
	}
	if err := x.findModel(); err != nil {
		return nil, nil, err
	}
	p, err := readParams(x.ctx)
	if err != nil {
		return nil, nil, x.afterModel(err)
	}
	q, err := query(p)
	if err != nil {
		return nil, nil, x.afterModel(err)
	}
	q.Asker = x.asker(q)
	end := x.work()
	rows, err := s.deps.Reader.Read(end.ctx, who, q)
	if err != nil {
		err = endedBy(end.ctx, err)
		end.cancel()
		return nil, nil, err
	}
	if preset := rows.Preset(); preset != nil && preset.SuccessCodes[operation] != 0 {
		x.success = preset.SuccessCodes[operation]
	}
	x.readPath = rows.ReadPath()
	x.ctx.Response.Header.Set("X-Read-Path", x.readPath)
	x.askAgain()
	return rows, end, nil
}

// findModel takes the model's name from the path.
func (x *exchange) findModel() error {
	segment, _ := x.ctx.UserValue("model").(string)
	name, err := url.PathUnescape(segment)
	if err != nil {
		return noModel(segment)
	}
	x.model = name
	return nil
}

// afterModel returns the error to tell where a request has one: that the model is not there comes
// before all that is wrong with the rest.
func (x *exchange) afterModel(err error) error {
	if x.s.deps.Catalogue != nil {
		if catalogue := x.s.deps.Catalogue(); catalogue != nil && catalogue.Model(x.model) == nil {
			return noModel(x.model)
		}
	}
	if _, off := x.preset(x.s.base); off != nil {
		return off
	}
	return err
}

// preset returns the model's preset, or nil. It fails where the model is switched off.
func (x *exchange) preset(ctx context.Context) (*schema.Preset, error) {
	if x.s.deps.Presets == nil {
		return nil, nil
	}
	preset, err := x.s.deps.Presets(ctx, x.name())
	gone := preset == nil && x.alias != "" // since the request came in
	if err == nil && (gone || preset != nil && !preset.Available) {
		err = switchedOff(x.name())
	}
	return preset, err
}
