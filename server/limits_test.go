package server

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"lateral/auth"
	"lateral/reader"
)

type credentials = auth.Credentials

// Ensure requests that are too large are refused, in JSON and with what every answer carries.
func TestTooLarge(t *testing.T) {
	h := setup(t, func(_ *Deps, c *Config) { c.MaxBody, c.MaxHeader = 1000, 2000 })
	long := strings.Repeat("x", 4000)
	got := h.raw("POST /api/res.partner HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n" + long)
	if !strings.HasPrefix(got, "HTTP/1.1 413") || !strings.Contains(got, "request_too_large") || !strings.Contains(got, "Access-Control-Allow-Origin: null") {
		t.Errorf("got %s", got)
	}
	got = h.raw("GET /api/res.partner?filters=" + long + " HTTP/1.1\r\nHost: x\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 413") || !strings.Contains(got, "request_too_large") {
		t.Errorf("got %s", got)
	}
	got = h.raw("nonsense\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 400") || !strings.Contains(got, "invalid_request_body") {
		t.Errorf("got %s", got)
	}
}

// Ensure requests that do not arrive in time are given up.
func TestReadTimeout(t *testing.T) {
	h := setup(t, func(_ *Deps, c *Config) { c.ReadTimeout = 20 * time.Millisecond })
	got := h.raw("POST /api/res.partner HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
	if !strings.HasPrefix(got, "HTTP/1.1 408") || !strings.Contains(got, "request_timeout") {
		t.Errorf("got %q", got)
	}
}

// Ensure only so many requests are worked on at once, and that health is always told.
func TestInFlight(t *testing.T) {
	h := setup(t, func(_ *Deps, c *Config) { c.MaxInFlight = 1 })
	started, release := make(chan struct{}), make(chan struct{})
	h.reader.read = func(context.Context) error {
		started <- struct{}{}
		<-release
		return nil
	}
	h.reader.docs = docs(3000, 300)
	answered := make(chan answer, 1)
	go func() { answered <- h.do("GET", "/api/res.partner", "") }()
	<-started
	got := h.do("GET", "/api/res.partner", "")
	if got.status != 503 || got.code() != "overloaded" || got.header.Get("Retry-After") == "" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := h.anonymous("GET", "/healthz", ""); got.status != 200 {
		t.Errorf("health: got %d", got.status)
	}
	close(release)
	if got := <-answered; got.status != 200 || got.err != nil {
		t.Errorf("got %d, %v", got.status, got.err)
	}
	h.reader.read = nil
	if got := h.do("GET", "/api/res.partner", ""); got.status != 200 {
		t.Errorf("the slot was not given back: got %d", got.status)
	}
}

// Ensure work that takes too long ends, and says so.
func TestRequestTimeout(t *testing.T) {
	h := setup(t, func(_ *Deps, c *Config) { c.RequestTimeout = 10 * time.Millisecond })
	h.reader.read = func(ctx context.Context) error {
		<-ctx.Done()
		return &reader.Error{Kind: reader.Internal, Message: "canceled", Err: ctx.Err()}
	}
	if got := h.do("GET", "/api/res.partner", ""); got.status != 504 || got.code() != "timeout" {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

// Ensure a limit of pages refuses longer ones rather than cutting them.
func TestMaxPage(t *testing.T) {
	h := setup(t, func(_ *Deps, c *Config) { c.MaxPage = 100 })
	for query, status := range map[string]int{"": 409, "?limit=101": 409, "?limit=0": 409, "?limit=100": 200, "/1": 404} {
		if got := h.do("GET", "/api/res.partner"+query, ""); got.status != status {
			t.Errorf("%s: got %d %s", query, got.status, got.body)
		}
	}
}

// Ensure a token's rate holds, with its bursts, for each token of its own.
func TestRateLimit(t *testing.T) {
	r := newRateLimit(2, 3)
	now := time.Unix(1000, 0)
	for i := range 3 {
		if wait := r.take("a", now); wait != 0 {
			t.Fatalf("request %d waits %v", i, wait)
		}
	}
	if wait := r.take("a", now); wait != 500*time.Millisecond {
		t.Errorf("waits %v", wait)
	}
	if wait := r.take("b", now); wait != 0 {
		t.Errorf("another token waits %v", wait)
	}
	if wait := r.take("a", now.Add(500*time.Millisecond)); wait != 0 {
		t.Errorf("waits %v after the time it was told", wait)
	}
	r.take("c", now.Add(time.Hour))
	if len(r.ends) != 1 {
		t.Errorf("%d keys are kept", len(r.ends))
	}

	h := setup(t, func(_ *Deps, c *Config) { c.RatePerToken, c.RateBurst = 0.001, 1 })
	h.do("GET", "/api/res.partner", "")
	got := h.do("GET", "/api/res.partner", "")
	if got.status != 429 || got.code() != "too_many_requests" || got.header.Get("Retry-After") == "" {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

// Ensure a bug in a handler is a 500 without details, and does not end the server.
func TestPanic(t *testing.T) {
	h := setup(t, nil)
	h.reader.read = func(context.Context) error { panic("secret detail") }
	got := h.do("GET", "/api/res.partner", "")
	if got.status != 500 || got.code() != "internal_error" || strings.Contains(got.body, "secret") ||
		got.header.Get("Content-Type") != contentType || got.header.Get("X-Request-Id") == "" {
		t.Errorf("got %d %s %v", got.status, got.body, got.header)
	}
	if !strings.Contains(h.logged.String(), "secret detail") {
		t.Error("not logged")
	}
	h.reader.read = nil
	if got := h.do("GET", "/api/res.partner", ""); got.status != 200 {
		t.Errorf("got %d", got.status)
	}
}

// Ensure a bug within a stream breaks that stream alone.
func TestPanicInStream(t *testing.T) {
	h := setup(t, func(d *Deps, c *Config) {
		c.MaxInFlight = 1
		d.Reader = panicReader{d.Reader}
	})
	h.reader.docs = docs(3000, 300)
	if got := h.do("GET", "/api/res.partner", ""); !errors.Is(got.err, io.ErrUnexpectedEOF) {
		t.Errorf("got %d, %v", got.status, got.err)
	}
	h.reader.docs = docs(10, 10)
	if got := h.do("GET", "/api/res.partner", ""); got.status != 200 {
		t.Errorf("the slot was not given back: got %d", got.status)
	}
	if h.reader.closed.Load() != 2 {
		t.Error("an answer was not closed")
	}
}

type panicReader struct{ Reader }

func (r panicReader) Read(ctx context.Context, who credentials, q reader.Query) (Rows, error) {
	rows, err := r.Reader.Read(ctx, who, q)
	return &panicRows{Rows: rows}, err
}

type panicRows struct {
	Rows
	n int
}

func (r *panicRows) Next(ctx context.Context) ([]byte, error) {
	if r.n++; r.n == 2500 {
		panic("bug")
	}
	return r.Rows.Next(ctx)
}

// Ensure readiness names what is missing, without its reason.
func TestReadiness(t *testing.T) {
	h := setup(t, func(d *Deps, _ *Config) {
		d.Checks = []Check{
			{Name: "database", Probe: func(context.Context) error { return nil }},
			{Name: "odoo", Probe: func(context.Context) error { return errors.New("dial secret-host") }},
		}
	})
	got := h.anonymous("GET", "/readyz", "")
	if want := `{"ready": false, "checks": {"database": "ok", "odoo": "missing"}}`; got.status != 503 || got.body != want {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if !strings.Contains(h.logged.String(), "secret-host") {
		t.Error("the reason is not in the log")
	}
	h = setup(t, nil)
	if got := h.anonymous("GET", "/readyz", ""); got.status != 200 {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := h.anonymous("HEAD", "/healthz", ""); got.status != 200 || got.body != "" {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

// Ensure metrics tell of requests, and take no names from clients without a bound.
func TestMetrics(t *testing.T) {
	h := setup(t, nil)
	h.server.deps.Metrics.WatchPool(func() Pool { return Pool{Max: 8, Waited: 3} })
	h.server.deps.Metrics.Planned(true)
	h.server.deps.Metrics.Planned(false)
	h.server.deps.Metrics.Renewed()
	h.server.deps.Metrics.ObserveOdoo("res.partner.read", time.Second, "ok")
	h.reader.path = "odoo"
	h.do("GET", "/api/res.partner", "")
	h.do("GET", "/some/path", "")
	got := h.anonymous("GET", "/metrics", "")
	for _, want := range []string{
		`lateral_requests_total{method="GET",route="/api/{model}",status="200"} 1`,
		`lateral_requests_total{method="GET",route="unmatched",status="404"} 1`,
		`lateral_reads_total{path="odoo"} 1`, `lateral_odoo_reads_total{model="res.partner"} 1`,
		`lateral_odoo_calls_total{outcome="ok"} 1`, `lateral_pool_connections_max 8`, `lateral_pool_waits_total 3`,
		`lateral_statement_cache_hits_total 1`, `lateral_requests_in_flight 1`, "go_goroutines",
	} {
		if !strings.Contains(got.body, want) {
			t.Errorf("no %s", want)
		}
	}
	if !strings.HasPrefix(got.header.Get("Content-Type"), "text/plain") {
		t.Errorf("got %v", got.header)
	}
	m := NewMetrics()
	for i := range 2 * maxModels {
		m.modelLabel(strings.Repeat("x", i+1))
	}
	if len(m.models) != maxModels || m.modelLabel("new") != "other" {
		t.Errorf("%d models", len(m.models))
	}
}

// Ensure the access log tells what is needed and no values.
func TestAccessLog(t *testing.T) {
	h := setup(t, nil)
	h.do("GET", "/api/res.partner?filters=topsecret", `{"order": "classified"}`, "X-Request-Id", "bad id\t")
	logged := h.logged.String()
	for _, want := range []string{
		`"request_id":"`, `"method":"GET"`, `"route":"/api/{model}"`, `"model":"res.partner"`, `"status":200`,
		`"ms":`, `"read_path":"direct"`, `"bytes":27`, `"uid":2`,
	} {
		if !strings.Contains(logged, want) {
			t.Errorf("no %s in %s", want, logged)
		}
	}
	for _, secret := range []string{"topsecret", "classified", token, "bad id"} {
		if strings.Contains(logged, secret) {
			t.Errorf("%s in %s", secret, logged)
		}
	}
}

// Ensure contradictory configurations are refused.
func TestConfigValidate(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"negative lifetime": func(c *Config) { c.AccessLifetime = -1 },
		"endless lifetime":  func(c *Config) { c.RefreshLifetime = 2 * MaxLifetime },
		"negative limit":    func(c *Config) { c.MaxBody = -1 },
		"negative timeout":  func(c *Config) { c.WriteTimeout = -1 },
		"rate without room": func(c *Config) { c.RatePerToken, c.RateBurst = 1, 0 },
		"CORS of two lines": func(c *Config) { c.CORS = "*\r\nX: y" },
	} {
		config := DefaultConfig()
		change(&config)
		if config.validate() == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if err := DefaultConfig().validate(); err != nil {
		t.Error(err)
	}
}
