package integration

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lateral/integration/stack"
)

// keysOf returns the fields of the first record of a page, or the error code.
func keysOf(a answer) string {
	var page struct{ Results []map[string]any }
	if a.status/100 != 2 || json.Unmarshal(a.body, &page) != nil || len(page.Results) == 0 {
		return fmt.Sprint(a.status, " ", a.code())
	}
	return strings.Join(slices.Sorted(maps.Keys(page.Results[0])), " ")
}

// Ensure a preset kept in Odoo is in force on every lateral in the very next request, whoever saved
// it, that it is checked before it is saved, and that only administrators get at it.
func TestStoredPresets(t *testing.T) {
	eachFork(t, func(t *testing.T, s *stand) {
		one := s.serve(t, nil)
		two := s.serve(t, map[string]string{"res.currency.schema": "{'read_all': ('id', 'symbol')}"})
		admin := s.login(t, stack.RoleAdmin)
		one.admin(t, s)
		two.admin(t, s)
		const path = "/studio/api/presets/res.country"
		next := func(what, want string) {
			t.Helper()
			if got := keysOf(two.send("GET", "/api/res.country?limit=1", two.token, "")); got != want {
				t.Fatalf("%s: the other one answers %s, want %s", what, got, want)
			}
		}
		next("nothing saved", "id name")

		shapes := []string{"code id", "id name phone_code", "code name"}
		var slowest time.Duration
		for i := range 6 {
			fields := shapes[i%len(shapes)]
			start := time.Now()
			saved := one.send("PUT", path, one.token, "{'read_all': ('"+strings.ReplaceAll(fields, " ", "', '")+"')}")
			if saved.status != 200 {
				t.Fatalf("saving: %d %s", saved.status, saved.body)
			}
			next(fmt.Sprint("saved ", i), fields)
			slowest = max(slowest, time.Since(start))
		}
		t.Logf("saved on one, read on the other: %v at most, both together", slowest)

		const key = "lateral.preset.res.country"
		set := func(value any) {
			t.Helper()
			s.call(t, admin, "ir.config_parameter", "set_param", []any{key, value}, nil)
		}
		set(`{"available": false}`)
		next("switched off in Odoo", "501 model_not_available")
		if got := two.send("PUT", "/api/res.country/1", two.token, `{"phone_code": 1}`); got.code() != "model_not_available" {
			t.Errorf("a write of a model that is switched off: %d %s", got.status, got.body)
		}
		set(`{"read_all": ["id"], "success_codes": {"read_all": 203}}`)
		if got := two.send("GET", "/api/res.country?limit=1", two.token, ""); got.status != 203 {
			t.Errorf("success code: %d", got.status)
		}
		set("{'read_all': (")
		next("broken in Odoo", "id")
		var state struct {
			File     *string
			Stored   *string
			Mistakes []struct{ Line int }
		}
		got := one.send("GET", path, one.token, "")
		if err := json.Unmarshal(got.body, &state); err != nil || len(state.Mistakes) != 1 || state.Mistakes[0].Line != 1 || state.File != nil {
			t.Errorf("state of a broken one: %d %s", got.status, got.body)
		}

		if got := runLateral(t, []string{"LATERAL_DATABASE_DSN=" + s.DSN}, "schema", "check"); got.status != 1 || !strings.HasPrefix(got.out, "lateral.preset.res.country:1: ") {
			t.Errorf("schema check of a broken one: %d %s%s", got.status, got.out, got.err)
		}

		wrong := one.send("PUT", path, one.token, "{\n 'read_all': ('id',\n  'nme'),\n 'success_code': {}}")
		if wrong.status != 422 || wrong.code() != "invalid_preset" || !strings.Contains(string(wrong.body), `{"line":3,"key":"read_all","text":"schema, nme: `) {
			t.Errorf("a wrong one: %d %s", wrong.status, wrong.body)
		}
		next("a wrong one was not saved", "id")

		if got := two.send("PUT", "/studio/api/presets/res.currency", two.token, "{}"); got.status != 409 || got.code() != "preset_in_file" {
			t.Errorf("saving behind a file: %d %s", got.status, got.body)
		}
		s.call(t, admin, "ir.config_parameter", "set_param", []any{"lateral.preset.res.currency", "{'read_all': 'id'}"}, nil)
		if got := keysOf(two.send("GET", "/api/res.currency?limit=1", two.token, "")); got != "id symbol" {
			t.Errorf("a file and a stored one: %s", got)
		}
		if got := keysOf(one.send("GET", "/api/res.currency?limit=1", one.token, "")); got != "id" {
			t.Errorf("the stored one alone: %s", got)
		}
		if got := one.send("GET", "/studio/api/presets", one.token, ""); got.status != 200 || strings.Count(string(got.body), `"model":`) != 2 {
			t.Errorf("list: %d %s", got.status, got.body)
		}

		for _, role := range []string{stack.RoleDemo, stack.RolePortal} {
			user := s.User(role)
			one.login(t, user.Login, user.Password)
			for _, method := range []string{"GET", "PUT", "DELETE"} {
				if got := one.send(method, path, one.token, "{}"); got.status != 403 {
					t.Errorf("%s %s: %d %s", role, method, got.status, got.body)
				}
			}
		}
		one.admin(t, s)
		if got := one.send("DELETE", path, one.token, ""); got.status != 200 {
			t.Errorf("removing: %d %s", got.status, got.body)
		}
		next("removed", "id name")
	})
}

// Ensure files are taken over while requests run, without one of them being dropped, and that a
// broken one leaves the last good one in force and hurts no other model.
func TestPresetFilesUnderLoad(t *testing.T) {
	s := shared(t, versions()[0])
	v := s.serve(t, map[string]string{
		"res.country.schema": "{'read_all': ('id', 'code')}", "res.bank.schema": "{'read_all': (",
	})
	token := v.admin(t, s)
	write := func(text string) { replaceFile(t, filepath.Join(v.presets, "res.country.schema"), text) }
	if got := v.send("GET", "/api/res.bank", token, ""); got.code() != "model_not_available" {
		t.Errorf("broken from the start: %d %s", got.status, got.body)
	}
	var stop atomic.Bool
	var requests atomic.Int64
	var running sync.WaitGroup
	defer func() { stop.Store(true); running.Wait() }()
	wrong := make(chan string, 1)
	for range 2 {
		running.Go(func() {
			for !stop.Load() {
				got := v.send("GET", "/api/res.country?limit=1", token, "")
				requests.Add(1)
				if keys := keysOf(got); keys != "code id" && keys != "id name" && keys != "id phone_code" {
					select {
					case wrong <- fmt.Sprint(got.status, string(got.body), got.err):
					default:
					}
				}
			}
		})
	}
	answers := func(want string) func() bool {
		return func() bool { return keysOf(v.send("GET", "/api/res.country?limit=1", token, "")) == want }
	}
	v.until(t, "the first", answers("code id"))
	write("{'read_all': ('id', 'name')}")
	v.until(t, "the second", answers("id name"))
	write("{\n'read_all': ('id',\n'nme')}")
	v.until(t, "the broken one", func() bool {
		return strings.Contains(v.log.String(), "res.country.schema:3: read_all: schema, nme: ")
	})
	if !answers("id name")() {
		t.Error("a broken file does not leave the last good one in force")
	}
	write("{'read_all': ('id', 'phone_code')}")
	v.until(t, "the last", answers("id phone_code"))
	stop.Store(true)
	running.Wait()
	select {
	case text := <-wrong:
		t.Errorf("a request under way: %s", text)
	default:
		t.Logf("%d requests, none dropped", requests.Load())
	}
}

// Ensure lateral schema writes presets that lateral schema finds right, and finds what is not.
func TestSchemaCommands(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		program := binary.executable(t)
		folder := t.TempDir()
		run := func(arguments ...string) (string, error) {
			command := exec.Command(program, append([]string{"schema"}, arguments...)...)
			command.Dir = folder
			command.Env = append(os.Environ(), "LATERAL_DATABASE_DSN="+s.DSN, "LATERAL_PRESETS="+folder)
			out, err := command.Output()
			return string(out), err
		}
		models := []string{"sale.order", "res.partner", "product.template", "res.users"}
		for _, model := range models {
			if out, err := run("init", model); err != nil {
				t.Fatalf("init %s: %s, %v", model, out, err)
			}
		}
		if out, err := run("check"); err != nil || out != "4 presets, none wrong\n" {
			t.Errorf("check: %s, %v", out, err)
		}
		if _, err := run("init", "sale.order"); err == nil {
			t.Error("init wrote over a file")
		}
		files := map[string]string{}
		for _, model := range models {
			text, err := os.ReadFile(filepath.Join(folder, model+".schema"))
			if err != nil {
				t.Fatal(err)
			}
			files[model+".schema"] = string(text)
		}
		v := s.serve(t, files)
		token := v.admin(t, s)
		for _, model := range models {
			for _, path := range []string{"/api/" + model + "?limit=1", "/api/" + model + "/1"} {
				if got := v.send("GET", path, token, ""); got.status != 200 && got.status != 404 || got.status == 200 && got.header.Get("X-Read-Path") == "odoo" && model != "res.users" {
					t.Errorf("%s with the preset of init: %d %s, %.300s", path, got.status, got.header.Get("X-Read-Path"), got.body)
				}
			}
		}
		broken := filepath.Join(folder, "res.country.schema")
		if err := os.WriteFile(broken, []byte("{\n 'read_all': ('id',\n 'nme')}"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := run("check", folder)
		if failed, ok := err.(*exec.ExitError); !ok || failed.ExitCode() != 1 || !strings.HasPrefix(out, broken+":3: read_all: ") || strings.Count(out, "\n") != 1 {
			t.Errorf("check of a broken folder: %s, %v", out, err)
		}
	})
}
