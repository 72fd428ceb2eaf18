package server

import (
	"context"
	"errors"
	"strconv"
	"time"

	"lateral/auth"
	"lateral/reader"
)

const (
	// previewedRecords is how many records of a list a preview shows.
	previewedRecords = 5
	// previewSize is how much of an answer a preview shows, in bytes.
	previewSize = 256 << 10
)

// previewed is what the page is told of an answer.
type previewed struct {
	// Answer is the text of the answer, of which the end may be missing.
	Answer    string `json:"answer"`
	Truncated bool   `json:"truncated"`
	// Milliseconds is how long the read took, its statement already written.
	Milliseconds float64        `json:"milliseconds"`
	ReadPath     string         `json:"read_path"`
	Reason       string         `json:"reason,omitempty"`
	Fields       []previewField `json:"fields"`
	// SQL, Arguments and Plan are for administrators alone.
	SQL       string   `json:"sql,omitempty"`
	Arguments []string `json:"arguments,omitempty"`
	Plan      string   `json:"plan,omitempty"`
}

// previewField is what a field of the answer costs.
type previewField struct {
	Path   string `json:"path"`
	Cost   string `json:"cost"`
	Reason string `json:"reason,omitempty"`
}

// preview answers POST /studio/api/models/<model>/preview: what the preset that is being edited would
// answer, and how.
func (s *Server) preview(x *exchange, who auth.Credentials, work *work) error {
	body, err := s.studioBody(x, who, work, append([]string{"operation", "profile", "id"}, partNames...)...)
	if err != nil {
		return err
	}
	q, err := previewQuery(body)
	if err != nil {
		return err
	}
	_, preset, err := s.editedParts(x, work, body)
	if err != nil {
		return err
	}
	preset.Available = true // what it opens or closes is not tried out
	q.Model, q.Preset = x.model, preset
	inspected, err := s.deps.Explorer.Inspect(work.ctx, who, q)
	if err != nil {
		return err
	}
	seen, err := s.previewRead(work.ctx, who, q)
	if err != nil {
		return err
	}
	x.readPath = seen.ReadPath
	seen.Reason, seen.Fields = inspected.Reason, make([]previewField, len(inspected.Nodes))
	seen.SQL, seen.Arguments, seen.Plan = inspected.SQL, inspected.Args, inspected.Plan
	for i, n := range inspected.Nodes {
		seen.Fields[i] = previewField(n)
	}
	return x.sendJSON(seen)
}

// previewQuery makes a query out of operation, profile and id.
func previewQuery(body studioBody) (reader.Query, error) {
	q := reader.Query{Profile: classic.values}
	switch profile, given, err := body.text("profile"); {
	case err != nil:
		return q, err
	case profile == typed.name:
		q.Profile = typed.values
	case given && profile != classic.name:
		return q, badRequest("Request body, profile: it is classic or typed.")
	}
	operation, _, err := body.text("operation")
	switch {
	case err != nil:
		return q, err
	case operation == "read_all":
		q.Limit = previewedRecords
		return q, nil
	case operation != "read_one" && operation != "create_one":
		return q, badRequest("Request body, operation: it is read_all, read_one or create_one.")
	}
	id, ok := body["id"].(int64)
	if !ok || id < 1 {
		return q, badRequest("Request body, id: it must be a positive integer.")
	}
	q.One, q.ID, q.Created = true, id, operation == "create_one"
	return q, nil
}

// errEnough ends a read of which enough has been seen.
var errEnough = errors.New("enough was read")

// previewRead reads what a preview shows, and takes the time.
func (s *Server) previewRead(ctx context.Context, who auth.Credentials, q reader.Query) (*previewed, error) {
	seen := &previewed{}
	count := 0
	var answer []byte
	start := time.Now()
	path, err := s.eachDocument(ctx, who, q, func(document []byte) error {
		if count++; count > 1 {
			answer = append(answer, ", "...)
		}
		if answer = append(answer, document...); len(answer) > previewSize {
			return errEnough
		}
		return nil
	})
	seen.Milliseconds = float64(time.Since(start).Microseconds()) / 1000
	seen.ReadPath = path
	switch {
	case errors.Is(err, errEnough):
		seen.Truncated, answer = true, answer[:previewSize]
	case err != nil:
		return nil, err
	case q.One && count == 0:
		return nil, noRecord()
	}
	if s.config.EscapeUnicode {
		answer = appendEscaped(nil, answer)
	}
	seen.Answer = string(answer)
	if !q.One && !seen.Truncated {
		seen.Answer = `{"count": ` + strconv.Itoa(count) + `, "results": [` + seen.Answer + "]}"
	}
	return seen, nil
}
