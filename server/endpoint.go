package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"lateral/auth"
	"lateral/reader"
	"lateral/schema"
)

// Endpoint is an operation of one's own beside those of models. It has a route under each profile,
// is answered within the server's limits, to users who are logged in, and is described in
// openapi.json.
type Endpoint struct {
	// Path is below the profiles' bases, as in /totals/{year}. A segment in braces matches any one
	// segment; the first segment stands for itself and is no name of a model.
	Path string
	// Verbs are some of EndpointVerbs.
	Verbs []string
	// Summary is one line for openapi.json, Description more of it.
	Summary, Description string
	// Handle answers a request. Errors of the reader and of Odoo, *Refusal, *WriteError and
	// *EndpointError are told to the client as the contract has it; of others the client learns
	// nothing.
	Handle func(ctx context.Context, r *Request) (*Reply, error)
}

// Request is a request of an endpoint, whose user is logged in.
type Request struct {
	Verb string
	// Segments are the path's segments in braces, by name.
	Segments map[string]string
	// Params are the parameters of query and body by name. Of texts in a URL they are the value of
	// the Python literal or JSON, where they are one.
	Params map[string]any
	// Header returns a header of the request, empty where it has none.
	Header func(name string) string
	// Who is the user: the reader and writer.Caller act with these rights.
	Who auth.Credentials
	// Profile is how values are to be written for this client.
	Profile reader.Profile
	// ID is the request's id in the log.
	ID string

	snapshot Snapshot
	path     string
}

// Reply is an endpoint's answer: a body in JSON, and its status; 0: 200.
type Reply struct {
	Status int
	Body   []byte
}

// Snapshot makes several reads of one user as of one instant; reader.Snapshot does.
type Snapshot interface {
	// Read is Reader's Read for the snapshot's user. The rows must be closed before the next read.
	Read(ctx context.Context, q reader.Query) (Rows, error)
	// Renew makes the next read begin another snapshot.
	Renew(ctx context.Context) error
	// Close frees what the snapshot holds.
	Close(ctx context.Context) error
}

// Read reads as the user. All reads of a request are of one instant, except after Written, and what
// goes through Odoo. Rows must be closed before the next read.
func (r *Request) Read(ctx context.Context, q reader.Query) (Rows, error) {
	rows, err := r.snapshot.Read(ctx, q)
	if err != nil {
		return nil, err
	}
	switch path := rows.ReadPath(); {
	case r.path == "":
		r.path = path
	case r.path != path:
		r.path = reader.PathHybrid
	}
	return rows, nil
}

// Written tells that something was written in Odoo: reads from now on see it.
func (r *Request) Written(ctx context.Context) error { return r.snapshot.Renew(ctx) }

// Refusal is an error that an endpoint answers of its own will.
type Refusal struct {
	Status int // 400 to 499
	Code   string
	Text   string
}

func (e *Refusal) Error() string { return e.Code + ": " + e.Text }

// WriteError is a write of an endpoint that failed: a *writer.Fault or *writer.ValueError, and by the
// name of a preset's success codes what was to be done.
type WriteError struct {
	Operation string
	Err       error
}

func (e *WriteError) Error() string { return e.Operation + ": " + e.Err.Error() }

func (e *WriteError) Unwrap() error { return e.Err }

// EndpointError is a mistake in the code of an endpoint. The client is told of it, and those alone
// who may know the code of what.
type EndpointError struct {
	File  string
	Line  int
	Text  string
	Shown bool // the user is an administrator
}

func (e *EndpointError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text) }

// EndpointVerbs are the verbs that endpoints may have.
func EndpointVerbs() []string { return []string{"GET", "POST", "PUT", "PATCH", "DELETE"} }

// Endpoints are the endpoints in force. They are immutable; nil is none.
type Endpoints struct {
	list    []*Endpoint
	byFirst map[string][]*Endpoint // by the first segment, literal paths first
}

// NewEndpoints returns a table of endpoints. Errors, joined, tell of paths and verbs that cannot be
// had, and of endpoints that would answer the same requests.
func NewEndpoints(list ...Endpoint) (*Endpoints, error) {
	table := &Endpoints{byFirst: map[string][]*Endpoint{}}
	var failures []error
	for i := range list {
		if err := table.add(&list[i]); err != nil {
			failures = append(failures, fmt.Errorf("endpoint %s: %w", list[i].Path, err))
		}
	}
	return table, errors.Join(failures...)
}

func (t *Endpoints) add(e *Endpoint) error {
	if err := CheckEndpoint(e.Path, e.Verbs); err != nil {
		return err
	}
	segments := pathSegments(e.Path)
	for _, other := range t.byFirst[segments[0]] {
		if shapeOf(other.Path) == shapeOf(e.Path) && slices.ContainsFunc(e.Verbs, func(v string) bool { return slices.Contains(other.Verbs, v) }) {
			return fmt.Errorf("another endpoint has the path %s", other.Path)
		}
	}
	t.list = append(t.list, e)
	group := append(t.byFirst[segments[0]], e)
	slices.SortStableFunc(group, func(a, b *Endpoint) int { return strings.Compare(shapeOf(a.Path), shapeOf(b.Path)) })
	t.byFirst[segments[0]] = group
	return nil
}

// All returns the endpoints in the order in which they were given.
func (t *Endpoints) All() []*Endpoint {
	if t == nil {
		return nil
	}
	return t.list
}

// CheckEndpoint returns why an endpoint cannot have a path and verbs, or nil.
func CheckEndpoint(path string, verbs []string) error {
	if !strings.HasPrefix(path, "/") {
		return fmt.Errorf("the path %q does not begin with a slash", path)
	}
	names := map[string]bool{}
	for i, segment := range pathSegments(path) {
		name, named := segmentName(segment)
		switch {
		case named && i == 0:
			return errors.New("the first segment of a path stands for itself, it has no braces")
		case named && (names[name] || !isWord(name)):
			return fmt.Errorf("%q is no name of a segment, or is there twice", name)
		case !named && !isSegment(segment):
			return fmt.Errorf("the segment %q may have letters, digits, points, hyphens and underscores", segment)
		case !named && i == 0 && schema.Reserved(segment):
			return fmt.Errorf("paths below /%s are the server's own", segment)
		}
		names[name] = named
	}
	if len(verbs) == 0 {
		return errors.New("it has no verbs")
	}
	for _, verb := range verbs {
		if !slices.Contains(EndpointVerbs(), verb) {
			return fmt.Errorf("the verb %q is none of %s", verb, strings.Join(EndpointVerbs(), ", "))
		}
	}
	return nil
}

func pathSegments(path string) []string { return strings.Split(strings.TrimPrefix(path, "/"), "/") }

func segmentName(segment string) (string, bool) {
	name, opened := strings.CutPrefix(segment, "{")
	name, closed := strings.CutSuffix(name, "}")
	return name, opened && closed
}

func isWord(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

func isSegment(segment string) bool {
	return strings.Trim(segment, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == "" && strings.Trim(segment, ".") != ""
}

// shapeOf is what a path matches: names do not matter. Braces sort behind all that segments may have.
func shapeOf(path string) string {
	segments := pathSegments(path)
	for i, segment := range segments {
		if _, named := segmentName(segment); named {
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}

// find returns the endpoint of a verb and the segments of a path, with those that have names, or the
// verbs that others at this path have.
func (t *Endpoints) find(verb string, segments []string) (found *Endpoint, named map[string]string, verbs []string) {
	if t == nil {
		return nil, nil, nil
	}
	for _, e := range t.byFirst[segments[0]] {
		named, ok := matchSegments(pathSegments(e.Path), segments)
		switch {
		case !ok:
		case slices.Contains(e.Verbs, verb):
			return e, named, nil
		default:
			verbs = append(verbs, e.Verbs...)
		}
	}
	slices.Sort(verbs)
	return nil, nil, slices.Compact(verbs)
}

func matchSegments(pattern, segments []string) (map[string]string, bool) {
	if len(pattern) != len(segments) {
		return nil, false
	}
	named := map[string]string{}
	for i, part := range pattern {
		if name, ok := segmentName(part); ok && segments[i] != "" {
			named[name] = segments[i]
		} else if part != segments[i] {
			return nil, false
		}
	}
	return named, true
}
