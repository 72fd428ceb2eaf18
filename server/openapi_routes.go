package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/valyala/fasthttp"

	"lateral/auth"
	"lateral/reader"
	"lateral/schema"
	"lateral/schema/openapi"
)

// Describer tells what a user may know of the models.
type Describer interface {
	// Describe describes the models asked for, or without any all that the user may read. Errors
	// are *reader.Error.
	Describe(ctx context.Context, who auth.Credentials, models []string) (*reader.Description, error)
}

// openAPI answers GET /openapi.json: the API as the user of the token may know it.
func (s *Server) openAPI(x *exchange) {
	if err := s.sendOpenAPI(x); err != nil {
		x.fail(err)
	}
}

func (s *Server) sendOpenAPI(x *exchange) error {
	who, err := x.authenticate()
	if err != nil {
		return err
	}
	p, err := readParams(x.ctx)
	if err != nil {
		return err
	}
	models, err := modelList(p)
	if err != nil {
		return err
	}
	work := x.work()
	defer work.cancel()
	described, err := s.deps.Describer.Describe(work.ctx, who, models)
	if err != nil {
		return endedBy(work.ctx, err)
	}
	in := openapi.Input{
		Title: "lateral", Version: s.deps.Version, Base: x.profile.base, Typed: x.profile.typedStatus,
		Models: make(map[string]*openapi.Model, len(described.Models)), Readable: described.Readable,
	}
	in.Presets = s.deps.PresetStore != nil
	if s.deps.Endpoints != nil {
		for _, e := range s.deps.Endpoints().All() {
			in.Endpoints = append(in.Endpoints, openapi.Endpoint{Path: e.Path, Verbs: e.Verbs, Summary: e.Summary, Description: e.Description})
		}
	}
	if in.Version == "" {
		in.Version = "unknown"
	}
	for name, m := range described.Models {
		in.Models[name] = describedModel(m)
	}
	if wanted, _ := p.parsed("examples"); wanted == true || wanted == "true" {
		if err := s.addExamples(work.ctx, x, who, in.Models); err != nil {
			return endedBy(work.ctx, err)
		}
	}
	document, err := openapi.Document(in)
	if err != nil {
		return err
	}
	// It tells of one user what another may not know.
	x.ctx.Response.Header.Set("Cache-Control", "private, no-store")
	x.send(fasthttp.StatusOK, document)
	return nil
}

// modelList reads the parameter models: names with commas between them, or a list of names.
func modelList(p params) ([]string, error) {
	value, given := p.parsed("models")
	if !given {
		return nil, nil
	}
	if text, ok := value.(string); ok {
		var names []string
		for name := range strings.SplitSeq(text, ",") {
			if name = strings.TrimSpace(name); name != "" {
				names = append(names, name)
			}
		}
		return names, nil
	}
	names, err := schema.ParseNames(value)
	if err != nil {
		return nil, badRead("models", err.Error())
	}
	return names, nil
}

func describedModel(m *reader.ModelDescription) *openapi.Model {
	fields := make(map[string]openapi.Field, len(m.Fields))
	for name, f := range m.Fields {
		choices := make([]openapi.Choice, len(f.Selection))
		for i, pair := range f.Selection {
			choices[i] = openapi.Choice{Value: pair[0], Label: pair[1]}
		}
		fields[name] = openapi.Field{Label: f.Label, Help: f.Help, Choices: choices, Required: f.Required, ReadOnly: f.ReadOnly}
	}
	return &openapi.Model{Model: m.Model, Alias: m.Alias, Label: m.Label, Listed: m.Asked, Fields: fields, Preset: m.Preset}
}

// addExamples reads a record of each listed model, as the user. Models without a record that the
// user may read this way stay without.
func (s *Server) addExamples(ctx context.Context, x *exchange, who auth.Credentials, models map[string]*openapi.Model) error {
	for _, m := range models {
		if !m.Listed {
			continue
		}
		var err error
		page := reader.Query{Model: m.Model.Name, Alias: m.Alias, Profile: x.profile.values, Limit: 1}
		if m.ReadAll, err = s.firstRecord(ctx, who, page); err != nil {
			return err
		}
		page.Exclude = "*"
		found, err := s.firstRecord(ctx, who, page)
		if err != nil {
			return err
		}
		var record struct{ ID int64 }
		if found == nil || json.Unmarshal(found, &record) != nil || record.ID == 0 {
			continue
		}
		one := reader.Query{Model: m.Model.Name, Alias: m.Alias, Profile: x.profile.values, One: true, ID: record.ID, Exclude: binaries(m)}
		if m.ReadOne, err = s.firstRecord(ctx, who, one); err != nil {
			return err
		}
	}
	return nil
}

// binaries are the fields that would make an example long.
func binaries(m *openapi.Model) []any {
	names := []any{}
	for name := range m.Fields {
		if t := m.Model.Field(name).Type; t == schema.Binary || t == schema.Image {
			names = append(names, name)
		}
	}
	return names
}

// firstRecord returns the first document of a read, or nil where there is none or the user is
// refused. Outages and the end of the request's time are errors.
func (s *Server) firstRecord(ctx context.Context, who auth.Credentials, q reader.Query) (json.RawMessage, error) {
	document, err := s.readFirst(ctx, who, q)
	var failed *reader.Error
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil
	case errors.As(err, &failed):
		switch failed.Kind {
		case reader.Denied, reader.Invalid, reader.NotFound, reader.NotSingle, reader.NotAvailable, reader.Internal:
			return nil, nil
		}
	}
	return document, err
}

func (s *Server) readFirst(ctx context.Context, who auth.Credentials, q reader.Query) (json.RawMessage, error) {
	rows, err := s.deps.Reader.Read(ctx, who, q)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	document, err := rows.Next(ctx)
	if err != nil {
		return nil, err
	}
	return append(json.RawMessage(nil), document...), nil
}
