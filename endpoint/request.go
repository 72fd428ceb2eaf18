package endpoint

import (
	"errors"
	"strings"

	"go.starlark.net/starlark"

	"lateral/server"
)

// request is what a script is told of a request.
type request struct {
	header func(name string) string
	attrs  starlark.StringDict
}

func newRequest(m *meter, r *server.Request) (*request, error) {
	segments := make(map[string]any, len(r.Segments))
	for name, segment := range r.Segments {
		segments[name] = segment
	}
	path, err := plainObject(m, segments, 0)
	if err != nil {
		return nil, err
	}
	params, err := plainObject(m, r.Params, 0)
	if err != nil {
		return nil, err
	}
	q := &request{header: r.Header, attrs: starlark.StringDict{"verb": starlark.String(r.Verb), "path": path, "params": params}}
	q.attrs["header"] = starlark.NewBuiltin("header", q.headerBuiltin)
	return q, nil
}

func (q *request) String() string        { return "request" }
func (q *request) Type() string          { return "request" }
func (q *request) Freeze()               {}
func (q *request) Truth() starlark.Bool  { return true }
func (q *request) Hash() (uint32, error) { return 0, errors.New("a request cannot be a key") }
func (q *request) AttrNames() []string   { return q.attrs.Keys() }

func (q *request) Attr(name string) (starlark.Value, error) { return q.attrs[name], nil }

// secretHeaders hold what a script has no business with.
var secretHeaders = map[string]bool{"access-token": true, "access_token": true, "authorization": true, "cookie": true}

// headerBuiltin is request.header(name): a text, None where the request has none.
func (q *request) headerBuiltin(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var name string
	if err := starlark.UnpackPositionalArgs(b.Name(), args, kwargs, 1, &name); err != nil {
		return nil, err
	}
	if value := q.header(name); value != "" && !secretHeaders[strings.ToLower(name)] {
		return starlark.String(value), nil
	}
	return starlark.None, nil
}
