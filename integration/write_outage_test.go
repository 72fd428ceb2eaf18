package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"lateral/integration/stack"
)

// Ensure a write that Odoo cannot take is not done and says so, and that one that Odoo was torn out
// of says that its outcome is not known, rather than being sent again.
func TestWriteOutages(t *testing.T) {
	for _, version := range versions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			ownStand(t, version).writeOutages(t)
		})
	}
}

func (s *stand) writeOutages(t *testing.T) {
	ctx := t.Context()
	c := s.client(t, s.serve(t, nil), stack.RoleAdmin)
	c.ask("GET", "/api/res.users", nil, 200)
	hasty := s.client(t, s.serve(t, nil, "LATERAL_ODOO_TIMEOUT=10s"), stack.RoleAdmin)
	id := c.create("res.partner", fields{"name": "TEST Outage"})
	path := fmt.Sprintf("/api/res.partner/%d", id)
	const unsure = "not known whether Odoo has done"

	// Odoo is at work, and longer than it may take.
	lock := s.owner(t)
	locked := func() {
		t.Helper()
		if _, err := lock.Exec(ctx, "BEGIN"); err != nil {
			t.Fatal(err)
		}
		if _, err := lock.Exec(ctx, "SELECT FROM res_partner WHERE id = $1 FOR UPDATE", id); err != nil {
			t.Fatal(err)
		}
	}
	locked()
	got := hasty.send("PUT", path, `{"city": "late"}`)
	if got.status != 504 || got.code() != "timeout" || !strings.Contains(string(got.body), unsure) || got.header.Get("Retry-After") != "" {
		t.Errorf("a write that takes too long: %d %s", got.status, got.body)
	}

	// Odoo goes down in mid-call.
	answered := make(chan answer, 1)
	go func() { answered <- c.v.send("PUT", path, c.token, `{"city": "torn"}`) }()
	s.waitsForLock(t, 2)
	if err := s.StopOdoo(ctx); err != nil {
		t.Fatal(err)
	}
	got = <-answered
	if got.status != 503 || got.code() != "odoo_unavailable" || !strings.Contains(string(got.body), unsure) || got.header.Get("Retry-After") != "" {
		t.Errorf("a write that Odoo went down in: %d %s, %v", got.status, got.body, got.err)
	}
	if _, err := lock.Exec(ctx, "ROLLBACK"); err != nil {
		t.Fatal(err)
	}

	// Odoo is down.
	for _, r := range []struct{ method, path, body string }{
		{"PUT", path, `{"city": "x"}`}, {"POST", "/api/res.partner", `{"name": "x"}`}, {"DELETE", path, ""}, {"PUT", path + "/copy", ""},
	} {
		got := c.send(r.method, r.path, r.body)
		if got.status != 503 || got.code() != "odoo_unavailable" || got.header.Get("Retry-After") == "" || !strings.Contains(string(got.body), "Nothing was done") {
			t.Errorf("%s %s without Odoo: %d %s", r.method, r.path, got.status, got.body)
		}
	}
	if err := s.StartOdoo(ctx); err != nil {
		t.Fatal(err)
	}
	c.v.eventually(t, "a write after Odoo is back", func() answer { return c.send("PUT", path, `{"city": "back"}`) },
		func(a answer) bool { return a.status == 200 })
	c.holds("res.partner", id, fields{"name": "TEST Outage", "city": "back"})
}

// waitsForLock waits until as many connections to the database wait for a lock.
func (s *stand) waitsForLock(t *testing.T, n int) {
	t.Helper()
	owner := s.owner(t)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		waiting := 0
		err := owner.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0").Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
		if waiting >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections wait for a lock, not %d", waiting, n)
		}
	}
}
