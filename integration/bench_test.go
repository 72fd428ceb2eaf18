package integration

import (
	"context"
	"errors"
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
	for name, query := range map[string]reader.Query{
		"one":  {Model: "sale.order", Profile: reader.Classic(), Preset: preset, One: true, ID: id},
		"page": {Model: "sale.order", Profile: reader.Classic(), Preset: preset, Limit: 20, Order: "id"},
	} {
		b.Run(name, func(b *testing.B) {
			require.NoError(b, drain(b.Context(), s, who, query)) // fills the caches
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, drain(b.Context(), s, who, query))
			}
		})
	}
}

// drain reads an answer to its end.
func drain(ctx context.Context, s *stand, who auth.Credentials, q reader.Query) error {
	result, err := s.reader.Read(ctx, who, q)
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
