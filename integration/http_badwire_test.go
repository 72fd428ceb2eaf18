package integration

import (
	"fmt"
	"strings"
	"testing"
)

// wireRequest is a request that Go's client would not send, and what must come back.
type wireRequest struct {
	name string
	text string // TOKEN stands for a valid one
	want string // the status line's number and the error's code
}

// wireRequests are broken, oversized or devious on the level of HTTP.
func wireRequests() []wireRequest {
	get := func(target string, headers ...string) string {
		text := "GET " + target + " HTTP/1.1\r\nHost: x\r\nAccess-Token: TOKEN\r\nConnection: close\r\n"
		return text + strings.Join(headers, "") + "\r\n"
	}
	body := func(content string, headers ...string) string {
		return strings.TrimSuffix(get("/api/res.partner", headers...), "\r\n") + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(content), content)
	}
	return []wireRequest{
		{"no HTTP", "nonsense\r\n\r\n", "400 invalid_request_body"},
		{"no version", "GET /api/res.partner\r\n\r\n", "400 invalid_request_body"},
		{"a NUL byte in the request line", "GET /api/\x00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "400"},
		{"a header without a colon", "GET /api/res.partner HTTP/1.1\r\nHost: x\r\nNonsense\r\nConnection: close\r\n\r\n", "400"},
		{"a length that is no number", "GET /api/res.partner HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\nConnection: close\r\n\r\n", "400"},
		{"two lengths", body("{}", "Content-Length: 40\r\n"), "400"},
		{"a length and chunks", body("{}", "Transfer-Encoding: chunked\r\n"), "400"},
		{"a URL of 100 kB", get("/api/res.partner?filters=" + strings.Repeat("x", 100_000)), "413 request_too_large"},
		{"headers of 100 kB", get("/api/res.partner", "X-Long: "+strings.Repeat("x", 100_000)+"\r\n"), "413 request_too_large"},
		{"a body of 40 MB, announced", get("/api/res.partner", "Content-Length: 40000000\r\n"), "413 request_too_large"},
		{"1 MB of minus signs", body(`{"filters": ` + strings.Repeat("-", 1<<20) + "1}"), "400 invalid_request_body"},
		{"100,000 brackets in a form", body("filters="+strings.Repeat("[", 100_000), "Content-Type: application/x-www-form-urlencoded\r\n"), "409 not_read_object_in_odoo"},
		{"1 MB of minus signs in a form", body("filters="+strings.Repeat("-", 1<<20)+"1", "Content-Type: application/x-www-form-urlencoded\r\n"), "409 not_read_object_in_odoo"},
		{"a number of 100,000 digits", body(`{"limit": ` + strings.Repeat("9", 100_000) + "}"), "400 invalid_request_body"},
		{"broken UTF-8 in the path", get("/api/res.\xff\xfe"), "404 model_not_found"},
		{"broken UTF-8 in the query", get("/api/res.partner?order=\xff"), "400 invalid_request_body"},
		{"broken UTF-8 in the body", body("{\"order\": \"\xc3\x28\"}"), "400 invalid_request_body"},
		{"an overlong NUL", get("/api/res.partner?order=%c0%80"), "400 invalid_request_body"},
		{"a surrogate", get("/api/res.partner?order=%ed%a0%80"), "400 invalid_request_body"},
		{"NUL in a model", get("/api/res.partner%00"), "404 model_not_found"},
		{"NUL in an id", get("/api/res.partner/1%00"), "400 invalid_object_id"},
		{"NUL in a name", get("/api/res.partner?%00=1"), "400 invalid_request_body"},
		{"NUL in a search", get("/api/res.partner/%00?search_field=name"), "400 invalid_object_id"},
		{"NUL in the body", body("\x00{}"), "400 invalid_request_body"},
		{"two dots", get("/api/../../etc/passwd"), "404 not_found"},
		{"two dots, encoded", get("/api/%2e%2e/1"), "404 model_not_found"},
		{"two dots within", get("/api/res.partner/../res.users"), "405 method_not_allowed"},
		{"an encoded slash", get("/api/res.partner%2f1"), "404 model_not_found"},
		{"an encoded slash in the id", get("/api/res.partner/1%2f2"), "400 invalid_object_id"},
		{"no model", get("/api//"), "404"},
		{"two slashes first", get("//api/res.partner"), "404 not_found"},
		{"a matrix parameter", get("/api/res.partner;a=1"), "404 model_not_found"},
		{"a backslash", get(`/api\res.partner`), "404 not_found"},
		{"a fragment", get("/api/res.partner/1%23x"), "400 invalid_object_id"},
		{"a line break in a model", get("/api/x%0d%0aSet-Cookie:%20a=b"), "404 model_not_found"},
		{"a line break in an id", get("/api/res.partner/1%0d%0aSet-Cookie:%20a=b"), "400 invalid_object_id"},
		{"a verb of 1 kB", strings.Replace(get("/api/res.partner"), "GET", strings.Repeat("X", 1000), 1), "405 method_not_allowed"},
		{"another host's URL", get("http://elsewhere.example/api/no.such"), "404 model_not_found"},
		{"a compressed body", body("{}", "Content-Encoding: gzip\r\n"), "400 invalid_request_body"},
		{"a multipart body", body("--x--", "Content-Type: multipart/form-data; boundary=x\r\n"), "400 invalid_request_body"},
		{"a wrong token before a valid one", strings.Replace(get("/api/res.partner"), "Access-Token:", "Access-Token: wrong\r\nAccess-Token:", 1), "401 invalid_token"},
	}
}

// Ensure that requests no client should send are answered in order, whatever bytes they hold, and that
// nothing of them gets into headers.
func TestBadInputOnTheWire(t *testing.T) {
	s := shared(t, versions()[0])
	v := s.serve(t, nil)
	token := v.admin(t, s)
	before := s.written(t)
	for _, r := range wireRequests() {
		got := v.raw(t, strings.ReplaceAll(r.text, "TOKEN", token))
		status, code, _ := strings.Cut(r.want, " ")
		head, body, complete := strings.Cut(got, "\r\n\r\n")
		switch {
		case !complete || !strings.HasPrefix(got, "HTTP/1.1 "+status+" ") || !strings.Contains(body, `"error": "`+code):
			t.Errorf("%s: got %.500q, want %s", r.name, got, r.want)
		case strings.Contains(head, "Set-Cookie"):
			t.Errorf("%s: a header was smuggled in: %q", r.name, head)
		case !strings.Contains(head, "Content-Type: application/json"), !strings.Contains(head, "X-Request-Id: "):
			t.Errorf("%s: got the headers %q", r.name, head)
		}
		for _, secret := range []string{token, "Traceback", "SELECT ", "goroutine", "/usr/", ".go:"} {
			if strings.Contains(got, secret) {
				t.Errorf("%s: the answer holds %q: %.500q", r.name, secret, got)
			}
		}
	}
	if got := v.send("GET", "/api/res.partner?limit=1", token, ""); got.status != 200 {
		t.Errorf("the server does not go on: %d %s", got.status, got.body)
	}
	if after := s.written(t); after != before {
		t.Error("the database has changed")
	}
	if strings.Contains(v.log.String(), "panic") {
		t.Errorf("panics in the log:\n%s", v.log)
	}
}
