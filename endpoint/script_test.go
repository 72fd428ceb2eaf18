package endpoint

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"lateral/auth"
	"lateral/server"
)

var testLimits = Limits{Steps: 1_000_000, Memory: 8 << 20}

func testEngine() *Engine {
	return &Engine{
		Limits: testLimits, Time: time.Minute, Log: slog.New(slog.DiscardHandler),
		Odoo: Odoo{Administrator: func(_ context.Context, who auth.Credentials) (bool, error) { return who.UID == 2, nil }},
	}
}

func free([]string) error { return nil }

// answerOf runs the body of a function as an endpoint and returns its answer.
func answerOf(t *testing.T, e *Engine, uid int64, body string) (*server.Reply, error) {
	t.Helper()
	text := "def f(request, env):\n    " + strings.ReplaceAll(body, "\n", "\n    ") + "\nendpoint('/x/{id}', ['GET'], f)\n"
	set := (*Set)(nil).Renew(e, []File{{"x.star", text}}, free)
	if err := set.Problems()["x.star"]; err != nil {
		return nil, err
	}
	return set.Endpoints().All()[0].Handle(t.Context(), &server.Request{
		Verb: "GET", Segments: map[string]string{"id": "7"}, Who: auth.Credentials{UID: uid},
		Params: map[string]any{"a": int64(1), "b": []any{"x", nil, 1.5, true}},
		Header: func(name string) string { return map[string]string{"Accept": "all", "Access-Token": "secret"}[name] },
	})
}

// Ensure scripts mean what Python means by the same text, rewritten operators included.
func TestAnswers(t *testing.T) {
	for body, want := range map[string]string{
		"return None": `null`,
		"return [1, 2.0, 1e100, 'é\"', True, None]": `[1, 2.0, 1e+100, "é\"", true, null]`,
		"return {'a': (1, 2), 3: set([1])}":         `{"a": [1, 2], "3": [1]}`,
		"return float('nan')":                       `null`,
		"return request.path['id'] + request.verb":  `"7GET"`,
		"return request.params":                     `{"a": 1, "b": ["x", null, 1.5, true]}`,
		"return [request.header('Accept'), request.header('Access-Token'), request.header('None')]": `["all", null, null]`,
		"return env.uid":                                                                     `5`,
		"x = [1]\ny = x\nx += [2]\nreturn y":                                                 `[1, 2]`,
		"x = [1]\ny = x\nx = x + [2]\nreturn y":                                              `[1]`,
		"d = {'n': 1}\nd['n'] += 2\nd |= {'m': 'a' * 3}\nreturn d":                           `{"n": 3, "m": "aaa"}`,
		"l = [1, 2]\nl[-1] *= 5\nreturn l":                                                   `[1, 10]`,
		"n = 5\nn -= 3\nn *= 4\nreturn n":                                                    `8`,
		"return '%s-%d' % ('a', 3) + ','.join(['x', 'y']).upper()":                           `"a-3X,Y"`,
		"return [x * 2 for x in range(4) if x % 2]":                                          `[2, 6]`,
		"return sorted({'b': 1, 'a': 2}.items(), key = lambda p: p[1])":                      `[["b", 1], ["a", 2]]`,
		"a, (b, c) = 1, (2, 3)\nreturn a + b + c":                                            `6`,
		"def g(x, y = 2, **more):\n    return x + y + len(more)\nreturn g(*[1], **{'z': 1})": `4`,
		"return 'abcdef'[1:4] + getattr('x', 'upper')()":                                     `"bcdX"`,
		"return getattr(env, 'nothing', 'missing')":                                          `"missing"`,
	} {
		reply, err := answerOf(t, testEngine(), 5, body)
		if err != nil {
			t.Errorf("%s: %v", body, err)
		} else if string(reply.Body) != want {
			t.Errorf("%s: got %s, want %s", body, reply.Body, want)
		}
	}
	reply, err := answerOf(t, testEngine(), 5, "return reply({'id': 1}, status = 201)")
	if err != nil || reply.Status != 201 || string(reply.Body) != `{"id": 1}` {
		t.Errorf("reply: %+v, %v", reply, err)
	}
}

// Ensure what a script asks for without bounds costs the script, and not the service.
func TestLimits(t *testing.T) {
	for body, want := range map[string]string{
		"for i in range(1000000000):\n    pass":                                  "steps",
		"x = 'xxxxxxxx'\nfor i in range(60):\n    x = x + x":                     "memory",
		"x = 'xxxxxxxx'\nfor i in range(60):\n    x += x":                        "memory",
		"x = [1]\nfor i in range(60):\n    x += x":                               "memory",
		"x = [1]\nfor i in range(60):\n    x.extend(x)":                          "memory",
		"x = {'k': 'xxxx'}\nfor i in range(60):\n    x['k'] += x['k']":           "memory",
		"return 'x' * 1000000000":                                                "memory",
		"return 1000000000 * [1]":                                                "memory",
		"x = 'x' * 1000\nreturn x.replace('x', x).replace('x', x)":               "memory",
		"x = 'x' * 100000\nreturn x.join(['a'] * 10000)":                         "memory",
		"x = 'x' * 100000\nreturn ('{0}' * 1000).format(x)":                      "memory",
		"x = 'x' * 100000\nreturn ('%(a)s' * 1000) % {'a': x}":                   "memory",
		"x = [1]\nfor i in range(60):\n    x = [x, x]\nreturn str(x)":            "memory",
		"x = [1]\nfor i in range(60):\n    x = [x, x]\nreturn x":                 "memory",
		"x = [1]\nfor i in range(60):\n    x = [x, x]\nprint(x)":                 "memory",
		"x = (1,)\nfor i in range(60):\n    x = (x, x)\nreturn {x: 1}":           "tuple",
		"x = (1,)\nfor i in range(60):\n    x = zip([x], [x])[0]\nreturn {x: 1}": "tuple",
		"return list(range(1000000000000))":                                      "memory",
		"return all(range(1, 1000000000000))":                                    "memory",
		"def g(**k):\n    return k\nreturn g(*range(1000000000))":                "memory",
		"x = 3\nfor i in range(60):\n    x = x * x":                              "integer",
		"return int('9' * 100000)":                                               "integer",
		"return ' '.join(['a'] * 100000).split()[:] * 40":                        "memory",
		"x = [1]\nfor i in range(300):\n    x = [x]\nreturn x":                   "deep",
		"return hash('x')":                  "no function hash",
		"def g(*a):\n    return a":          "no *a",
		"load('x', 'y')":                    "load",
		"return nothing":                    "undefined: nothing",
		"return 'x'.nothing":                "no attribute nothing",
		"return env['res.partner'].nothing": "no attribute nothing",
		"return env":                        "no form in JSON",
		"return {env.uid: 1, (1,): 2}":      "cannot be a key",
		"return reply(1, status = 500)":     "from 200 to 299",
		"endpoint('/y', ['GET'], f)":        "top level",
	} {
		start := time.Now()
		_, err := answerOf(t, testEngine(), 2, body)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "x.star:") {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s: took %v", body, took)
		}
	}
}

// Ensure administrators are shown where a script failed, others are not, and that a refusal is the
// client's.
func TestFailures(t *testing.T) {
	for uid, shown := range map[int64]bool{2: true, 5: false} {
		_, err := answerOf(t, testEngine(), uid, "x = 1\nreturn x + 'a'")
		var failed *server.EndpointError
		if !errors.As(err, &failed) || failed.File != "x.star" || failed.Line != 3 || failed.Shown != shown {
			t.Errorf("uid %d: %#v", uid, err)
		}
	}
	var refusal *server.Refusal
	if _, err := answerOf(t, testEngine(), 5, "refuse(404, 'no_such_thing', 'There is none.')"); !errors.As(err, &refusal) || refusal.Status != 404 {
		t.Errorf("refuse: %v", err)
	}
	if _, err := answerOf(t, testEngine(), 5, "refuse(500, 'x', 'y')"); errors.As(err, &refusal) && refusal.Status == 500 {
		t.Errorf("refuse with 500: %v", err)
	}
	e := testEngine()
	e.Limits.Steps, e.Time = 1<<60, 50*time.Millisecond
	if _, err := answerOf(t, e, 5, "for i in range(1000000000):\n    pass"); err == nil || !strings.Contains(err.Error(), "endpoints.time") {
		t.Errorf("time: %v", err)
	}
}

// Ensure files stand for themselves, that a broken one leaves its last good version, and that no two
// endpoints answer the same requests.
func TestSet(t *testing.T) {
	e := testEngine()
	file := func(name, path string) File {
		return File{name, "def f(request, env):\n    return '" + name + "'\n\nendpoint('" + path + "', ['GET'], f, summary = 'S')\n"}
	}
	paths := func(s *Set) string {
		var list []string
		for _, endpoint := range s.Endpoints().All() {
			list = append(list, endpoint.Path)
		}
		return strings.Join(list, " ")
	}
	check := func(step string, s *Set, want string, problems ...string) {
		t.Helper()
		if got := paths(s); got != want || len(s.Problems()) != len(problems) {
			t.Errorf("%s: %s, %v", step, got, s.Problems())
		}
		for _, problem := range problems {
			name, _, _ := strings.Cut(problem, ":")
			if err := s.Problems()[name]; err == nil || !strings.HasPrefix(err.Error(), problem) {
				t.Errorf("%s: %v, want %s", step, err, problem)
			}
		}
	}
	one := (*Set)(nil).Renew(e, []File{file("a.star", "/a"), {"b.star", "def f(:"}}, free)
	check("one is broken", one, "/a", "b.star:1: ")
	two := one.Renew(e, []File{{"a.star", "x = 1\nx()\n"}, file("b.star", "/b/{x}")}, free)
	check("the other is broken", two, "/a /b/{x}", "a.star:2: ")
	three := two.Renew(e, []File{file("a.star", "/b/{y}"), file("b.star", "/b/{x}")}, free)
	check("both have a path", three, "/b/{y}", "b.star:4: ")
	four := three.Renew(e, []File{file("b.star", "/b/{x}")}, free)
	check("one is gone", four, "/b/{x}")
	five := four.Renew(e, []File{file("b.star", "/b/{x}")}, func(s []string) error { return errors.New("taken by " + s[0]) })
	check("taken", five, "", "b.star:4: /b/{x}: taken by b")
	for path, want := range map[string]string{
		"/auth/x": "own", "x": "slash", "/{x}": "braces", "/a//b": "segment", "/a/{x}/{x}": "twice", "/a b": "segment", "/..": "segment",
	} {
		s := (*Set)(nil).Renew(e, []File{file("a.star", path)}, free)
		if err := s.Problems()["a.star"]; err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "a.star:4: ") {
			t.Errorf("%s: %v", path, err)
		}
	}
	for text, want := range map[string]string{
		"x = 1": "declares no endpoint", "endpoint('/a', [], lambda r, e: 1)": "no verbs", "endpoint('/a', ['HEAD'], lambda r, e: 1)": "HEAD",
		"endpoint('/a', 'GET', lambda r, e: 1)": "verbs", "endpoint('/a', ['GET'], 1)": "handler", "endpoint('/a', [1], lambda r, e: 1)": "texts",
	} {
		s := (*Set)(nil).Renew(e, []File{{"a.star", text}}, free)
		if err := s.Problems()["a.star"]; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
