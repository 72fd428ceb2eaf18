package endpoint

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"lateral/auth"
	"lateral/server"
)

// FuzzScript loads texts as scripts and asks the endpoints they declare: whatever a text does, it ends
// soon, within its memory, and in errors that have a place.
func FuzzScript(f *testing.F) {
	for _, text := range []string{
		"def f(request, env):\n    return [x + x for x in request.params['a']]\n\nendpoint('/a/{b}', ['GET'], f)\n",
		"x = 'a'\nfor i in range(99):\n    x += x\n", "x = {}\nx[1] = (x, [x])\nx[1][1] += [x] * 9\nstr(x)\n",
		"endpoint('/a', ['GET'], lambda r, e: e['res.partner'].search_read([('name', '=', r.verb)], limit = 1))\n",
		"endpoint('/a', ['GET'], lambda r, e: ('%s' * 3 % (1, 2, r), '{}'.format(e), sorted([3, 1])[::-1], {1: 2} | {3: 4}))\n",
		"def g(n, *, k = 1, **more):\n    return refuse(400, 'a', 'b') if n else reply(more, status = 201)\nendpoint('/a', ['PUT'], lambda r, e: g(0, **{'x': 1}))\n",
	} {
		f.Add(text)
	}
	e := &Engine{
		Limits: Limits{Steps: 10_000, Memory: 1 << 20}, Time: time.Second, Log: slog.New(slog.DiscardHandler),
		Odoo: Odoo{Users: nobody{}},
	}
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		set := (*Set)(nil).Renew(e, []File{{Name: "x.star", Text: text}}, free)
		for _, err := range set.Problems() {
			var at *Error
			if !errors.As(err, &at) {
				t.Errorf("an error without a place: %v", err)
			}
		}
		for _, endpoint := range set.Endpoints().All() {
			reply, err := endpoint.Handle(t.Context(), &server.Request{
				Verb: "GET", Segments: map[string]string{"b": "x"}, Params: map[string]any{"a": "text"}, Header: func(string) string { return "" },
			})
			if err == nil && (reply.Status < 200 || reply.Status > 299 || int64(len(reply.Body)) > e.Limits.Memory) {
				t.Errorf("%d, %d bytes", reply.Status, len(reply.Body))
			}
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// nobody knows no user.
type nobody struct{}

func (nobody) User(context.Context, int64) (server.User, error) {
	return server.User{}, auth.ErrUserGone
}
