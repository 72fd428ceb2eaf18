package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// curlLines are the seed page's lines 1 to 6, verbatim but for what stands in {braces}.
var curlLines = []struct{ name, line string }{
	{"1", `curl -i -H "Content-Type: text/html" -X GET {base}/api/auth/get_tokens -d '{"username":"admin", "password":"admin"}'`},
	{"4", `curl -i -H "Content-Type: text/html" -X GET {base}/api/res.partner -H "Access-Token: {access}"`},
	{"5", `curl -i -H "Content-Type: text/html" -X GET {base}/api/res.partner -H "Access-Token: {access}" -d '{"filters": [["name", "like", "ompany"], ["id", "<=", 50]]}'`},
	{"6", `curl -i -H "Content-Type: text/html" -X GET {base}/api/res.partner/3 -H "Access-Token: {access}"`},
	{"2", `curl -i -H "Content-Type: text/html" -X POST {base}/api/auth/refresh_token -d '{"refresh_token":"{refresh}"}'`},
	{"3", `curl -i -H "Content-Type: text/html" -X POST {base}/api/auth/delete_tokens -d '{"refresh_token":"{refresh}"}'`},
}

// Ensure the seed page's curl lines work as they stand there, run by curl itself.
func TestSeedCurlLines(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		v := s.serve(t, nil)
		names := strings.NewReplacer()
		bodies := map[string]string{}
		var tokens map[string]any
		for _, c := range curlLines {
			out, err := exec.CommandContext(t.Context(), "bash", "-c", names.Replace(strings.ReplaceAll(c.line, "{base}", v.url))).Output()
			if err != nil {
				t.Fatalf("line %s: %v", c.name, err)
			}
			head, body, ok := strings.Cut(strings.ReplaceAll(string(out), "\r\n", "\n"), "\n\n")
			if !ok || !strings.HasPrefix(head, "HTTP/1.1 200 ") || !strings.Contains(head, "Content-Type: application/json; charset=utf-8") {
				t.Fatalf("line %s: %s", c.name, out)
			}
			bodies[c.name] = body
			if c.name == "1" {
				if err := json.Unmarshal([]byte(body), &tokens); err != nil {
					t.Fatal(err)
				}
				names = strings.NewReplacer("{access}", tokens["access_token"].(string), "{refresh}", tokens["refresh_token"].(string))
			}
		}
		s.checkCurlAnswers(t, bodies)
		if got := v.send("GET", "/api/res.partner", tokens["access_token"].(string), ""); got.code() != "invalid_token" {
			t.Errorf("the old access token still works: %d", got.status)
		}
	})
}

// checkCurlAnswers compares the answers with the contract and with Odoo.
func (s *stand) checkCurlAnswers(t *testing.T, bodies map[string]string) {
	t.Helper()
	admin := s.login(t, "admin")
	keys := []string{"uid", "user_context", "company_id", "access_token", "expires_in", "refresh_token", "refresh_expires_in"}
	at := 0
	for _, key := range keys {
		next := strings.Index(bodies["1"], `"`+key+`":`)
		if next < at {
			t.Errorf("get_tokens: %s is missing or out of order in %s", key, bodies["1"])
		}
		at = next
	}
	for _, line := range []string{"4", "5"} {
		domain := []any{}
		if line == "5" {
			domain = []any{[]any{"name", "like", "ompany"}, []any{"id", "<=", 50}}
		}
		var page struct {
			Count   int
			Results []struct {
				ID   int64
				Name *string
			}
		}
		if err := json.Unmarshal([]byte(bodies[line]), &page); err != nil {
			t.Fatal(err)
		}
		want := s.call(t, admin, "res.partner", "search_read", []any{domain, []any{"name"}}, nil).([]any)
		if page.Count != len(want) || len(page.Results) != len(want) {
			t.Errorf("line %s: count %d, %d results, Odoo has %d", line, page.Count, len(page.Results), len(want))
		}
		for i := range min(len(want), len(page.Results)) {
			record := want[i].(map[string]any)
			name := ""
			if page.Results[i].Name != nil {
				name = *page.Results[i].Name
			}
			if page.Results[i].ID != record["id"] || name != record["name"] {
				t.Errorf("line %s, result %d: %v, Odoo has %v", line, i, page.Results[i], record)
			}
		}
	}
	var one map[string]any
	if err := json.Unmarshal([]byte(bodies["6"]), &one); err != nil || one["id"] != 3.0 || len(one) < 100 {
		t.Errorf("line 6: %d keys, %v", len(one), err)
	}
	if strings.TrimSpace(bodies["3"]) != "{}" || !strings.Contains(bodies["2"], `"access_token"`) {
		t.Errorf("lines 2 and 3: %s, %s", bodies["2"], bodies["3"])
	}
}

// seedClient is the seed page's Python client, its address, its ids and its login replaced. Requests
// is in Debian's python3-requests, which Odoo needs too.
const seedClient = `
import requests
# Authentication
r = requests.get('%[1]s/api/auth/get_tokens?username=admin&password=admin')
access_token = r.json()['access_token']
# GET - Read record
r = requests.get(
    '%[1]s/api/sale.order/%[2]d',
    headers = {'Access-Token': access_token})
print(r.json()['name'])
# PUT - Update record
r = requests.put(
    '%[1]s/api/res.partner/%[3]d?name=Tom Lenz&city=New York',
    headers = {'Access-Token': access_token})
print(r)
`

// Ensure the seed page's Python client works, and what it writes is in Odoo.
func TestSeedPythonClient(t *testing.T) {
	eachFork(t, func(t *testing.T, s *stand) {
		v := s.serve(t, nil)
		admin := s.login(t, "admin")
		order := s.call(t, admin, "sale.order", "search_read", []any{[]any{}, []any{"name"}}, map[string]any{"limit": int64(1)}).([]any)[0].(map[string]any)
		partner := s.call(t, admin, "res.partner", "search", []any{[]any{[]any{"is_company", "=", true}}}, map[string]any{"limit": int64(1)}).([]any)[0].(int64)
		script := filepath.Join(t.TempDir(), "client.py")
		if err := os.WriteFile(script, fmt.Appendf(nil, seedClient, v.url, order["id"], partner), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "/usr/bin/python3", script).CombinedOutput()
		if want := order["name"].(string) + "\n<Response [200]>\n"; err != nil || string(out) != want {
			t.Fatalf("got %s, %v, want %s", out, err, want)
		}
		now := s.call(t, admin, "res.partner", "read", []any{[]any{partner}, []any{"name", "city"}}, nil).([]any)[0].(map[string]any)
		if now["name"] != "Tom Lenz" || now["city"] != "New York" {
			t.Errorf("Odoo has %v", now)
		}
	})
}
