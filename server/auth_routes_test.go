package server

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"lateral/auth"
	"lateral/writer"
)

const loggedIn = `{"uid": 2, "user_context": {"lang": "en_US", "tz": false, "uid": 2}, "company_id": 7, ` +
	`"access_token": "` + token + `", "expires_in": 600, ` +
	`"refresh_token": "ffffffffffffffffffffffffffffffffffffffff", "refresh_expires_in": 7200}`

// Ensure a login works with its parameters in any place, and that only the text of the password counts.
func TestGetTokens(t *testing.T) {
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	body := `{"username": "admin", "password": "admin+1 é", "db": "ignored"}`
	values := url.Values{"username": {"admin"}, "password": {"admin+1 é"}}.Encode()
	tests := []struct {
		name, method, path, body string
		headers                  []string
	}{
		{"body of a GET", "GET", "/api/auth/get_tokens", body, []string{"Content-Type", "text/html"}},
		{"body of a POST", "POST", "/api/auth/get_tokens", body, nil},
		{"query", "GET", "/api/auth/get_tokens?" + values, "", nil},
		{"form", "POST", "/api/auth/get_tokens", values, form},
		{"body wins", "POST", "/api/auth/get_tokens?username=x&password=y", body, nil},
		{"typed", "GET", "/v2/auth/get_tokens?" + values, "", nil},
	}
	h := setup(t, nil)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := h.anonymous(test.method, test.path, test.body, test.headers...)
			if got.status != 200 || got.body != loggedIn {
				t.Errorf("got %d %s", got.status, got.body)
			}
			if got.header.Get("Cache-Control") != "no-store" || got.header.Get("Content-Type") != contentType {
				t.Errorf("got headers %v", got.header)
			}
		})
	}
}

// Ensure lifetimes are the client's where it says some, and sane.
func TestLifetimes(t *testing.T) {
	h := setup(t, nil)
	path := "/api/auth/get_tokens?" + url.Values{"username": {"admin"}, "password": {"admin+1 é"}}.Encode()
	if got := h.anonymous("GET", path+"&access_lifetime=60&refresh_lifetime=0", ""); got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	if h.tokens.access != time.Minute || h.tokens.refresh != 0 {
		t.Errorf("got %v and %v", h.tokens.access, h.tokens.refresh)
	}
	for _, bad := range []string{"-1", "1.5", "x", "None", "999999999999", "99999999999999999999", "1e3"} {
		got := h.anonymous("GET", path+"&access_lifetime="+bad, "")
		if got.status != 400 || got.code() != "invalid_request_body" || !strings.Contains(got.body, "access_lifetime") {
			t.Errorf("%s: got %d %s", bad, got.status, got.body)
		}
	}
	got := h.anonymous("POST", path, `{"refresh_lifetime": true}`)
	if got.status != 400 || !strings.Contains(got.body, "refresh_lifetime") {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

// Ensure refreshing and logging out answer as the contract says.
func TestRefreshAndDelete(t *testing.T) {
	h := setup(t, nil)
	known := `{"refresh_token": "ffffffffffffffffffffffffffffffffffffffff"}`
	want := `{"access_token": "` + token + `", "expires_in": 600}`
	if got := h.anonymous("POST", "/api/auth/refresh_token", known); got.status != 200 || got.body != want {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := h.anonymous("POST", "/api/auth/refresh_token", `{"refresh_token": "x"}`); got.status != 401 || got.code() != "invalid_token" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := h.anonymous("POST", "/api/auth/delete_tokens", known); got.status != 200 || got.body != "{}" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if h.tokens.revoked != strings.Repeat("f", 40) {
		t.Errorf("revoked %q", h.tokens.revoked)
	}
	for _, path := range []string{"/api/auth/refresh_token", "/api/auth/delete_tokens"} {
		got := h.anonymous("POST", path, "{}")
		if got.status != 400 || got.code() != "no_refresh_token" || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %d %s", path, got.status, got.body)
		}
	}
}

// Ensure failed logins tell why, and nothing else.
func TestLoginErrors(t *testing.T) {
	tests := []struct {
		name   string
		body   string
		odoo   error
		status int
		code   string
	}{
		{"nothing", `{}`, nil, 400, "empty_username_or_password"},
		{"empty password", `{"username": "admin", "password": ""}`, nil, 400, "empty_username_or_password"},
		{"null", `{"username": null, "password": "x"}`, nil, 400, "empty_username_or_password"},
		{"number", `{"username": "admin", "password": 5}`, nil, 400, "invalid_request_body"},
		{"refused", `{"username": "admin", "password": "hunter2"}`, nil, 401, "odoo_user_authentication_failed"},
		{"Odoo is away", `{"username": "admin", "password": "hunter2"}`, &writer.Fault{Kind: writer.Unavailable, Message: "connection refused"}, 503, "odoo_unavailable"},
		{"bug", `{"username": "admin", "password": "hunter2"}`, &writer.Fault{Message: "secret traceback"}, 500, "internal_error"},
		{"not JSON", `username=admin`, nil, 400, "invalid_request_body"},
	}
	h := setup(t, nil)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h.odoo.err = test.odoo
			got := h.anonymous("POST", "/api/auth/get_tokens", test.body)
			if got.status != test.status || got.code() != test.code {
				t.Errorf("got %d %s", got.status, got.body)
			}
			if strings.Contains(got.body, "hunter2") || strings.Contains(got.body, "traceback") {
				t.Errorf("tells too much: %s", got.body)
			}
		})
	}
	if strings.Contains(h.logged.String(), "hunter2") || strings.Contains(h.logged.String(), token) {
		t.Errorf("logged a secret: %s", h.logged)
	}
}

// Ensure the token is found under every name clients use.
func TestTokenHeaders(t *testing.T) {
	h := setup(t, nil)
	for _, header := range []string{"Access-Token", "access-token", "access_token", "ACCESS_TOKEN", "Access_token"} {
		if got := h.anonymous("GET", "/api/res.partner", "", header, token); got.status != 200 {
			t.Errorf("%s: got %d %s", header, got.status, got.body)
		}
	}
	for _, value := range []string{"Bearer " + token, "bearer  " + token} {
		if got := h.anonymous("GET", "/api/res.partner", "", "Authorization", value); got.status != 200 {
			t.Errorf("%s: got %d %s", value, got.status, got.body)
		}
	}
	for _, header := range [][]string{nil, {"Authorization", "Basic " + token}, {"Access-Tokens", token}, {"Access-Token", " "}} {
		got := h.anonymous("GET", "/api/res.partner", "", header...)
		if got.status != 400 || got.code() != "no_access_token" || got.header.Get("WWW-Authenticate") != "" {
			t.Errorf("%v: got %d %s", header, got.status, got.body)
		}
		got = h.anonymous("GET", "/v2/res.partner", "", header...)
		if got.status != 401 || got.code() != "no_access_token" || got.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%v: got %d %s", header, got.status, got.body)
		}
	}
	got := h.anonymous("GET", "/v2/res.partner", "", "Access-Token", "x")
	if got.status != 401 || got.code() != "invalid_token" || !strings.Contains(got.header.Get("WWW-Authenticate"), "invalid_token") {
		t.Errorf("got %d %s %v", got.status, got.body, got.header)
	}
}

// Ensure that logins of an account are refused after too many failures, without asking Odoo, by
// the client's own address, and that Odoo's absence is no failure.
func TestLoginsAreSlowed(t *testing.T) {
	limits := auth.LoginLimits{AccountFailures: 3, AddressFailures: 5, Window: time.Hour, Delay: time.Minute, MaxDelay: time.Hour}
	h := setup(t, func(d *Deps, c *Config) {
		d.Logins = auth.NewLoginGuard(limits, nil, time.Now)
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/32")} // what a connection in memory comes from
	})
	login := func(user, password, from string) answer {
		body := `{"username": "` + user + `", "password": "` + password + `"}`
		return h.anonymous("POST", "/api/auth/get_tokens", body, "X-Forwarded-For", from)
	}
	h.odoo.err = &writer.Fault{Kind: writer.Unavailable}
	for range 10 {
		if got := login("admin", "x", "192.0.2.1"); got.status != 503 {
			t.Fatalf("without Odoo: %d %s", got.status, got.body)
		}
	}
	h.odoo.err = nil
	for range 3 {
		if got := login("admin", "x", "192.0.2.1"); got.status != 401 {
			t.Fatalf("a wrong password: %d %s", got.status, got.body)
		}
	}
	h.odoo.err = &writer.Fault{Kind: writer.Unavailable} // which must not be noticed
	for _, from := range []string{"192.0.2.1", "192.0.2.2"} {
		got := login("admin", "admin+1 é", from)
		if got.status != 429 || got.code() != "too_many_requests" || got.header.Get("Retry-After") != "60" {
			t.Errorf("a blocked account: %d %s, %v", got.status, got.body, got.header)
		}
	}
	h.odoo.err = nil
	for range 2 {
		if got := login("other", "x", "192.0.2.1"); got.status != 401 {
			t.Fatalf("another account: %d %s", got.status, got.body)
		}
	}
	if got := login("third", "x", "192.0.2.1"); got.status != 429 {
		t.Errorf("a blocked address: %d %s", got.status, got.body)
	}
	if got := login("third", "x", "192.0.2.3"); got.status != 401 {
		t.Errorf("another address: %d %s", got.status, got.body)
	}
}
