package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/fasthttp/router"

	"lateral/auth"
	"lateral/reader"
	"lateral/schema"
)

// Explorer tells a user what can be read and how. Errors are *reader.Error.
type Explorer interface {
	// Models lists the models that the user may read.
	Models(ctx context.Context, who auth.Credentials) (*reader.ModelList, error)
	// Fields lists the fields of a model that the user may read.
	Fields(ctx context.Context, who auth.Credentials, model string) (*reader.ModelFields, error)
	// LabelField fails where the user may not read a model, and returns the field that tells its records
	// apart otherwise.
	LabelField(ctx context.Context, who auth.Credentials, model string) (string, error)
	// Inspect tells how a query is answered.
	Inspect(ctx context.Context, who auth.Credentials, q reader.Query) (*reader.Inspection, error)
}

// pickedRecords is how many records a search of the page finds at most.
const pickedRecords = 20

func (s *Server) exploreRoutes(r *router.Router) {
	handle := func(method, path string, work func(*exchange, auth.Credentials, *work) error) {
		r.Handle(method, studio.base+path, s.working(&studio, path, func(x *exchange) {
			if err := s.explore(x, work); err != nil {
				x.fail(err)
			}
		}))
	}
	handle("GET", "/models", s.listModels)
	handle("GET", "/models/{model}", s.listFields)
	handle("GET", "/models/{model}/records", s.listRecords)
	handle("POST", "/models/{model}/schema", s.readSchema)
	handle("POST", "/models/{model}/preview", s.preview)
	handle("POST", "/models/{model}/parts", s.presetParts)
	handle("POST", "/models/{model}/text", s.presetText)
}

// explore frames what the page asks: token, then model, then work. What is told is one user's own.
func (s *Server) explore(x *exchange, do func(*exchange, auth.Credentials, *work) error) error {
	who, err := x.authenticate()
	if err != nil {
		return err
	}
	if err := x.findModel(); err != nil {
		return err
	}
	x.ctx.Response.Header.Set("Cache-Control", "private, no-store")
	work := x.work()
	defer work.cancel()
	if err := do(x, who, work); err != nil {
		return endedBy(work.ctx, err)
	}
	return nil
}

// listedModel is a model as the page lists it.
type listedModel struct {
	Name   string `json:"model"`
	Label  string `json:"label"`
	Preset bool   `json:"preset"`
	Closed bool   `json:"closed"`
}

// listModels answers GET /studio/api/models.
func (s *Server) listModels(x *exchange, who auth.Credentials, work *work) error {
	list, err := s.deps.Explorer.Models(work.ctx, who)
	if err != nil {
		return err
	}
	models := make([]listedModel, len(list.Models))
	for i, m := range list.Models {
		models[i] = listedModel(m)
	}
	return x.sendJSON(struct {
		Login         string        `json:"login"`
		Administrator bool          `json:"administrator"`
		Models        []listedModel `json:"models"`
	}{who.Login, list.Administrator, models})
}

// listedField is a field as the page lists it.
type listedField struct {
	Name     string `json:"name"`
	Label    string `json:"label"`
	Help     string `json:"help,omitempty"`
	Type     string `json:"type"`
	Relation string `json:"relation,omitempty"`
	Required bool   `json:"required,omitempty"`
	Cost     string `json:"cost"`
	Reason   string `json:"reason,omitempty"`
}

// listFields answers GET /studio/api/models/<model>.
func (s *Server) listFields(x *exchange, who auth.Credentials, work *work) error {
	found, err := s.deps.Explorer.Fields(work.ctx, who, x.model)
	if err != nil {
		return err
	}
	fields := make([]listedField, len(found.Fields))
	for i, f := range found.Fields {
		fields[i] = listedField{
			Name: f.Field.Name, Label: f.Label, Help: f.Help, Type: string(f.Field.Type), Relation: f.Comodel,
			Required: f.Required, Cost: f.Cost, Reason: f.Reason,
		}
	}
	return x.sendJSON(struct {
		Model  string        `json:"model"`
		Label  string        `json:"label"`
		Cost   string        `json:"cost"`
		Reason string        `json:"reason,omitempty"`
		Fields []listedField `json:"fields"`
	}{found.Model, found.Label, found.Path, found.Reason, fields})
}

// pickedRecord is a record to choose.
type pickedRecord struct {
	ID    int64  `json:"id"`
	Label string `json:"label"`
}

// listRecords answers GET /studio/api/models/<model>/records: the first records that the parameter search
// finds by their label or their id, within the domain of the preset in force.
func (s *Server) listRecords(x *exchange, who auth.Credentials, work *work) error {
	labelField, err := s.deps.Explorer.LabelField(work.ctx, who, x.model)
	if err != nil {
		return err
	}
	p, err := readParams(x.ctx)
	if err != nil {
		return err
	}
	search := ""
	if sent, ok := p["search"]; ok && sent.isText {
		search = strings.TrimSpace(sent.text)
	}
	tree := &schema.Tree{Items: []schema.Item{{Name: "id"}}}
	var filters []any
	if id, err := strconv.ParseInt(search, 10, 32); err == nil {
		filters = []any{[]any{"id", "=", id}}
	} else if search != "" && labelField == "id" {
		return x.sendJSON([]pickedRecord{})
	}
	if labelField != "id" {
		tree.Items = append(tree.Items, schema.Item{Name: labelField})
		if byLabel := []any{labelField, "ilike", search}; filters != nil {
			filters = []any{"|", filters[0], byLabel}
		} else if search != "" {
			filters = []any{byLabel}
		}
	}
	preset := &schema.Preset{Model: x.model, ReadAll: tree, Available: true}
	inForce, err := x.preset(work.ctx)
	switch {
	case inForce != nil: // closed or not: administrators may look into a closed model
		preset.DefaultDomain, preset.RawDomain = inForce.DefaultDomain, inForce.RawDomain
	case err != nil:
		return err
	}
	q := reader.Query{Model: x.model, Profile: studio.values, Preset: preset, Limit: pickedRecords}
	if filters != nil {
		q.Filters = filters
	}
	records := []pickedRecord{}
	_, err = s.eachDocument(work.ctx, who, q, func(document []byte) error {
		var values map[string]any
		if err := json.Unmarshal(document, &values); err != nil {
			return fmt.Errorf("a record of %s: %w", x.model, err)
		}
		id, _ := values["id"].(float64)
		label, _ := values[labelField].(string)
		records = append(records, pickedRecord{ID: int64(id), Label: label})
		return nil
	})
	if err != nil {
		return err
	}
	return x.sendJSON(records)
}

// eachDocument reads a query to its end, and returns the way it was read.
func (s *Server) eachDocument(ctx context.Context, who auth.Credentials, q reader.Query, take func([]byte) error) (path string, err error) {
	rows, err := s.deps.Reader.Read(ctx, who, q)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for {
		document, err := rows.Next(ctx)
		if errors.Is(err, io.EOF) {
			return rows.ReadPath(), nil
		}
		if err == nil {
			err = take(document)
		}
		if err != nil {
			return rows.ReadPath(), err
		}
	}
}
