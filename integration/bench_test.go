package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lateral/auth"
	"lateral/bench"
	"lateral/integration/stack"
	"lateral/reader"
)

// BenchmarkRead measures what a read costs the reader, PostgreSQL's own time included in what passes
// but not in the processor's time that -cpuprofile shows. lateral bench measures the whole service.
func BenchmarkRead(b *testing.B) {
	s := shared(b, "19.0")
	preset := example3Preset(b, s)
	who := s.login(b, stack.RoleAdmin)
	var id int64
	require.NoError(b, s.owner(b).QueryRow(b.Context(), "SELECT min(order_id) FROM sale_order_line").Scan(&id))
	b.Run("one", func(b *testing.B) {
		benchmarkRead(b, s.reader, who, reader.Query{Model: "sale.order", Profile: reader.Classic(), Preset: preset, One: true, ID: id})
	})
}

// BenchmarkPage measures pages of 50,000 cloned orders with Example #3's tree, by one statement and level by level.
func BenchmarkPage(b *testing.B) {
	s := shared(b, "19.0").fork(b)
	_, err := s.Clone(b.Context(), stack.Sizes{Orders: clonedOrders, Lines: 4, Partners: clonedOrders * 2 / 5})
	require.NoError(b, err)
	preset := example3Preset(b, s)
	who := s.login(b, stack.RoleAdmin)
	whole, layered := s.renderers()
	for _, limit := range []int64{1, 4, 8, 16, 80, 1000, 5000} {
		for _, form := range []struct {
			name   string
			reader *reader.Reader
		}{{"whole", whole}, {"layers", layered}} {
			b.Run(fmt.Sprintf("%d/%s", limit, form.name), func(b *testing.B) {
				benchmarkRead(b, form.reader, who, reader.Query{Model: "sale.order", Profile: reader.Classic(), Preset: preset, Limit: limit, Order: "id desc"})
			})
		}
	}
}

// benchmarkRead measures a read, once it is prepared.
func benchmarkRead(b *testing.B, r *reader.Reader, who auth.Credentials, q reader.Query) {
	b.Helper()
	require.NoError(b, drain(b.Context(), r, who, q))
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, drain(b.Context(), r, who, q))
	}
}

// drain reads an answer to its end.
func drain(ctx context.Context, r *reader.Reader, who auth.Credentials, q reader.Query) error {
	result, err := r.Read(ctx, who, q)
	if err != nil {
		return err
	}
	for err == nil {
		_, err = result.Next(ctx)
	}
	if !errors.Is(err, io.EOF) {
		return errors.Join(err, result.Close())
	}
	return result.Close()
}

// TestBench runs the benchmark on few orders and for moments: that it compares answers, times every peer, measures how cost grows
// and tells the result, not how fast anything is.
func TestBench(t *testing.T) {
	s := shared(t, "19.0").fork(t)
	report, err := bench.Run(t.Context(), bench.Options{
		Sizes: stack.Sizes{Orders: 240, Lines: 4, Partners: 60}, Rounds: 1, Duration: 200 * time.Millisecond, Clients: []int{2}, Tables: []int{300},
		Workloads: []string{"one-salesman", "filter", "wide", "poll", "writes"}, Long: true, Curves: []string{"offset", "table"}, Executable: binary.executable(t), Progress: os.Stderr,
	}, bench.Deps{Stack: s.Stack, Catalogue: s.catalogue(t), Reader: s.reader, Odoo: s.odoo})
	require.NoError(t, err)
	require.Len(t, report.Results, 5)
	for _, result := range report.Results {
		require.NotZero(t, result.Compared, result.Title)
		require.Equal(t, result.Name == "writes", result.Writes > 0, result.Title)
		for name, peer := range result.Peers {
			require.Positive(t, peer.Median, "%s of %s", result.Title, name)
		}
	}
	require.Positive(t, report.Latency.P50)
	require.Len(t, report.Streams, 3)
	points := map[string]int{}
	for _, c := range report.Curves {
		points[c.Name] = len(c.Points)
		for _, p := range c.Points {
			require.Positive(t, p.Lateral, c.Name)
			require.Positive(t, p.Ceiling, c.Name)
		}
	}
	require.Equal(t, map[string]int{
		"one order, clients": 1, "offset": 3, "page by key behind": 3,
		"one order, orders in the table": 2, "page of 80 orders, orders in the table": 2,
		"80 orders filtered and ordered by the partner, orders in the table": 2,
	}, points)
	require.NoError(t, report.WriteTable(os.Stderr))
}
