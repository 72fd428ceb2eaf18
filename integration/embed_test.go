package integration

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"lateral/integration/stack"
)

// Ensure the program that embeds the server has lateral's routes and its own, for the user who is
// logged in and as that user.
func TestEmbed(t *testing.T) {
	s := shared(t, versions()[0])
	program := filepath.Join(t.TempDir(), "embed")
	if out, err := exec.Command("go", "build", "-o", program, "lateral/examples/embed").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	command := exec.Command(program)
	command.Env = append(os.Environ(), "DATABASE_DSN="+s.DSN, "ODOO_URL="+s.OdooURL, "ODOO_DATABASE="+s.Database, "PORT=0")
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = command.Process.Signal(os.Interrupt)
		if err := command.Wait(); err != nil {
			t.Errorf("the program ended with %v", err)
		}
	}()
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	v := &service{url: strings.TrimSpace(address), log: &serviceLog{}}
	seen := map[string]int{}
	for _, role := range []string{stack.RoleAdmin, stack.RolePortal} {
		user := s.User(role)
		v.login(t, user.Login, user.Password)
		got := v.send("GET", "/api/countries/US", v.token, "")
		var answer struct {
			Country struct {
				Name   string
				States []struct{ Code, Name string } `json:"state_ids"`
			}
			Contacts int
		}
		if err := json.Unmarshal(got.body, &answer); err != nil || got.status != 200 || answer.Country.Name != "United States" || len(answer.Country.States) < 50 {
			t.Errorf("%s: %d %.300s", role, got.status, got.body)
		}
		if path := got.header.Get("X-Read-Path"); path != "direct" && path != "hybrid" {
			t.Errorf("%s: read path %q", role, path)
		}
		who := s.login(t, role)
		odoo := s.call(t, who, "res.partner", "search_count", []any{[]any{[]any{"country_id.code", "=", "US"}}}, nil)
		if odoo != int64(answer.Contacts) {
			t.Errorf("%s: %d contacts, Odoo counts %v", role, answer.Contacts, odoo)
		}
		seen[role] = answer.Contacts
		if got := v.send("GET", "/api/countries/XX", v.token, ""); got.status != 404 || got.code() != "no_such_country" {
			t.Errorf("%s, no country: %d %s", role, got.status, got.body)
		}
		if got := v.send("GET", "/api/res.country?limit=1", v.token, ""); got.status != 200 {
			t.Errorf("%s, a model: %d %s", role, got.status, got.body)
		}
	}
	if seen[stack.RoleAdmin] <= seen[stack.RolePortal] {
		t.Errorf("who sees how many: %v", seen)
	}
	if got := v.send("GET", "/api/countries/US", "", ""); got.code() != "no_access_token" {
		t.Errorf("without a token: %d %s", got.status, got.body)
	}
	if d := newDocumentClient(t, v, "/v2/openapi.json?models=res.country"); d.document.Paths.Find("/v2/countries/{code}") == nil {
		t.Error("the endpoint is not described")
	}
}
