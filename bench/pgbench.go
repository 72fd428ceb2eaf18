package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"lateral/integration/stack"
	"lateral/pg"
)

// pgbench runs the very statement that lateral sends, prepared, with as many connections as there are clients: what
// PostgreSQL itself can do, and so the most that any service in front of it could.
type pgbench struct {
	program string
	env     []string
	folder  string
}

// newPgbench finds pgbench, which comes with PostgreSQL's server.
func newPgbench(odoo *stack.Stack, folder string) (*pgbench, error) {
	program, err := exec.LookPath("pgbench")
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
		if len(found) == 0 {
			return nil, errors.New("there is no pgbench, which is the ceiling to compare with: install PostgreSQL's server package")
		}
		slices.Sort(found)
		program = found[len(found)-1]
	}
	config, err := pgconn.ParseConfig(odoo.DSN)
	if err != nil {
		return nil, fmt.Errorf("pgbench: %w", err)
	}
	return &pgbench{program: program, folder: folder, env: append(os.Environ(),
		"PGHOST="+config.Host, fmt.Sprintf("PGPORT=%d", config.Port), "PGUSER="+config.User, "PGPASSWORD="+config.Password,
		"PGDATABASE="+config.Database,
		// What lateral sets too, see pg.Open.
		`PGOPTIONS=-c default_transaction_isolation=repeatable\ read -c default_transaction_read_only=on -c jit=off -c TimeZone=UTC`)}, nil
}

// ceiling is a workload as pgbench runs it, by the statement that lateral sends.
type ceiling struct {
	pgbench   *pgbench
	script    string
	variables []string
}

// ceiling returns the ceiling of a workload whose single orders are drawn among clones.
func (b *bench) ceiling(ctx context.Context, w workload, clones stack.Clones) (*ceiling, error) {
	statement, err := b.statement(ctx, w, w.next(clones))
	if err != nil {
		return nil, err
	}
	script, variables, err := w.script(statement, clones)
	if err != nil {
		return nil, err
	}
	return &ceiling{pgbench: b.pgbench, script: script, variables: variables}, nil
}

// script writes a statement as a script of pgbench. For a read one, the first parameter is drawn among the workload's orders.
func (w workload) script(s pg.Statement, clones stack.Clones) (string, []string, error) {
	var script strings.Builder
	var variables []string
	for i, arg := range s.Args {
		if i == 0 && w.One {
			fmt.Fprintf(&script, "\\set k random(0, %d)\n\\set a1 %d + :k * %d\n", w.orders(clones)-1, clones.FirstOrder, w.Stride)
			continue
		}
		text, err := parameter(arg)
		if err != nil {
			return "", nil, err
		}
		variables = append(variables, "-D", fmt.Sprintf("a%d=%s", i+1, text))
	}
	script.WriteString(placeholders.ReplaceAllString(withoutColons(s.SQL), ":a$1"))
	script.WriteString(";\n")
	return script.String(), variables, nil
}

var placeholders = regexp.MustCompile(`\$([0-9]+)`)

// withoutColons writes the colons of string constants as escapes, since pgbench takes them for variables there too. The
// statement is the same to PostgreSQL.
func withoutColons(sql string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(sql, "'")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		end := constantEnd(rest)
		constant := rest[:end]
		if strings.Contains(constant, ":") && !strings.HasSuffix(before, "E") {
			b.WriteString("U&'" + strings.ReplaceAll(strings.ReplaceAll(constant, `\`, `\\`), ":", `\003a`) + "'")
		} else {
			b.WriteString("'" + constant + "'")
		}
		sql = rest[end+1:]
	}
}

// constantEnd is where a string constant ends, given what comes after its first quote.
func constantEnd(s string) int {
	for i := 0; i < len(s); i++ {
		if s[i] != '\'' {
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			i++
			continue
		}
		return i
	}
	return len(s) - 1
}

// parameter writes a parameter as PostgreSQL reads it as text.
func parameter(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool, int, int32, int64, float64:
		return fmt.Sprint(v), nil
	case []int64, []int32, []string:
		list, err := json.Marshal(v)
		if err != nil {
			return "", err
		}
		return "{" + strings.Trim(string(list), "[]") + "}", nil
	}
	return "", fmt.Errorf("pgbench: a parameter of type %T", v)
}

var (
	transactions = regexp.MustCompile(`number of transactions actually processed: (\d+)`)
	perSecond    = regexp.MustCompile(`tps = ([0-9.]+)`)
)

// run runs the statement for a time, a second at least, and returns how often it was run in a second.
func (c *ceiling) run(ctx context.Context, clients int, duration time.Duration) (float64, error) {
	file := filepath.Join(c.pgbench.folder, "statement.sql")
	if err := os.WriteFile(file, []byte(c.script), 0o600); err != nil {
		return 0, err
	}
	seconds := max(int(duration.Seconds()), 1)
	args := append([]string{
		"-n", "-M", "prepared", "-c", strconv.Itoa(clients), "-j", strconv.Itoa(min(clients, 2)), "-T", strconv.Itoa(seconds), "-f", file,
	}, c.variables...)
	command := exec.CommandContext(ctx, c.pgbench.program, args...)
	command.Env = c.pgbench.env
	var out, complaints bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaints
	if err := command.Run(); err != nil {
		return 0, fmt.Errorf("pgbench: %w: %.2000s", err, complaints.String())
	}
	if n := transactions.FindStringSubmatch(out.String()); n == nil || n[1] == "0" {
		return 0, fmt.Errorf("pgbench: nothing was run: %s", out.String())
	}
	rate := perSecond.FindStringSubmatch(out.String())
	if rate == nil {
		return 0, fmt.Errorf("pgbench: cannot read its answer: %s", out.String())
	}
	return strconv.ParseFloat(rate[1], 64)
}
