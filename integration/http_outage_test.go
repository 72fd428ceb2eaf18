package integration

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"lateral/integration/stack"
)

// ownStand starts a stack that a test may break, and stops it when the test ends.
func ownStand(t *testing.T, version string) *stand {
	t.Helper()
	s, err := stack.Start(t.Context(), stack.Options{Version: version})
	if err != nil {
		t.Fatal(err)
	}
	st, err := newStand(t.Context(), s)
	if err != nil {
		t.Fatal(errors.Join(err, s.Close(context.Background())))
	}
	t.Cleanup(func() {
		st.close()
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return st
}

// eventually polls until an answer is as wanted, or fails with the last one.
func (v *service) eventually(t *testing.T, what string, ask func() answer, holds func(answer) bool) answer {
	t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for {
		got := ask()
		if got.err == nil && holds(got) {
			return got
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: in the end %d %s, %v\n%s", what, got.status, got.body, got.err, v.log)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// Ensure lateral says what is missing when PostgreSQL or Odoo is not there, goes on with what it
// can, and recovers without a restart.
func TestOutages(t *testing.T) {
	s := ownStand(t, versions()[0])
	ctx := t.Context()
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	status := func(want int) func(answer) bool { return func(a answer) bool { return a.status == want } }

	// Started before PostgreSQL.
	must("stopping PostgreSQL", s.StopPostgres(ctx))
	v := s.serve(t, nil)
	ready := func() answer { return v.send("GET", "/readyz", "", "") }
	if got := v.eventually(t, "not ready", ready, status(503)); !strings.Contains(string(got.body), "database") {
		t.Errorf("readyz does not name the database: %s", got.body)
	}
	if got := v.send("GET", "/healthz", "", ""); got.status != 200 {
		t.Errorf("healthz: %d %s", got.status, got.body)
	}
	must("starting PostgreSQL", s.StartPostgres(ctx))
	v.eventually(t, "ready", ready, status(200))
	token := ""
	v.eventually(t, "logging in", func() answer {
		return v.send("POST", "/api/auth/get_tokens", "", `{"username": "admin", "password": "admin", "access_lifetime": 0}`)
	}, func(a answer) bool {
		token = textOf(a.body, "access_token")
		return token != ""
	})
	read := func() answer { return v.send("GET", "/api/sale.order?limit=2", token, "") }
	v.eventually(t, "the first read", read, status(200))

	// Odoo goes away: what needs it says so, direct reads go on.
	must("stopping Odoo", s.StopOdoo(ctx))
	if got := read(); got.status != 200 || got.header.Get("X-Read-Path") != "direct" {
		t.Errorf("a direct read without Odoo: %d %s", got.status, got.body)
	}
	for _, path := range []string{"/api/mail.message?limit=1", "/api/auth/get_tokens?username=demo&password=demo"} {
		got := v.send("GET", path, token, "")
		if got.status != 503 || got.code() != "odoo_unavailable" || got.header.Get("Retry-After") == "" {
			t.Errorf("%s without Odoo: %d %s", path, got.status, got.body)
		}
	}
	if got := v.send("PUT", "/api/res.partner/1", token, `{"city": "x"}`); got.code() != "odoo_unavailable" {
		t.Errorf("a write without Odoo: %d %s", got.status, got.body)
	}
	v.eventually(t, "Odoo missed", ready, func(a answer) bool { return a.status == 503 && strings.Contains(string(a.body), "odoo") })
	must("starting Odoo", s.StartOdoo(ctx))
	v.eventually(t, "ready again", ready, status(200))
	v.eventually(t, "a read through Odoo", func() answer { return v.send("GET", "/api/mail.message?limit=1", token, "") }, status(200))

	// PostgreSQL goes away under a service at work.
	must("stopping PostgreSQL", s.StopPostgres(ctx))
	if got := read(); got.status != 503 || got.code() != "database_unavailable" || got.header.Get("Retry-After") == "" {
		t.Errorf("a read without PostgreSQL: %d %s", got.status, got.body)
	}
	must("starting PostgreSQL", s.StartPostgres(ctx))
	v.eventually(t, "a read after PostgreSQL is back", read, status(200))

	// Started while Odoo is away, with PostgreSQL there: only Odoo is missed, logins say so, and nothing
	// needs a restart.
	must("stopping Odoo", s.StopOdoo(ctx))
	late := s.serve(t, nil)
	lateReady := func() answer { return late.send("GET", "/readyz", "", "") }
	missed := late.eventually(t, "Odoo missed from the start", lateReady, status(503))
	if want := `"checks": {"database": "ok", "catalogue": "ok", "odoo": "missing"}`; !strings.Contains(string(missed.body), want) {
		t.Errorf("readyz without Odoo: %s", missed.body)
	}
	login := func() answer {
		return late.send("POST", "/api/auth/get_tokens", "", `{"username": "admin", "password": "admin"}`)
	}
	if got := login(); got.status != 503 || got.code() != "odoo_unavailable" || got.header.Get("Retry-After") == "" {
		t.Errorf("a login without Odoo: %d %s", got.status, got.body)
	}
	// Models whose fields nobody has asked about need Odoo once; what was read before does not.
	if got := v.send("GET", "/api/res.lang?limit=1", token, ""); got.status != 503 || got.code() != "odoo_unavailable" {
		t.Errorf("a model never read before, without Odoo: %d %s", got.status, got.body)
	}
	if got := read(); got.status != 200 || got.header.Get("X-Read-Path") != "direct" {
		t.Errorf("a model read before, without Odoo: %d %s", got.status, got.body)
	}
	must("starting Odoo", s.StartOdoo(ctx))
	late.eventually(t, "ready at last", lateReady, status(200))
	late.eventually(t, "a login at last", login, status(200))
	v.eventually(t, "a model never read before", func() answer { return v.send("GET", "/api/res.lang?limit=1", token, "") }, status(200))

	for _, wanted := range []string{"not ready", "check=database", "check=odoo", "msg=ready"} {
		if !strings.Contains(v.log.String(), wanted) {
			t.Errorf("the log does not tell of %q:\n%s", wanted, v.log)
		}
	}
	for _, secret := range []string{token, `"password"`, "password=", "SELECT "} {
		if strings.Contains(v.log.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, v.log)
		}
	}
}

// textOf returns a text member of a JSON object, empty where there is none.
func textOf(body []byte, key string) string {
	_, rest, _ := strings.Cut(string(body), `"`+key+`": "`)
	if rest == "" {
		_, rest, _ = strings.Cut(string(body), `"`+key+`":"`)
	}
	text, _, _ := strings.Cut(rest, `"`)
	return text
}
