package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
)

// profileTime is for how long a workload is profiled.
const profileTime = 5 * time.Second

// profile writes where a workload's time goes: a profile of lateral's processor time, the statements that PostgreSQL ran
// meanwhile, and the plan of the read as one statement.
func (b *bench) profile(ctx context.Context, w workload, next func() read) error {
	if _, err := b.owner.Exec(ctx, "SELECT pg_stat_statements_reset()"); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	taken := make(chan error, 1)
	go func() { taken <- b.takeProfile(ctx, w.Name+".pprof") }()
	m, err := loop(ctx, w.clients(), profileTime+time.Second, func() client { return b.service.client(w, next) })
	if err := errors.Join(err, <-taken); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	if err := b.statements(ctx, w.Name+".statements.txt", m.Requests); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	if err := b.explain(ctx, w, next(), w.Name+".explain.txt"); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	return nil
}

// takeProfile has the service profile itself, and writes what it gives.
func (b *bench) takeProfile(ctx context.Context, name string) error {
	address := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%.0f", b.service.profiles, profileTime.Seconds())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	profile, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %d: %.300s", address, response.StatusCode, profile)
	}
	return os.WriteFile(filepath.Join(b.Profiles, name), profile, 0o644)
}

// statements writes the statements that took PostgreSQL's time, and how much of it for each request.
func (b *bench) statements(ctx context.Context, name string, requests int) error {
	as, err := pgx.ParseConfig(b.Stack.DSN)
	if err != nil {
		return err
	}
	rows, err := b.owner.Query(ctx, `SELECT calls, total_exec_time, rows, query FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid
		WHERE r.rolname = $1 ORDER BY total_exec_time DESC LIMIT 12`, as.User)
	if err != nil {
		return err
	}
	defer rows.Close()
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "ms of a request\truns of a request\trows of a run\tfrom\n")
	for rows.Next() {
		var calls, found int64
		var took float64
		var query string
		if err := rows.Scan(&calls, &took, &found, &query); err != nil {
			return err
		}
		fmt.Fprintf(table, "%.3f\t%.1f\t%.1f\t%s\n", took/float64(requests), float64(calls)/float64(requests), float64(found)/float64(calls), tables(query))
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.Profiles, name), []byte(text.String()), 0o644)
}

// tables is what a statement reads first, to tell it from others.
func tables(query string) string {
	_, rest, found := strings.Cut(query, "\nFROM ")
	if !found {
		return strings.Join(strings.Fields(query), " ")
	}
	for strings.HasPrefix(rest, "(") {
		if _, inner, ok := strings.Cut(rest, "\nFROM "); ok {
			rest = inner
			continue
		}
		break
	}
	line, _, _ := strings.Cut(rest, "\n")
	return line
}

// explain writes how PostgreSQL goes about a read as one statement.
func (b *bench) explain(ctx context.Context, w workload, r read, name string) error {
	statement, err := b.statement(ctx, w, r)
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, b.Stack.DSN)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	rows, err := conn.Query(ctx, "EXPLAIN (ANALYZE, BUFFERS) "+statement.SQL, statement.Args...)
	if err != nil {
		return err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.Profiles, name), []byte(strings.Join(lines, "\n")+"\n"), 0o644)
}
