package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// tokens is what get_tokens answers, as far as it is used here.
type tokens struct{ access, refresh string }

func (v *service) getTokens(t testing.TB, s *stand, more string) tokens {
	t.Helper()
	user := s.User("admin")
	got := v.send("POST", "/api/auth/get_tokens", "", fmt.Sprintf(`{"username": %q, "password": %q%s}`, user.Login, user.Password, more))
	pair := tokens{textOf(got.body, "access_token"), textOf(got.body, "refresh_token")}
	if got.status != 200 || pair.access == "" || pair.refresh == "" || got.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("logging in: %d %s %v", got.status, got.body, got.header)
	}
	return pair
}

// Ensure that only a token of this server's, of the right kind, in its time, opens anything, and that
// the answer does not tell what was wrong with it.
func TestBadTokens(t *testing.T) {
	s := shared(t, versions()[0]) // tokens are lateral's own: no version of Odoo's makes them others
	v, other := s.serve(t, nil), s.serve(t, nil)
	valid, brief := v.getTokens(t, s, ""), v.getTokens(t, s, `, "access_lifetime": 1, "refresh_lifetime": 1`)
	foreign, revoked := other.getTokens(t, s, ""), v.getTokens(t, s, "")
	if got := v.send("POST", "/api/auth/delete_tokens", "", `{"refresh_token": "`+revoked.refresh+`"}`); got.status != 200 || string(got.body) != "{}" {
		t.Errorf("revoking: %d %s", got.status, got.body)
	}
	renewed := v.send("POST", "/api/auth/refresh_token", "", `{"refresh_token": "`+valid.refresh+`"}`)
	replaced := valid.access
	if valid.access = textOf(renewed.body, "access_token"); renewed.status != 200 || valid.access == "" || valid.access == replaced {
		t.Fatalf("renewing: %d %s", renewed.status, renewed.body)
	}
	read := func(token string) answer { return v.send("GET", "/api/res.partner?limit=1", token, "") }
	v.eventually(t, "expiry", func() answer { return read(brief.access) }, func(a answer) bool { return a.status == 401 })

	texts := map[string]bool{}
	for what, token := range map[string]string{
		"short": valid.access[:39], "long": valid.access + "a", "upper case": strings.ToUpper(valid.access), "forged": strings.Repeat("0", 40),
		"of another server": foreign.access, "expired": brief.access, "revoked": revoked.access, "replaced": replaced,
		"a refresh token": valid.refresh, "quoted": `"` + valid.access + `"`, "SQL": "' OR '1'='1", "a path": "../../etc/passwd", "4 kB": strings.Repeat("f", 4000),
		"one digit off": flipped(valid.access), "twice": valid.access + ", " + valid.access,
	} {
		for _, path := range []string{"/api/res.partner?limit=1", "/v2/res.partner?limit=1", "/api/no.such/x?limit=y"} {
			got := v.send("GET", path, token, "{")
			if got.status != 401 || got.code() != "invalid_token" || strings.Contains(string(got.body), token) {
				t.Errorf("%s at %s: got %d %s", what, path, got.status, got.body)
			}
			texts[got.description()] = true
		}
		if got := v.send("PUT", "/api/res.partner/1", token, `{"city": "x"}`); got.code() != "invalid_token" {
			t.Errorf("%s, writing: got %d %s", what, got.status, got.body)
		}
		if bearer := v.send("GET", "/v2/res.partner?limit=1", "", "", "Authorization", "Bearer "+token); bearer.status != 401 || bearer.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s as a bearer: got %d %s", what, bearer.status, bearer.body)
		}
	}
	if len(texts) != 1 {
		t.Errorf("the answers tell tokens apart: %v", texts)
	}
	v.refusesRefresh(t, map[string]string{
		"an access token": valid.access, "expired": brief.refresh, "revoked": revoked.refresh, "of another server": foreign.refresh,
		"forged": strings.Repeat("0", 40), "upper case": strings.ToUpper(valid.refresh), "empty-looking": " ",
	})
	v.refusesHeaders(t, valid.access)
	if got := read(valid.access); got.status != 200 {
		t.Errorf("the valid token, after all: %d %s", got.status, got.body)
	}
}

// flipped is a token with another last digit.
func flipped(token string) string {
	last := "0"
	if token[39] == '0' {
		last = "1"
	}
	return token[:39] + last
}

// refusesRefresh tries refresh tokens that are none. Deleting one is no error, and does nothing.
func (v *service) refusesRefresh(t *testing.T, bad map[string]string) {
	t.Helper()
	for what, token := range bad {
		if got := v.send("POST", "/api/auth/refresh_token", "", `{"refresh_token": "`+token+`"}`); got.status != 401 || got.code() != "invalid_token" {
			t.Errorf("refreshing with %s: got %d %s", what, got.status, got.body)
		}
		if got := v.send("POST", "/api/auth/delete_tokens", "", `{"refresh_token": "`+token+`"}`); got.status != 200 || string(got.body) != "{}" {
			t.Errorf("deleting %s: got %d %s", what, got.status, got.body)
		}
	}
	for _, r := range []badRequest{
		{"POST", "/api/auth/refresh_token", `{"refresh_token": 5}`, 400, "invalid_request_body"},
		{"POST", "/api/auth/refresh_token", `{"refresh_token": ["x"]}`, 400, "invalid_request_body"},
		{"POST", "/api/auth/refresh_token", `{"refresh_token": ""}`, 400, "no_refresh_token"},
		{"POST", "/api/auth/refresh_token", `{"refresh_token": null}`, 400, "no_refresh_token"},
		{"POST", "/api/auth/delete_tokens", `{"refresh_token": {}}`, 400, "invalid_request_body"},
		{"POST", "/api/auth/get_tokens", `{"username": "admin", "password": "admin", "access_lifetime": -1}`, 400, "invalid_request_body"},
		{"POST", "/api/auth/get_tokens", `{"username": "admin", "password": "admin", "access_lifetime": "soon"}`, 400, "invalid_request_body"},
		{"POST", "/api/auth/get_tokens", `{"username": "admin", "password": "admin", "refresh_lifetime": 1e18}`, 400, "invalid_request_body"},
		{"POST", "/api/auth/get_tokens", `{"username": "admin", "password": "admin", "refresh_lifetime": 99999999999999999999}`, 400, "invalid_request_body"},
		{"POST", "/api/auth/get_tokens", `{"username": ["admin"], "password": "admin"}`, 400, "invalid_request_body"},
		{"POST", "/api/auth/get_tokens", `{"username": "admin", "password": {"a": 1}}`, 400, "invalid_request_body"},
		{"POST", "/api/auth/get_tokens", `{"username": "admin", "password": true}`, 400, "invalid_request_body"},
		{"POST", "/api/auth/get_tokens", `{"username": "admin\u0007", "password": "x"}`, 401, "odoo_user_authentication_failed"},
		{"POST", "/api/auth/get_tokens", `{"username": "admin\u0000", "password": "admin"}`, 400, "invalid_request_body"},
		{"GET", "/api/auth/get_tokens?username=admin&password=%ff", "", 400, "invalid_request_body"},
		{"POST", "/v2/auth/get_tokens", `{"username": "admin", "password": "wrong"}`, 401, "odoo_user_authentication_failed"},
	} {
		v.refuses(t, r, "no token")
	}
}

// refusesHeaders tries ways of sending a valid token that are not in the contract.
func (v *service) refusesHeaders(t *testing.T, token string) {
	t.Helper()
	for _, value := range []string{"", "Bearer", "Bearer ", "Basic " + token, token, "Bearer: " + token, "Token " + token, "Bearer\u00a0" + token} {
		got := v.send("GET", "/api/res.partner", "", "", "Authorization", value)
		if got.code() != "no_access_token" && got.code() != "invalid_token" {
			t.Errorf("Authorization %q: got %d %.200s", strings.ReplaceAll(value, token, "TOKEN"), got.status, got.body)
		}
	}
	for _, path := range []string{"/api/res.partner?access_token=" + token, "/api/res.partner?Access-Token=" + token} {
		if got := v.send("GET", path, "", ""); got.status != 400 || got.code() != "no_access_token" {
			t.Errorf("the token in the URL: got %d %.200s", got.status, got.body)
		}
	}
	if got := v.send("GET", "/api/res.partner?limit=1", "", `{"access_token": "`+token+`"}`); got.status != 400 || got.code() != "no_access_token" {
		t.Errorf("the token in the body: got %d %.200s", got.status, got.body)
	}
	// Both headers: what the seed product's clients send counts.
	both := v.send("GET", "/api/res.partner?limit=1", strings.Repeat("0", 40), "", "Authorization", "Bearer "+token)
	if both.status != 401 {
		t.Errorf("a wrong Access-Token beside a valid bearer: got %d", both.status)
	}
}

// Ensure that tokens whose lifetime is 0 do not expire, and that a refresh token outlives its access
// token.
func TestTokenLifetimes(t *testing.T) {
	s := shared(t, versions()[0])
	v := s.serve(t, nil)
	for _, c := range []struct {
		more            string
		access, refresh string
	}{
		{"", "600", "7200"},
		{`, "access_lifetime": 0`, "0", "0"},
		{`, "access_lifetime": 60, "refresh_lifetime": 30`, "60", "60"},
		{`, "access_lifetime": 60, "refresh_lifetime": 0`, "60", "0"},
		{`, "access_lifetime": null`, "600", "7200"},
	} {
		user := s.User("admin")
		got := v.send("POST", "/api/auth/get_tokens", "", fmt.Sprintf(`{"username": %q, "password": %q, "db": "x", "db_name": "y"%s}`, user.Login, user.Password, c.more))
		if !strings.Contains(string(got.body), `"expires_in": `+c.access+`, `) || !strings.Contains(string(got.body), `"refresh_expires_in": `+c.refresh+`}`) {
			t.Errorf("%q: got %s", c.more, got.body)
		}
	}
	begin := time.Now()
	brief := v.getTokens(t, s, `, "access_lifetime": 1, "refresh_lifetime": 600`)
	v.eventually(t, "expiry", func() answer { return v.send("GET", "/api/res.partner?limit=1", brief.access, "") }, func(a answer) bool { return a.status == 401 })
	if took := time.Since(begin); took < time.Second {
		t.Errorf("the token expired after %s", took)
	}
	got := v.send("POST", "/api/auth/refresh_token", "", `{"refresh_token": "`+brief.refresh+`", "access_lifetime": 90}`)
	if got.status != 200 || !strings.Contains(string(got.body), `"expires_in": 90}`) {
		t.Errorf("refreshing after expiry: %d %s", got.status, got.body)
	}
	if after := v.send("GET", "/api/res.partner?limit=1", textOf(got.body, "access_token"), ""); after.status != 200 {
		t.Errorf("the new token: %d %s", after.status, after.body)
	}
}
