package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lateral/integration/stack"
	"lateral/reader"
	"lateral/schema"
)

// scripts writes files of endpoints into a folder and returns it.
func scripts(t testing.TB, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		replaceFile(t, filepath.Join(folder, name), text)
	}
	return folder
}

// replaceFile writes a file as editors do: a new one in place of the old one.
func replaceFile(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// snapshotRead reads a page in a snapshot and returns its documents and its path.
func snapshotRead(t *testing.T, snapshot *reader.Snapshot, q reader.Query) (documents, path string) {
	t.Helper()
	q.Profile = reader.Typed()
	result, err := snapshot.Read(t.Context(), q)
	if err != nil {
		t.Fatalf("%s: %v", q.Model, err)
	}
	defer result.Close()
	for {
		document, err := result.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return documents, result.Path
		}
		if err != nil {
			t.Fatalf("%s: %v", q.Model, err)
		}
		documents += string(document) + "\n"
	}
}

// Ensure all reads of a snapshot are of one instant, whatever is written and whichever rights are given
// meanwhile, that one that the role may not make in SQL takes nothing away from it, and that a
// renewed snapshot sees what was written.
func TestSnapshotReads(t *testing.T) {
	eachFork(t, func(t *testing.T, s *stand) {
		admin := s.login(t, stack.RoleAdmin)
		bank := s.call(t, admin, "res.bank", "create", []any{map[string]any{"name": "Before"}}, nil)
		if _, err := s.owner(t).Exec(t.Context(), "REVOKE SELECT ON res_partner_category FROM PUBLIC, "+s.role(t)); err != nil {
			t.Fatal(err)
		}
		snapshot := s.reader.Snapshot(admin)
		defer snapshot.Close(t.Context())
		banks := reader.Query{Model: "res.bank", Order: "id", Exclude: "*", Include: "name"}
		before, path := snapshotRead(t, snapshot, banks)
		if path != reader.PathDirect || !strings.Contains(before, "Before") {
			t.Fatalf("first read: %s %s", path, before)
		}
		s.call(t, admin, "res.bank", "write", []any{[]any{bank}, map[string]any{"name": "After"}}, nil)
		s.call(t, admin, "res.bank", "create", []any{map[string]any{"name": "More"}}, nil)
		// A change of groups moves Odoo's signal and makes other reads renew the rights they know.
		s.call(t, admin, "res.groups", "create", []any{map[string]any{"name": "Meanwhile"}}, nil)
		if got, err := s.lateral(t.Context(), admin, reader.Query{Model: "res.bank", Profile: reader.Typed(), Filters: []any{schema.Tuple{"name", "=", "After"}}}); err != nil || len(got.IDs) != 1 {
			t.Fatalf("a read beside it: %v, %v", got, err)
		}
		if _, path := snapshotRead(t, snapshot, reader.Query{Model: "res.partner.category"}); path != reader.PathOdoo {
			t.Errorf("a table the role may not read was read: %s", path)
		}
		if again, path := snapshotRead(t, snapshot, banks); again != before || path != reader.PathDirect {
			t.Errorf("second read: %s %s", path, cmp.Diff(before, again))
		}
		if err := snapshot.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		if now, _ := snapshotRead(t, snapshot, banks); !strings.Contains(now, "After") || !strings.Contains(now, "More") {
			t.Errorf("after it was renewed: %s", now)
		}
	})
}

// Ensure a read that is closed after the last record that it can have keeps its connection, although its end
// was not read: one record, and a count.
func TestClosedReadsKeepConnections(t *testing.T) {
	s := shared(t, versions()[0])
	admin := s.login(t, stack.RoleAdmin)
	ctx := t.Context()
	read := func(begin func(context.Context, reader.Query) (*reader.Result, error), q reader.Query) {
		q.Model, q.Profile, q.Exclude = "res.country", reader.Typed(), "*"
		result, err := begin(ctx, q)
		if err != nil {
			t.Errorf("%+v: %v", q, err)
			return
		}
		if _, err = result.Next(ctx); err != nil || result.Path != reader.PathDirect {
			t.Errorf("%+v: %s, %v", q, result.Path, err)
		}
		if err := result.Close(); err != nil {
			t.Error(err)
		}
	}
	round := func() {
		snapshot := s.reader.Snapshot(admin)
		for _, q := range []reader.Query{{Limit: 1, Count: true}, {One: true, ID: 1}} {
			read(func(ctx context.Context, q reader.Query) (*reader.Result, error) { return s.reader.Read(ctx, admin, q) }, q)
			read(snapshot.Read, q)
		}
		if err := snapshot.Close(ctx); err != nil {
			t.Error(err)
		}
	}
	round()
	made := s.pool.Stat().NewConnsCount()
	round()
	if now := s.pool.Stat().NewConnsCount(); now != made {
		t.Errorf("%d connections were made anew", now-made)
	}
}

// role is the database role that lateral reads with.
func (s *stand) role(t testing.TB) string {
	t.Helper()
	var role string
	if err := s.pool.QueryRow(t.Context(), "SELECT quote_ident(current_user)").Scan(&role); err != nil {
		t.Fatal(err)
	}
	return role
}

const testScript = `
def everything(request, env):
    model = env[request.path["model"]]
    return {"ids": model.search(order = "id"), "count": model.search_count(),
            "records": model.search_read([], ["id", "display_name"], order = "id", limit = 3)}

endpoint("/everything/{model}", ["GET"], everything)

def life(request, env):
    """Creates, changes, calls, reads and deletes."""
    banks = env["res.bank"]
    id = banks.create({"name": "Script"})
    seen = [banks.read([id], ["name"])]
    banks.write([id], {"name": "Script 2", "city": request.params.get("city", False)})
    seen.append(banks.read(id, ["name", "city"]))
    seen.append(banks.call("name_search", name = "Script 2"))
    seen.append(banks.search_read([("id", "=", id)], ["name"], limit = 1))
    banks.unlink([id])
    seen.append(banks.search([("id", "=", id)]))
    return reply({"id": id, "seen": seen}, status = 201)

endpoint("/life", ["POST"], life)

def wrong(request, env):
    how = request.path["how"]
    if how == "script":
        return 1 + "x"
    if how == "model":
        return env["no.model"].search()
    if how == "write model":
        return env["no.model"].create({})
    if how == "field":
        return env["res.bank"].search_read([], ["nme"])
    if how == "domain":
        return env["res.bank"].search([("nme", "=", 1)])
    if how == "value":
        return env["res.bank"].create({"name": [1]})
    if how == "odoo":
        return env["res.bank"].create({})
    if how == "kind":
        return env["ir.attachment"].write([1], {"type": "nonsense"})
    if how == "private":
        return env["res.bank"].call("_compute_display_name")
    if how == "method":
        return env["res.bank"].call("frobnicate")
    if how == "ids":
        return env["res.bank"].read(["x"])
    if how == "long":
        for i in range(1000000000):
            pass
    if how == "large":
        return "x" * 1000000000
    if how == "rows":
        return [env["ir.model.fields"].search_read([], ["name"]) for i in range(1000)]
    if how == "computed":
        return env["ir.ui.view"].search_read([], ["id", "xml_id"], limit = 1)
    refuse(410, "gone_for_good", "Not here.")

endpoint("/wrong/{how}", ["GET"], wrong)

def instant(request, env):
    """Counts the same records again and again."""
    return [env["res.bank"].search_count() for i in range(40)]

endpoint("/instant", ["GET"], instant)
`

// oneInstant ensures all reads of one request are of one instant while others write, and that the next
// request sees what they wrote.
func oneInstant(c client) {
	c.t.Helper()
	owner := c.s.owner(c.t)
	writing, stop := context.WithCancel(c.t.Context())
	failed, written := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(written)
		for {
			if _, err := owner.Exec(writing, "INSERT INTO res_bank (name, active) VALUES ('Meanwhile', true)"); err != nil {
				failed <- err
				return
			}
			select {
			case written <- struct{}{}:
			default:
			}
		}
	}()
	seen := map[float64]bool{}
	for range 5 {
		<-written // so that each request finds another number
		counts := c.ask("GET", "/api/instant", nil, 200).([]any)
		for _, count := range counts {
			if count != counts[0] {
				c.t.Errorf("the reads of one request differ: %v", counts)
				break
			}
		}
		seen[counts[0].(float64)] = true
	}
	stop()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		c.t.Errorf("writing meanwhile: %v", err)
	}
	if len(seen) != 5 {
		c.t.Errorf("five requests have seen %v: nothing was written meanwhile", seen)
	}
}

// Ensure scripts read and write as the user who asks, as Odoo would let the user, see what they have
// written, and that everything that can go wrong is told in the contract's form.
func TestEndpoints(t *testing.T) {
	eachFork(t, func(t *testing.T, s *stand) {
		example, err := os.ReadFile("../examples/endpoints/customer.star")
		if err != nil {
			t.Fatal(err)
		}
		v := s.serve(t, map[string]string{"res.bank.schema": "{'available': False}"}, "LATERAL_ENDPOINTS_FOLDER="+scripts(t, map[string]string{
			"a.star": testScript, "customer.star": string(example),
		}), "LATERAL_ENDPOINTS_STEPS=1000000", "LATERAL_ENDPOINTS_MEMORY=16777216")
		for _, role := range []string{stack.RoleAdmin, stack.RoleSalesman, stack.RoleSecond, stack.RolePortal} {
			who := s.login(t, role)
			c := s.client(t, v, role)
			for _, model := range []string{"res.partner", "sale.order", "res.currency", "ir.config_parameter"} {
				got := c.send("GET", "/api/everything/"+model, nil)
				var page struct {
					IDs     []int64
					Count   int
					Records []map[string]any
				}
				odoo, refused := s.odoo.Execute(t.Context(), who, model, "search", []any{[]any{}}, map[string]any{"order": "id"})
				if refused != nil {
					if got.status != 409 || got.code() != "not_read_object_in_odoo" {
						t.Errorf("%s %s: %d %.300s where Odoo refuses: %v", role, model, got.status, got.body, refused)
					}
					continue
				}
				if err := json.Unmarshal(got.body, &page); err != nil || got.status != 200 {
					t.Errorf("%s %s: %d %.300s", role, model, got.status, got.body)
				}
				if ids := odoo.([]any); fmt.Sprint(ids) != fmt.Sprint(page.IDs) || page.Count != len(ids) || len(page.Records) != min(3, len(ids)) {
					t.Errorf("%s %s: %d of %d, count %d", role, model, len(page.IDs), len(ids), page.Count)
				}
			}
		}

		c := s.client(t, v, stack.RoleAdmin)
		made := c.ask("POST", "/api/life", map[string]any{"city": "Ghent"}, 201).(map[string]any)
		id := made["id"]
		seen, err := json.Marshal(made["seen"])
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(`[[{"id":%[1]v,"name":"Script"}],[{"city":"Ghent","id":%[1]v,"name":"Script 2"}],[[%[1]v,"Script 2"]],[{"id":%[1]v,"name":"Script 2"}],[]]`, id)
		if string(seen) != want {
			t.Errorf("what a script saw of its writes:\n%s\nwant\n%s", seen, want)
		}
		key := []string{"Idempotency-Key", "once"}
		first := v.send("POST", "/api/life", c.token, "{}", key...)
		if again := v.send("POST", "/api/life", c.token, "{}", key...); string(first.body) != string(again.body) || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("sent again with its key: %s, then %s", first.body, again.body)
		}

		partner := c.ids("sale.order", nil, 1)
		order := c.record("sale.order", partner[0], "partner_id")
		customer := order["partner_id"].([]any)[0]
		summary := c.ask("GET", fmt.Sprintf("/api/customers/%v/summary", customer), nil, 200).(map[string]any)
		orders := c.records("sale.order", []any{[]any{"partner_id", "=", customer}, []any{"state", "!=", "cancel"}}, "amount_total")
		sum := 0.0
		for _, order := range orders {
			sum += order["amount_total"].(float64)
		}
		if total := summary["total"].(float64); len(orders) == 0 || total < sum-0.001 || total > sum+0.001 {
			t.Errorf("the example's total is %v, Odoo's %v", summary["total"], sum)
		}
		c.refused("GET", "/api/customers/999999999/summary", nil, 404, "no_such_customer", "no such customer")
		c.refused("GET", "/api/customers/x/summary", nil, 500, "endpoint_failed", "customer.star:5")

		for how, want := range map[string]struct {
			status int
			code   string
			says   string
		}{
			"script": {500, "endpoint_failed", "a.star:27: "}, "long": {500, "endpoint_failed", "endpoints.steps"}, "large": {500, "endpoint_failed", "endpoints.memory"},
			"rows": {500, "endpoint_failed", "endpoints.memory"}, "ids": {500, "endpoint_failed", "an id is a positive integer"},
			"model": {404, "model_not_found", "no.model"}, "write%20model": {404, "model_not_found", "no.model"},
			"field": {409, "not_read_object_in_odoo", "nme"}, "domain": {409, "not_read_object_in_odoo", "nme"},
			"value": {409, "not_created_object_in_odoo", "name"}, "odoo": {409, "not_created_object_in_odoo", "ERROR"},
			"kind": {409, "not_updated_object_in_odoo", "ERROR"}, "private": {501, "method_not_exist_in_odoo", "private"},
			"method": {501, "method_not_exist_in_odoo", "frobnicate"}, "other": {410, "gone_for_good", "Not here."},
		} {
			c.refused("GET", "/api/wrong/"+how, nil, want.status, want.code, want.says)
		}
		oneInstant(c)
		if got := c.send("GET", "/api/wrong/computed", nil); got.status != 200 || got.header.Get("X-Read-Path") != reader.PathHybrid && got.header.Get("X-Read-Path") != reader.PathOdoo {
			t.Errorf("a computed field: %d %s %s", got.status, got.header.Get("X-Read-Path"), got.body)
		}
		c.refused("DELETE", "/api/life", nil, 405, "method_not_allowed", "DELETE")
		c.refused("POST", "/api/life", "{", 400, "invalid_request_body", "JSON")
		if !strings.Contains(v.log.String(), "a.star:27: ") {
			t.Errorf("the log does not tell where a script failed:\n%s", v.log)
		}
		demo := s.client(t, v, stack.RoleDemo)
		if got := demo.send("GET", "/api/wrong/script", nil); got.code() != "endpoint_failed" || strings.Contains(string(got.body), "a.star") {
			t.Errorf("a user who is no administrator is told: %s", got.body)
		}
		if got := v.send("GET", "/v2/everything/res.bank", "", ""); got.status != 401 {
			t.Errorf("without a token: %d", got.status)
		}
	})
}

// Ensure scripts are taken over while requests run, without one of them being dropped, and that a
// broken one leaves its last good version in force.
func TestEndpointsUnderLoad(t *testing.T) {
	s := shared(t, versions()[0])
	version := func(n int) string {
		return fmt.Sprintf("def f(request, env):\n    return [%d, env['res.country'].search_count()]\n\nendpoint('/version', ['GET'], f)\n", n)
	}
	folder := scripts(t, map[string]string{"v.star": version(1), "b.star": "def f(:\n"})
	// With two connections one of the requests that run at once holds the only snapshot.
	v := s.serve(t, nil, "LATERAL_ENDPOINTS_FOLDER="+folder, "LATERAL_DATABASE_MAX_CONNS=2")
	token := v.admin(t, s)
	ask := func() string { return string(v.send("GET", "/api/version", token, "").body) }
	countries := strings.TrimSuffix(strings.TrimPrefix(ask(), "[1, "), "]")
	var stop atomic.Bool
	var requests atomic.Int64
	var running sync.WaitGroup
	defer func() { stop.Store(true); running.Wait() }()
	wrong := make(chan string, 1)
	for range 2 {
		running.Go(func() {
			for !stop.Load() {
				got := ask()
				requests.Add(1)
				if got != "[1, "+countries+"]" && got != "[2, "+countries+"]" && got != "[3, "+countries+"]" {
					select {
					case wrong <- got:
					default:
					}
				}
			}
		})
	}
	answers := func(n int) func() bool { return func() bool { return ask() == fmt.Sprintf("[%d, %s]", n, countries) } }
	v.until(t, "the first", answers(1))
	replaceFile(t, filepath.Join(folder, "v.star"), version(2))
	v.until(t, "the second", answers(2))
	replaceFile(t, filepath.Join(folder, "v.star"), "\n\nx = nothing\n")
	v.until(t, "the broken one", func() bool { return strings.Contains(v.log.String(), "v.star:3: undefined: nothing") })
	if !answers(2)() {
		t.Error("a broken script does not leave its last good version")
	}
	replaceFile(t, filepath.Join(folder, "v.star"), version(3))
	v.until(t, "the third", answers(3))
	stop.Store(true)
	running.Wait()
	select {
	case text := <-wrong:
		t.Errorf("a request under way: %s", text)
	default:
		t.Logf("%d requests, none dropped", requests.Load())
	}
	if !strings.Contains(v.log.String(), "b.star:1: ") {
		t.Errorf("the log does not tell of the broken one:\n%s", v.log)
	}
	replaceFile(t, filepath.Join(folder, "c.star"), "def f(r, e):\n    pass\n\nendpoint('/res.partner/x', ['GET'], f)\n")
	v.until(t, "one with a model's name", func() bool {
		return strings.Contains(v.log.String(), "c.star:4: /res.partner/x: res.partner is a model")
	})
}

// Ensure a script that takes longer than it may is ended, and told so.
func TestEndpointTime(t *testing.T) {
	s := shared(t, versions()[0])
	script := "def f(request, env):\n    for i in range(1000000000000):\n        pass\n\nendpoint('/slow', ['GET'], f)\n"
	v := s.serve(t, nil, "LATERAL_ENDPOINTS_FOLDER="+scripts(t, map[string]string{"slow.star": script}), "LATERAL_ENDPOINTS_TIME=500ms", "LATERAL_ENDPOINTS_STEPS=1000000000000")
	token := v.admin(t, s)
	start := time.Now()
	got := v.send("GET", "/api/slow", token, "")
	if took := time.Since(start); got.status != 504 || got.code() != "timeout" || took < 500*time.Millisecond || took > 20*time.Second {
		t.Errorf("after %v: %d %s", took, got.status, got.body)
	}
}
