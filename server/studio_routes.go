package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/fasthttp/router"
	"github.com/valyala/fasthttp"

	"lateral/auth"
	"lateral/schema"
)

// PresetStore is where administrators edit presets. All methods fail with ErrNotAdministrator for
// others.
type PresetStore interface {
	// List returns all presets, sorted by model.
	List(ctx context.Context, who auth.Credentials) ([]PresetState, error)
	// Get returns the preset of a model; without one, its texts are nil.
	Get(ctx context.Context, who auth.Credentials, model string) (PresetState, error)
	// Save keeps a preset in Odoo. It fails with *schema.PresetError, joined, where the text is
	// wrong, and with ErrPresetInFile.
	Save(ctx context.Context, who auth.Credentials, model, text string) error
	// Remove takes a preset out of Odoo, if there is one.
	Remove(ctx context.Context, who auth.Credentials, model string) error
}

// PresetState is what an administrator is told of a model's preset.
type PresetState struct {
	Model string `json:"model"`
	// File is the name of the file that the preset in force is in, nil where it is none.
	File *string `json:"file"`
	// Text is the text of the file, else that kept in Odoo; nil: there is no preset.
	Text *string `json:"text"`
	// Stored is the text that is kept in Odoo, which counts where there is no file.
	Stored *string `json:"stored"`
	// Mistakes are why Text is not in force.
	Mistakes []Mistake `json:"mistakes"`
}

// Mistake is one thing wrong with a text.
type Mistake struct {
	Line int    `json:"line,omitempty"` // 0: not known
	Key  string `json:"key,omitempty"`
	Text string `json:"text"`
}

var (
	// ErrNotAdministrator tells that the user is not in Odoo's group of administrators.
	ErrNotAdministrator = errors.New("the user is no administrator")
	// ErrPresetInFile tells that a model's preset is in a file, which wins over any other.
	ErrPresetInFile = errors.New("the preset is in a file")
)

// Mistakes returns what the errors of a preset say, one for each mistake.
func Mistakes(err error) []Mistake {
	mistakes := []Mistake{}
	for _, e := range schema.PresetErrors(err) {
		mistakes = append(mistakes, Mistake{Line: e.Line, Key: e.Key, Text: e.Err.Error()})
	}
	return mistakes
}

// studioRoutes serves the page and what it asks.
func (s *Server) studioRoutes(r *router.Router) {
	if s.deps.Explorer != nil {
		s.pageRoutes(r)
		s.exploreRoutes(r)
	}
	if s.deps.PresetStore == nil {
		return
	}
	handle := func(method, path string, work func(*exchange) error) {
		r.Handle(method, studio.base+path, s.working(&studio, path, func(x *exchange) {
			if err := work(x); err != nil {
				x.fail(err)
			}
		}))
	}
	handle("GET", "/presets", s.listPresets)
	handle("GET", "/presets/{model}", s.getPreset)
	handle("PUT", "/presets/{model}", s.savePreset)
	handle("DELETE", "/presets/{model}", s.removePreset)
}

// listPresets answers GET /studio/api/presets.
func (s *Server) listPresets(x *exchange) error {
	who, err := x.authenticate()
	if err != nil {
		return err
	}
	work := x.work()
	defer work.cancel()
	states, err := s.deps.PresetStore.List(work.ctx, who)
	if err != nil {
		return studioProblem(work.ctx, err)
	}
	return x.sendJSON(states)
}

// getPreset answers GET /studio/api/presets/<model>.
func (s *Server) getPreset(x *exchange) error {
	return s.onPreset(x, func(context.Context, auth.Credentials) error { return nil })
}

// savePreset answers PUT /studio/api/presets/<model>: the body is the preset's text in either syntax,
// whatever its Content-Type.
func (s *Server) savePreset(x *exchange) error {
	return s.onPreset(x, func(ctx context.Context, who auth.Credentials) error {
		text := string(bytes.TrimPrefix(x.ctx.PostBody(), []byte("\xef\xbb\xbf")))
		if strings.TrimSpace(text) == "" {
			return badRequest("Request body: it must be the text of a preset.")
		}
		return s.deps.PresetStore.Save(ctx, who, x.model, text)
	})
}

// removePreset answers DELETE /studio/api/presets/<model>.
func (s *Server) removePreset(x *exchange) error {
	return s.onPreset(x, func(ctx context.Context, who auth.Credentials) error {
		return s.deps.PresetStore.Remove(ctx, who, x.model)
	})
}

// onPreset does something with a model's preset and answers with its state afterwards.
func (s *Server) onPreset(x *exchange, do func(ctx context.Context, who auth.Credentials) error) error {
	who, err := x.authenticate()
	if err != nil {
		return err
	}
	segment, _ := x.ctx.UserValue("model").(string)
	if x.model, err = url.PathUnescape(segment); err != nil {
		return noModel(segment)
	}
	work := x.work()
	defer work.cancel()
	if err := do(work.ctx, who); err != nil {
		return studioProblem(work.ctx, err)
	}
	state, err := s.deps.PresetStore.Get(work.ctx, who, x.model)
	if err != nil {
		return studioProblem(work.ctx, err)
	}
	return x.sendJSON(state)
}

func (x *exchange) sendJSON(value any) error {
	var b bytes.Buffer
	writeJSON(&b, value)
	x.send(fasthttp.StatusOK, b.Bytes())
	return nil
}

// studioProblem returns the problem that an error of the PresetStore is.
func studioProblem(ctx context.Context, err error) error {
	mistakes := Mistakes(err)
	switch {
	case errors.Is(err, ErrNotAdministrator):
		return same(fasthttp.StatusForbidden, "access_denied", "Only administrators of Odoo (Administration / Settings) may see and edit presets.")
	case errors.Is(err, ErrPresetInFile):
		return same(fasthttp.StatusConflict, "preset_in_file", "The preset of this model is in a file of the server, which wins over one kept in Odoo. Nothing was done.")
	case len(mistakes) > 0:
		lines := make([]string, len(mistakes))
		for i, m := range mistakes {
			lines[i] = m.String()
		}
		p := same(fasthttp.StatusUnprocessableEntity, "invalid_preset", "The preset is wrong, it was not saved. "+strings.Join(lines, "; ")+".")
		p.mistakes = mistakes
		return p
	}
	return notDone(ctx, updating, err)
}

// String is the mistake on one line.
func (m Mistake) String() string {
	text := m.Text
	if m.Key != "" {
		text = m.Key + ": " + text
	}
	if m.Line > 0 {
		text = fmt.Sprintf("line %d: %s", m.Line, text)
	}
	return text
}
