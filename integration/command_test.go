package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// lateralRun is what a command of the program printed, and how it ended.
type lateralRun struct {
	out, err string
	status   int
}

// runLateral runs the program in an empty environment.
func runLateral(t *testing.T, environment []string, arguments ...string) lateralRun {
	t.Helper()
	var out, failure strings.Builder
	command := exec.CommandContext(t.Context(), binary.executable(t), arguments...)
	command.Env, command.Dir = append([]string{"HOME=" + t.TempDir()}, environment...), t.TempDir()
	command.Stdout, command.Stderr = &out, &failure
	err := command.Run()
	if ended := (*exec.ExitError)(nil); err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return lateralRun{out: out.String(), err: failure.String(), status: command.ProcessState.ExitCode()}
}

// Ensure that lateral config tells every value and where it came from, the later source over the
// earlier, and no password.
func TestConfigCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lateral.yaml")
	text := "listen: 127.0.0.1:9001\ndatabase: {dsn: 'postgres://u:hush1@h/d?sslpassword=hush2', max_conns: 3}\nodoo: {url: 'http://o', database: d}\nlimits: {page: 10}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	environment := []string{"LATERAL_CONFIG=" + file, "LATERAL_LIMITS_PAGE=20", "LATERAL_LOG_LEVEL=warn", "LATERAL_UNRELATED=x"}
	got := runLateral(t, environment, "config", "--limits-page=30", "--log-format", "json")
	for _, want := range []string{
		`listen: "127.0.0.1:9001"  # file ` + file, "max_conns: 3  # file", "page: 30  # flag --limits-page",
		`level: "warn"  # environment LATERAL_LOG_LEVEL`, `format: "json"  # flag --log-format`, "access_token_expires_in: 600  # default",
		`dsn: "postgres://u:***@h/d?sslpassword=***"`,
	} {
		if !strings.Contains(got.out, want) {
			t.Errorf("no %s", want)
		}
	}
	if got.status != 0 || strings.Contains(got.out+got.err, "hush") {
		t.Errorf("exit status %d:\n%s%s", got.status, got.out, got.err)
	}

	bare := runLateral(t, []string{"LATERAL_DATABASE_DSN=host=h password='a b' user=u"}, "config")
	if bare.status != 1 || strings.Contains(bare.out, "a b") || !strings.Contains(bare.err, "odoo.url is not set (file: odoo.url, environment: LATERAL_ODOO_URL, flag: --odoo-url)") {
		t.Errorf("without an Odoo: exit status %d:\n%s%s", bare.status, bare.out, bare.err)
	}
	for name, arguments := range map[string][]string{
		"no such setting": {"config", "--limits-pages=1"},
		"no such file":    {"config", "--config=missing.yaml"},
		"no number":       {"config", "--limits-page=many"},
		"no address":      {"serve"},
		"no such command": {"sevre"},
		"too much":        {"version", "please"},
		"no such level":   {"config", "--log-level=loud", "--database-dsn=x", "--odoo-url=x", "--odoo-database=x"},
	} {
		if got := runLateral(t, nil, arguments...); got.status != 1 || !strings.HasPrefix(got.err, "lateral: ") || strings.Contains(got.err, "goroutine") {
			t.Errorf("%s: exit status %d, %s", name, got.status, got.err)
		}
	}
	misspelt := filepath.Join(t.TempDir(), "wrong.yaml")
	if err := os.WriteFile(misspelt, []byte("limits: {pages: 10}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := runLateral(t, nil, "config", "--config="+misspelt); got.status != 1 || !strings.Contains(got.err, "limits.pages") {
		t.Errorf("a misspelt setting: exit status %d, %s", got.status, got.err)
	}
}

// Ensure that the version is told.
func TestVersionCommand(t *testing.T) {
	if got := runLateral(t, nil, "version"); got.status != 0 || !strings.HasPrefix(got.out, "lateral ") || !strings.Contains(got.out, "go1.") || strings.Count(got.out, "\n") != 1 {
		t.Errorf("exit status %d: %s%s", got.status, got.out, got.err)
	}
}

// Ensure that what lateral grants prints gives a role all that lateral reads and no secret, and that
// nothing but reading is granted.
func TestGrantsCommand(t *testing.T) {
	if got := runLateral(t, nil, "grants"); got.status != 1 || !strings.Contains(got.err, "role") {
		t.Errorf("without a role: exit status %d, %s", got.status, got.err)
	}
	const role = `lateral "test" role`
	eachVersion(t, func(t *testing.T, s *stand) {
		got := runLateral(t, nil, "grants", "--role", role)
		if got.status != 0 || strings.Contains(got.out, "INSERT") || strings.Contains(got.out, "UPDATE") {
			t.Fatalf("exit status %d: %s%s", got.status, got.out, got.err)
		}
		ctx := t.Context()
		tx, err := s.owner(t).Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback(ctx) }() // nothing of this stays
		name := pgx.Identifier{role}.Sanitize()
		for _, sql := range []string{"CREATE ROLE " + name, got.out, "SET LOCAL ROLE " + name} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				t.Fatalf("%.100s: %v", sql, err)
			}
		}
		for sql, allowed := range map[string]bool{
			"SELECT name FROM res_partner LIMIT 1":                true,
			"SELECT login FROM res_users LIMIT 1":                 true,
			"SELECT password FROM res_users LIMIT 1":              false,
			"SELECT * FROM res_users LIMIT 1":                     false,
			"SELECT * FROM res_users_apikeys LIMIT 1":             false,
			"UPDATE res_partner SET name = name WHERE id = 1":     false,
			"INSERT INTO res_partner_category (color) VALUES (1)": false,
			"DELETE FROM res_partner WHERE id = 1":                false,
			"SELECT nextval('res_partner_id_seq')":                false,
			"CREATE TABLE mischief (id int)":                      false,
		} {
			savepoint, err := tx.Begin(ctx)
			if err != nil {
				t.Fatal(err)
			}
			_, err = savepoint.Exec(ctx, sql)
			if err == nil != allowed {
				t.Errorf("%s: %v", sql, err)
			}
			if err := savepoint.Rollback(ctx); err != nil {
				t.Fatal(fmt.Errorf("after %s: %w", sql, err))
			}
		}
	})
}

// Ensure that lateral demo brings up an Odoo of its own, reads an order with all it has, prints it and ends.
func TestDemoCommand(t *testing.T) {
	command := exec.CommandContext(t.Context(), binary.executable(t), "demo")
	var progress strings.Builder
	command.Stderr = &progress
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v:\n%s%s", err, out, progress.String())
	}
	var order struct {
		Partner struct{ Name string } `json:"partner_id"`
		Lines   []struct {
			Product struct{ Name string } `json:"product_id"`
		} `json:"order_line"`
	}
	document, lines, _ := strings.Cut(string(out), "\n\nThat was:\n")
	if err := json.Unmarshal([]byte(document), &order); err != nil || order.Partner.Name == "" || len(order.Lines) == 0 || order.Lines[0].Product.Name == "" {
		t.Errorf("%v: %s", err, out)
	}
	if strings.Count(lines, "curl ") != 2 {
		t.Errorf("the requests that were made: %s", lines)
	}
}
