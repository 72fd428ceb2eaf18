package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lateral/auth"
	"lateral/integration/stack"
	"lateral/pg"
	"lateral/reader"
	"lateral/schema"
)

// take reads the rows of a statement, or of a portion of it, and returns their first columns and how they ended.
func take(t *testing.T, pipeline *pg.Pipeline) (texts []string, end error) {
	t.Helper()
	for {
		row, err := pipeline.Row()
		if errors.Is(err, io.EOF) || errors.Is(err, pg.ErrPortion) {
			return texts, err
		}
		require.NoError(t, err)
		texts = append(texts, string(row[0]))
	}
}

// statements chooses the same statements for any session.
func statements(list ...pg.Statement) func(*pg.Session) []pg.Statement {
	return func(*pg.Session) []pg.Statement { return list }
}

// numbers is a statement of so many rows, the first portion of which is wanted; 0: all.
func numbers(n, portion int) pg.Statement {
	return pg.Statement{SQL: fmt.Sprintf("SELECT generate_series(1, %d)", n), Portion: portion}
}

// TestPortions reads one statement in portions and others between, as of one snapshot, in a transaction of the pipeline's
// own and in that of a snapshot; the connection is as good as new after that.
func TestPortions(t *testing.T) {
	for _, pooling := range []bool{false, true} {
		pool := onePool(t, pooling)
		snapshot := pg.Statement{SQL: "SELECT pg_current_snapshot()"}
		check := func(t *testing.T, pipeline *pg.Pipeline, err error) {
			require.NoError(t, err)
			first, end := take(t, pipeline)
			require.ErrorIs(t, end, io.EOF)
			rows, end := take(t, pipeline)
			require.ErrorIs(t, end, pg.ErrPortion)
			require.Equal(t, []string{"1", "2"}, rows)
			for range 2 {
				require.NoError(t, pipeline.Send(numbers(1, 0), snapshot))
				rows, end = take(t, pipeline)
				require.ErrorIs(t, end, io.EOF)
				require.Equal(t, []string{"1"}, rows)
				again, end := take(t, pipeline)
				require.ErrorIs(t, end, io.EOF)
				require.Equal(t, first, again)
			}
			require.NoError(t, pipeline.More(1))
			rows, end = take(t, pipeline)
			require.ErrorIs(t, end, pg.ErrPortion)
			require.Equal(t, []string{"3"}, rows)
			require.NoError(t, pipeline.More(100))
			rows, end = take(t, pipeline)
			require.ErrorIs(t, end, io.EOF)
			require.Equal(t, []string{"4", "5"}, rows)
			require.NoError(t, pipeline.Close())
		}
		t.Run(fmt.Sprintf("pooling %t", pooling), func(t *testing.T) {
			for range 2 {
				pipeline, err := pool.TransactionFor(t.Context(), statements(snapshot, numbers(5, 2)))
				check(t, pipeline, err)
			}
			held, err := pool.BeginSnapshot(t.Context())
			require.NoError(t, err)
			for range 2 {
				pipeline, err := held.TransactionFor(t.Context(), statements(snapshot, numbers(5, 2)))
				check(t, pipeline, err)
			}
			require.NoError(t, held.Close(t.Context()))
			for _, setting := range []string{"plan_cache_mode", "transaction_isolation"} {
				got, err := columns(t.Context(), pool, "SELECT current_setting($1::text)", setting)
				require.NoError(t, err)
				require.Equal(t, map[string]string{"plan_cache_mode": "auto", "transaction_isolation": "repeatable read"}[setting], got[0])
			}
		})
	}
}

// Ensure a transaction ends with its pipeline, in whatever state that is: finished, left in the midst of portions,
// or failed.
func TestPortionsLeft(t *testing.T) {
	pool := onePool(t, false)
	backend := func() string {
		got, err := columns(t.Context(), pool, "SELECT pg_backend_pid()")
		require.NoError(t, err)
		return got[0]
	}
	before := backend()
	pipeline, err := pool.TransactionFor(t.Context(), statements(numbers(5, 2)))
	require.NoError(t, err)
	_, end := take(t, pipeline)
	require.ErrorIs(t, end, pg.ErrPortion)
	require.NoError(t, pipeline.Close())
	require.Equal(t, before, backend(), "the connection is not kept")

	pipeline, err = pool.TransactionFor(t.Context(), statements(numbers(5, 2)))
	require.NoError(t, err)
	_, end = take(t, pipeline)
	require.ErrorIs(t, end, pg.ErrPortion)
	require.NoError(t, pipeline.Send(pg.Statement{SQL: "SELECT 1 / 0"}, numbers(1, 0)))
	_, err = pipeline.Row()
	require.Equal(t, pg.BadValue, pg.Classify(err))
	pipeline.Fail(err)
	require.Equal(t, before, backend(), "the connection is not kept")
}

// Ensure a transaction that its last statements end needs nothing more, and that one of these failing ends it too.
func TestPortionsLast(t *testing.T) {
	pool := onePool(t, false)
	for _, last := range []pg.Statement{numbers(1, 0), {SQL: "SELECT 1 / 0"}} {
		pipeline, err := pool.TransactionFor(t.Context(), statements(numbers(1, 0), numbers(2, 0)))
		require.NoError(t, err)
		for range 2 {
			_, end := take(t, pipeline)
			require.ErrorIs(t, end, io.EOF)
		}
		require.NoError(t, pipeline.SendLast(last))
		if _, err = pipeline.Row(); err != nil {
			pipeline.Fail(err)
		} else {
			require.NoError(t, pipeline.Close())
		}
		// What the transaction has set for itself is gone with it.
		got, err := columns(t.Context(), pool, "SELECT current_setting('plan_cache_mode')")
		require.NoError(t, err)
		require.Equal(t, []string{"auto"}, got, "the transaction goes on")
	}
}

// Ensure a statement that is asked for in portions has no more time than one that is not.
func TestPortionsLate(t *testing.T) {
	pool, err := pg.Open(t.Context(), pg.Config{DSN: shared(t, versions()[0]).DSN, MaxConns: 1, StatementTimeout: 50 * time.Millisecond})
	require.NoError(t, err)
	pipeline, err := pool.TransactionFor(t.Context(), statements(numbers(1_000_000, 1)))
	require.NoError(t, err)
	for err == nil {
		_, end := take(t, pipeline)
		require.ErrorIs(t, end, pg.ErrPortion)
		err = pipeline.More(1)
	}
	require.Equal(t, pg.Timeout, pg.Classify(err))
	require.NoError(t, pipeline.Close())
	_, err = columns(t.Context(), pool, "SELECT 1")
	require.NoError(t, err)
	pool.Close()
}

// Ensure a long page may be left at any record, also while what follows is read ahead: nothing goes on reading,
// and in a snapshot the next read is as of the same instant.
func TestPortionsGivenUp(t *testing.T) {
	s := shared(t, versions()[0]).fork(t)
	admin := s.login(t, stack.RoleAdmin)
	fields, err := schema.ParseLiteral("['id', 'name', ('model_id', ('model',))]")
	require.NoError(t, err)
	q := reader.Query{Model: "ir.model.fields", Order: "id", Profile: reader.Typed(), Exclude: "*", Include: fields}
	type reads interface {
		Read(ctx context.Context, q reader.Query) (*reader.Result, error)
	}
	leave := func(from reads, after int) {
		t.Helper()
		result, err := from.Read(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, reader.PathDirect, result.Path)
		for range after {
			_, err := result.Next(t.Context())
			require.NoError(t, err)
		}
		require.NoError(t, result.Close())
	}
	// The first readings find out how much a portion is.
	for range 3 {
		leave(ofUser{s.reader, admin}, 100)
	}
	before := runtime.NumGoroutine()
	snapshot := s.reader.Snapshot(admin)
	first := ""
	for after := range 40 {
		leave(ofUser{s.reader, admin}, after*after)
		leave(snapshot, after*after)
		one := q
		one.Limit = 5
		documents, _ := snapshotRead(t, snapshot, one)
		if first == "" {
			first = documents
			_, err := s.owner(t).Exec(t.Context(), "UPDATE ir_model_fields SET name = name || '_later' WHERE id < 100")
			require.NoError(t, err)
		}
		require.Equal(t, first, documents)
	}
	require.NoError(t, snapshot.Close(t.Context()))
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+2 }, time.Minute, 10*time.Millisecond, "something goes on reading")
}

// ofUser are a reader's reads of one user.
type ofUser struct {
	reader *reader.Reader
	who    auth.Credentials
}

func (r ofUser) Read(ctx context.Context, q reader.Query) (*reader.Result, error) {
	return r.reader.Read(ctx, r.who, q)
}
