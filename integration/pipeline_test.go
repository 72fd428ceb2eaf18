package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lateral/pg"
)

// onePool opens a pool of one connection, so that what is left of a statement shows in the next.
func onePool(t *testing.T, pooling bool) *pg.Pool {
	t.Helper()
	dsn := shared(t, versions()[0]).DSN
	if pooling {
		// Behind a PgBouncer the role has this setting.
		dsn += "&options=-c%20default_transaction_isolation%3Drepeatable%5C%20read"
	}
	pool, err := pg.Open(t.Context(), pg.Config{DSN: dsn, MaxConns: 1, TransactionPooling: pooling})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// columns runs one statement of one row.
func columns(ctx context.Context, pool *pg.Pool, sql string, args ...any) (texts []string, err error) {
	pipeline, err := pool.Pipeline(ctx, pg.Statement{SQL: sql, Args: args})
	if err != nil {
		return nil, err
	}
	err = pipeline.Only(func(row [][]byte) error {
		for _, column := range row {
			texts = append(texts, string(column))
		}
		return nil
	})
	if err != nil {
		pipeline.Fail(err)
		return nil, err
	}
	return texts, pipeline.Close()
}

// TestPipelineParameters has PostgreSQL tell what it got for parameters of every kind.
func TestPipelineParameters(t *testing.T) {
	for _, pooling := range []bool{false, true} {
		t.Run(fmt.Sprintf("pooling %t", pooling), func(t *testing.T) {
			got, err := columns(t.Context(), onePool(t, pooling),
				"SELECT $1::int8, $2::float8, $3::bool, $4::text, $5::text IS NULL, $6::int8[], $7::float8[], $8::numeric, ($9::text[])[2], "+
					"cardinality($9::text[]), ($9::text[])[3] IS NULL, $10::date",
				int64(math.MinInt64), 0.1, true, "a\"b\\'é", nil, []int64{1, -2}, []float64{math.NaN(), 1e300}, "1.50",
				[]string{"", "a\"b\\c,{}", "NULL"}, "2026-02-28")
			require.NoError(t, err)
			require.Equal(t, []string{
				"-9223372036854775808", "0.1", "t", "a\"b\\'é", "t", "{1,-2}", "{NaN,1e+300}", "1.50", "a\"b\\c,{}", "3", "f", "2026-02-28",
			}, got)
		})
	}
}

// TestPipelineAfterErrors ensures that a connection works as before after statements that cannot be
// parsed, do not run, or get a parameter that is none.
func TestPipelineAfterErrors(t *testing.T) {
	pool := onePool(t, false)
	backend, err := columns(t.Context(), pool, "SELECT pg_backend_pid()")
	require.NoError(t, err)
	for _, c := range []struct {
		sql   string
		arg   any
		class pg.Class
	}{
		{"SELECT nothing FROM nowhere WHERE $1::text = ''", "", pg.Undefined},
		{"SELECT 1 / $1::int8", int64(0), pg.BadValue},
		{"SELECT $1::date", "2026-02-30", pg.BadValue},
		{"SELECT $1::text", "\xff", pg.BadValue},
		{"DELETE FROM res_users WHERE id = $1::int8", int64(-1), pg.Other},
	} {
		for range 2 {
			_, err := columns(t.Context(), pool, c.sql, c.arg)
			require.Error(t, err, c.sql)
			require.Equal(t, c.class, pg.Classify(err), "%s: %v", c.sql, err)
		}
		got, err := columns(t.Context(), pool, "SELECT 6 / $1::int8", int64(3))
		require.NoError(t, err)
		require.Equal(t, []string{"2"}, got)
	}
	still, err := columns(t.Context(), pool, "SELECT pg_backend_pid()")
	require.NoError(t, err)
	require.Equal(t, backend, still, "the connection was not kept")
}

// TestPipelineManyStatements sends more different statements than a connection keeps.
func TestPipelineManyStatements(t *testing.T) {
	pool := onePool(t, false)
	for round := range 2 {
		for i := range 600 {
			got, err := columns(t.Context(), pool, fmt.Sprintf("SELECT %d + $1::int8", i), int64(1))
			require.NoError(t, err)
			require.Equal(t, []string{fmt.Sprint(i + 1)}, got, "round %d", round)
		}
	}
	prepared, err := columns(t.Context(), pool, "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'lateral%'")
	require.NoError(t, err)
	require.Equal(t, []string{"256"}, prepared)
}

// TestPipelineGivenUp gives statements up before and in the midst of their answers: the server stops
// working on them, and the pool has a connection again.
func TestPipelineGivenUp(t *testing.T) {
	watch, pool := onePool(t, false), onePool(t, false)
	stops := func(mark string) {
		t.Helper()
		require.Eventually(t, func() bool {
			running, err := columns(t.Context(), watch,
				"SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND pid <> pg_backend_pid() AND query LIKE $1::text", "%"+mark+"%")
			return err == nil && slices.Equal(running, []string{"0"})
		}, 10*time.Second, 20*time.Millisecond, "%s goes on", mark)
		got, err := columns(t.Context(), pool, "SELECT 1")
		require.NoError(t, err)
		require.Equal(t, []string{"1"}, got)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := columns(ctx, pool, "SELECT pg_sleep(60), 'asleep'")
	require.Equal(t, pg.Canceled, pg.Classify(err), "%v", err)
	stops("asleep")

	pipeline, err := pool.Pipeline(t.Context(), pg.Statement{SQL: "SELECT repeat('x', 1000), pg_sleep(n / 5) FROM generate_series(1, 100) n, generate_series(1, 1000)"})
	require.NoError(t, err)
	row, err := pipeline.Row()
	require.NoError(t, err)
	require.Len(t, row[0], 1000)
	pipeline.Abandon()
	stops("repeat")

	ctx, cancel = context.WithCancel(t.Context())
	pipeline, err = pool.Pipeline(ctx, pg.Statement{SQL: "SELECT repeat('y', 1000) FROM generate_series(1, 1000000)"})
	require.NoError(t, err)
	_, err = pipeline.Row()
	require.NoError(t, err)
	cancel()
	for err == nil {
		_, err = pipeline.Row()
	}
	require.False(t, errors.Is(err, io.EOF), "all of it was read")
	require.Equal(t, pg.Canceled, pg.Classify(err), "%v", err)
	pipeline.Fail(err)
	stops("repeat('y'")
}

// TestPipelineOfSnapshot gives up an answer within a snapshot, which goes on, and lets a statement fail
// in one.
func TestPipelineOfSnapshot(t *testing.T) {
	pool := onePool(t, false)
	s, err := pool.BeginSnapshot(t.Context())
	require.NoError(t, err)
	one := func(sql string) (text string, err error) {
		pipeline, err := s.Pipeline(t.Context(), pg.Statement{SQL: sql})
		if err != nil {
			return "", err
		}
		err = pipeline.Only(func(row [][]byte) error { text = string(row[0]); return nil })
		if err != nil {
			pipeline.Fail(err)
			return "", err
		}
		return text, pipeline.Close()
	}
	begun, err := one("SELECT pg_current_snapshot()")
	require.NoError(t, err)
	left, err := s.Pipeline(t.Context(), pg.Statement{SQL: "SELECT generate_series(1, 1000)"})
	require.NoError(t, err)
	_, err = left.Row()
	require.NoError(t, err)
	left.Abandon()
	_, err = one("SELECT 1 / 0")
	require.Equal(t, pg.BadValue, pg.Classify(err), "%v", err)
	require.NoError(t, s.Recover(t.Context()))
	still, err := one("SELECT pg_current_snapshot()")
	require.NoError(t, err)
	require.Equal(t, begun, still)
	require.NoError(t, s.Close(t.Context()))
	got, err := columns(t.Context(), pool, "SELECT 1")
	require.NoError(t, err)
	require.Equal(t, []string{"1"}, got)
}
