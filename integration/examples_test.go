package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lateral/integration/stack"
)

// python is Debian's, which has Debian's packages.
const python = "/usr/bin/python3"

// example runs a program of the examples as a role's user, and returns what it prints.
func (s *stand) example(t *testing.T, v *service, role string, command ...string) string {
	t.Helper()
	user := s.User(role)
	run := exec.CommandContext(t.Context(), command[0], command[1:]...)
	run.Env = append(os.Environ(), "LATERAL_URL="+v.url, "LATERAL_USER="+user.Login, "LATERAL_PASSWORD="+user.Password)
	var problems strings.Builder
	run.Stderr = &problems
	out, err := run.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", command, err, out, problems.String())
	}
	return string(out)
}

// runtimes installs what the examples run on, where it is missing.
func runtimes(t *testing.T) {
	t.Helper()
	packages := []string{"curl", "python3", "python3-requests", "python3-pandas"}
	if _, err := exec.LookPath("node"); err != nil {
		packages = append(packages, "nodejs")
	}
	if err := stack.InstallPackages(t.Context(), os.Stderr, "the examples", packages...); err != nil {
		t.Fatal(err)
	}
}

// Ensure each example does what it says against a real Odoo.
func TestExamples(t *testing.T) {
	runtimes(t)
	s := shared(t, versions()[0]).fork(t)
	v := s.serve(t, nil)
	c := s.client(t, v, stack.RoleAdmin)
	for _, command := range [][]string{
		{python, "../examples/python/orders.py"}, {"node", "../examples/javascript/orders.mjs"}, {"sh", "../examples/curl/orders.sh"},
	} {
		out := s.example(t, v, stack.RoleAdmin, command...)
		for _, want := range []string{"S0", "Ghent", "Ann Lenz", "deleted"} {
			if !strings.Contains(out, want) {
				t.Errorf("%v does not print %s:\n%s", command, want, out)
			}
		}
		if left := c.records("res.partner", []any{[]any{"name", "=", "Tom Lenz"}}, "name"); len(left) != 0 {
			t.Errorf("%v leaves %v behind", command, left)
		}
	}
	out := s.example(t, v, stack.RoleAdmin, python, "../examples/python/dataframe.py")
	lines := c.records("sale.order.line", []any{[]any{"order_id.state", "!=", "cancel"}, []any{"product_id", "!=", false}}, "price_subtotal")
	total := 0.0
	for _, line := range lines {
		total += line["price_subtotal"].(float64)
	}
	if !strings.HasPrefix(out, fmt.Sprintf("%d lines\n", len(lines))) || !strings.Contains(out, fmt.Sprintf("total %.2f\n", total)) {
		t.Errorf("the data frame has another sum than %.2f of %d lines:\n%s", total, len(lines), out)
	}
}

// poller runs the polling example on res.bank.
type poller struct {
	t     *testing.T
	s     *stand
	v     *service
	state string
}

// changes runs a poll and returns the names of the records it hands on, those gone as their ids.
func (p poller) changes(arguments ...string) []string {
	p.t.Helper()
	command := append([]string{python, "../examples/polling/poll.py", "--model", "res.bank", "--fields", "name,active", "--state", p.state}, arguments...)
	var names []string
	for line := range strings.Lines(p.s.example(p.t, p.v, stack.RoleAdmin, command...)) {
		var event struct {
			Changed *struct{ Name string }
			Gone    *struct{ ID int64 }
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			p.t.Fatalf("%s: %v", line, err)
		}
		if event.Gone != nil {
			names = append(names, fmt.Sprint("gone ", event.Gone.ID))
			continue
		}
		names = append(names, event.Changed.Name)
	}
	slices.Sort(names)
	return names
}

// Ensure the polling example hands on what commits late, what changes twice within a second and what is
// archived, nothing twice without a change, and by its reconciliation what is deleted.
func TestPolling(t *testing.T) {
	runtimes(t)
	s := shared(t, versions()[0]).fork(t)
	v := s.serve(t, nil)
	c := s.client(t, v, stack.RoleAdmin)
	c.create("res.bank", fields{"name": "First"})
	p := poller{t, s, v, filepath.Join(t.TempDir(), "state.json")}
	expect := func(step string, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", step, got, want)
		}
	}
	if all := p.changes(); !slices.Contains(all, "First") {
		t.Errorf("the first poll hands on %q", all)
	}
	expect("nothing has changed", p.changes())

	// A transaction that begins first and commits last.
	owner := s.owner(t)
	late, err := owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := late.Exec(t.Context(), "INSERT INTO res_bank (name, active, create_date, write_date) VALUES ('Late', true, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC')"); err != nil {
		t.Fatal(err)
	}
	early := c.create("res.bank", fields{"name": "Early"})
	expect("before the commit", p.changes(), "Early")
	if err := late.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	var order bool
	if err := owner.QueryRow(t.Context(), "SELECT (SELECT write_date FROM res_bank WHERE name = 'Late') < (SELECT write_date FROM res_bank WHERE name = 'Early')").Scan(&order); err != nil || !order {
		t.Fatalf("the late one has not the earlier date: %v", err)
	}
	expect("after the commit", p.changes(), "Late")

	// A change that leaves the second as it was.
	if _, err := owner.Exec(t.Context(), "UPDATE res_bank SET name = 'Early again', write_date = date_trunc('second', write_date) + interval '0.999 second' WHERE id = $1", early); err != nil {
		t.Fatal(err)
	}
	expect("within one second", p.changes("--page", "1"), "Early again")
	c.ask("PUT", fmt.Sprintf("/api/res.bank/%d", early), fields{"active": false}, 200)
	expect("archived", p.changes(), "Early again")
	c.ask("DELETE", fmt.Sprintf("/api/res.bank/%d", early), nil, 200)
	expect("deleted", p.changes())
	expect("reconciled", p.changes("--reconcile", "--page", "2"), fmt.Sprint("gone ", early))
	expect("in the end", p.changes())
}
