package integration

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// metrics reads /metrics into values by name and labels.
func (v *service) metrics(t *testing.T) map[string]float64 {
	t.Helper()
	got := v.send("GET", "/metrics", "", "")
	if got.status != 200 || !strings.HasPrefix(got.header.Get("Content-Type"), "text/plain") {
		t.Fatalf("metrics: %d %v", got.status, got.header)
	}
	values := map[string]float64{}
	for line := range strings.Lines(string(got.body)) {
		name, number, found := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(line, "#") || !found {
			continue
		}
		value, err := strconv.ParseFloat(number, 64)
		if err != nil {
			t.Errorf("metrics: %q", line)
		}
		values[name] = value
	}
	return values
}

// Ensure that metrics count what was done, by route and by the way it was read, that the access log
// has a line for every request under the id that its answer has, and that neither holds secrets or
// values.
func TestMetricsAndLog(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		v := s.serve(t, nil, "LATERAL_LOG_ACCESS=true", "--log-format=json")
		if got := v.send("GET", "/healthz", "", ""); got.status != 200 || string(got.body) != `{"status": "alive"}` {
			t.Errorf("healthz: %d %s", got.status, got.body)
		}
		ready := v.eventually(t, "ready", func() answer { return v.send("GET", "/readyz", "", "") }, func(a answer) bool { return a.status == 200 })
		if want := `{"ready": true, "checks": {"database": "ok", "catalogue": "ok", "odoo": "ok"}}`; string(ready.body) != want {
			t.Errorf("readyz: %s", ready.body)
		}
		token := v.admin(t, s)
		before := v.metrics(t)
		const secret = "topsecret-value"
		ids := map[string]string{} // request id → status
		send := func(method, path, token, body string, status int) {
			t.Helper()
			got := v.send(method, path, token, body)
			if got.status != status {
				t.Errorf("%s %s: %d %s", method, path, got.status, got.body)
			}
			ids[got.header.Get("X-Request-Id")] = fmt.Sprint(status)
		}
		for range 3 {
			send("GET", "/api/res.country?limit=2&filters="+url.QueryEscape("[('name','!=','"+secret+"')]"), token, "", 200)
		}
		send("GET", "/v2/res.partner/3?exclude_fields=*&include_fields=contact_address", token, "", 200)
		send("GET", "/api/mail.message?limit=1", token, `{"order": "id"}`, 200)
		send("GET", "/api/res.partner?order="+secret, token, "", 409)
		send("GET", "/api/res.partner", secret+"-token", "", 401)
		send("GET", "/"+secret, token, "", 404)
		send("POST", "/api/auth/get_tokens", "", `{"username": "`+secret+`", "password": "`+secret+`-password"}`, 401)
		send("POST", "/api/auth/refresh_token", "", `{"refresh_token": "`+secret+`"}`, 401)
		send("POST", "/api/auth/get_tokens", "", `{"username": "admin", "password": ["`+secret+`"]}`, 400)
		send("POST", "/api/auth/get_tokens", "", `{"username": "admin", "password": "`+secret+`", "password": "x"}`, 400)
		send("POST", "/api/auth/get_tokens", "", `{"username": "admin", "password": "`+secret+`" "db": 1}`, 400)
		send("PUT", "/api/res.partner/3", token, `{"country_id": "`+secret+`"}`, 409)
		send("PUT", "/api/res.partner/3?"+secret+"=1", token, "", 409)
		send("GET", "/api/res.partner?filters="+url.QueryEscape("[('name','"+secret+"','x')]"), token, "", 409)
		after := v.metrics(t)
		for name, want := range map[string]float64{
			`lateral_reads_total{path="direct"}`:                                                   3,
			`lateral_reads_total{path="hybrid"}`:                                                   1,
			`lateral_reads_total{path="odoo"}`:                                                     1,
			`lateral_odoo_reads_total{model="mail.message"}`:                                       1,
			`lateral_responses_broken_total`:                                                       0,
			`lateral_panics_total`:                                                                 0,
			`lateral_requests_total{method="GET",route="/api/{model}",status="200"}`:               4,
			`lateral_requests_total{method="GET",route="/v2/{model}/{id}",status="200"}`:           1,
			`lateral_requests_total{method="GET",route="/api/{model}",status="409"}`:               2,
			`lateral_requests_total{method="GET",route="unmatched",status="404"}`:                  1,
			`lateral_requests_total{method="POST",route="/api/auth/get_tokens",status="401"}`:      1,
			`lateral_request_duration_seconds_count{method="GET",route="/api/{model}"}`:            7,
			`lateral_request_duration_seconds_bucket{method="GET",route="/api/{model}",le="+Inf"}`: 7,
		} {
			if got := after[name] - before[name]; got != want {
				t.Errorf("%s rose by %v, not %v", name, got, want)
			}
		}
		// A read that starts again, since Odoo has signalled a change, looks once more.
		if hits := after["lateral_statement_cache_hits_total"] - before["lateral_statement_cache_hits_total"]; hits < 2 {
			t.Errorf("the same read three times: %v hits of the cache of statements", hits)
		}
		for name, least := range map[string]float64{
			`lateral_odoo_calls_total{outcome="ok"}`:                 1,
			`lateral_odoo_call_duration_seconds_count{outcome="ok"}`: 1,
			`lateral_statement_cache_misses_total`:                   2,
			`lateral_pool_connections_max`:                           1,
			`lateral_pool_connections`:                               1,
			`lateral_requests_in_flight`:                             1,
			`lateral_response_bytes_total{route="/api/{model}"}`:     100,
			`go_goroutines`:                                          1,
			`process_resident_memory_bytes`:                          1 << 20,
		} {
			if after[name] < least {
				t.Errorf("%s is %v", name, after[name])
			}
		}
		for name := range after {
			if strings.Contains(name, secret) {
				t.Errorf("a metric holds what a client sent: %s", name)
			}
		}
		v.logged(t, ids, secret, token)
	})
}

// logged checks the access log.
func (v *service) logged(t *testing.T, ids map[string]string, secrets ...string) {
	t.Helper()
	v.eventuallyTrue(t, "the log is written", func() bool { return strings.Count(v.log.String(), `"msg":"request"`) >= len(ids) })
	found := map[string]bool{}
	for line := range strings.Lines(v.log.String()) {
		var entry struct {
			Msg, Level, Method, Route, Model, Error string
			ID                                      string `json:"request_id"`
			ReadPath                                string `json:"read_path"`
			Status                                  int
			Ms                                      float64
			UID                                     int64
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("no JSON: %s", line)
			continue
		}
		if want := ids[entry.ID]; entry.Msg == "request" && want != "" {
			found[entry.ID] = true
			if fmt.Sprint(entry.Status) != want || entry.Route == "" || entry.Method == "" || entry.Ms <= 0 || (entry.Status == 200) != (entry.Error == "") ||
				entry.Status == 200 && (entry.UID == 0 || entry.ReadPath == "") {
				t.Errorf("logged: %s", line)
			}
		}
	}
	if len(found) != len(ids) {
		t.Errorf("%d of %d requests are logged:\n%s", len(found), len(ids), v.log)
	}
	for _, secret := range append(secrets, "SELECT ", "Traceback", "/api/auth/get_tokens?") {
		if strings.Contains(v.log.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, v.log)
		}
	}
	if forty := regexp.MustCompile(`\b[0-9a-f]{40}\b`).FindString(v.log.String()); forty != "" {
		t.Errorf("the log holds what looks like a token: %s", forty)
	}
}
