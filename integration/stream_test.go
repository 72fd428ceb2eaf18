package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	brotli "github.com/molecule-man/go-brrr"
	"github.com/stretchr/testify/require"

	"lateral/integration/stack"
	"lateral/reader"
)

const (
	clonedOrders = 50_000
	// streamMemory is how much more than idle the service may need while it streams.
	streamMemory = 64 << 20
)

// streamColumns are 24 columns of sale.order that 14.0 and 19.0 have.
var streamColumns = []string{
	"id", "name", "state", "date_order", "create_date", "write_date", "client_order_ref", "origin",
	"reference", "note", "amount_untaxed", "amount_tax", "amount_total", "currency_rate", "require_signature",
	"invoice_status", "picking_policy", "partner_id", "partner_invoice_id", "partner_shipping_id", "user_id",
	"team_id", "company_id", "warehouse_id",
}

// TestStream reads 50,000 orders over HTTP as one page without a limit: 24 columns of each, and with
// all that Example #3 nests. Nothing of the answer may pile up in the service, neither for a
// client that takes what it gets nor for one that hardly reads.
func TestStream(t *testing.T) {
	eachFork(t, func(t *testing.T, s *stand) {
		owner := s.owner(t)
		_, err := s.Clone(t.Context(), stack.Sizes{Orders: clonedOrders, Lines: 4})
		require.NoError(t, err)
		admin := s.login(t, stack.RoleAdmin)
		want := s.call(t, admin, "sale.order", "search_count", []any{[]any{}}, nil).(int64)
		require.GreaterOrEqual(t, want, int64(clonedOrders))

		codings := []string{"zstd", "br", "gzip"}
		if s.Version != versions()[0] {
			codings = nil // they have nothing to do with the version, and take their time
		}
		text := example3
		if s.catalogue(t).Model("sale.order.line").Field("tax_id") == nil {
			text = strings.ReplaceAll(text, "'tax_id'", "'tax_ids'")
		}
		nested := s.serve(t, map[string]string{"sale.order.schema": "{'read_all': " + text + "}"})
		flat := s.serve(t, nil)
		columns := url.Values{"exclude_fields": {"*"}, "include_fields": {"['" + strings.Join(streamColumns, "', '") + "']"}}
		for _, c := range []struct {
			name    string
			query   url.Values
			on      *service
			codings []string // the fast client's, beside none
			slow    []string // the slow client's
		}{
			{"24 columns", columns, flat, codings, []string{"gzip"}},
			{"nested", url.Values{}, nested, nil, []string{"identity", "zstd"}},
		} {
			t.Run(c.name, func(t *testing.T) {
				token := c.on.admin(t, s)
				// Once around first, so that what a service keeps is counted as idle.
				c.on.readPage(t, token, "identity", c.query, 10)
				idle, _ := c.on.resident(t)
				spilled := spilledBytes(t, owner)

				c.on.resetPeak(t)
				fast := c.on.readPage(t, token, "identity", c.query, 0)
				_, peak := c.on.resident(t)
				t.Logf("fast client: %s; %.1f MB above idle (%.1f MB)", fast, megabytes(peak-idle), megabytes(idle))
				require.Equal(t, want, fast.rows)
				require.Less(t, peak-idle, int64(streamMemory))

				for _, coding := range c.codings {
					c.on.resetPeak(t)
					coded := c.on.readPage(t, token, coding, c.query, 0)
					_, peak := c.on.resident(t)
					t.Logf("%s: %s; %.1f MB above idle", coding, coded, megabytes(peak-idle))
					require.Equal(t, fast.sum, coded.sum, "%s is not the same answer", coding)
					require.Less(t, coded.bytes, fast.bytes/4)
					require.Less(t, peak-idle, int64(streamMemory))
				}

				for _, coding := range c.slow {
					c.on.resetPeak(t)
					taken := c.on.readSlowly(t, token, coding, c.query, 6*time.Second)
					_, peak = c.on.resident(t)
					t.Logf("slow client, %s: %.1f MB taken; %.1f MB above idle", coding, megabytes(taken), megabytes(peak-idle))
					require.Less(t, taken, fast.bytes/10, "the slow client was too fast to tell anything")
					require.Less(t, peak-idle, int64(streamMemory))
				}

				s.waitForQuiet(t, owner)
				spilled = spilledBytes(t, owner) - spilled
				t.Logf("%.1f MB of temporary files of PostgreSQL", megabytes(spilled))
				require.Less(t, spilled, fast.bytes/2, "PostgreSQL sorts finished documents")
			})
		}
	})
}

func megabytes(n int64) float64 { return float64(n) / (1 << 20) }

// streamed is what a client saw of a page.
type streamed struct {
	rows, bytes int64 // as sent
	sum         uint64
	first, all  time.Duration
}

func (r streamed) String() string {
	return fmt.Sprintf("%d rows, %.1f MB, first byte after %s, all after %s, %.0f rows/s", r.rows, megabytes(r.bytes),
		r.first.Round(time.Millisecond), r.all.Round(time.Millisecond), float64(r.rows)/r.all.Seconds())
}

// open starts a read in a content coding, whose answer the caller takes as it is sent, and closes.
func (v *service) open(ctx context.Context, client *http.Client, path, token, coding string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, v.url+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Access-Token", token)
	request.Header.Set("Accept-Encoding", coding)
	return client.Do(request)
}

// decoded reads a body that was sent in a coding.
func decoded(t *testing.T, coding string, body io.Reader) io.Reader {
	t.Helper()
	switch coding {
	case "gzip":
		r, err := gzip.NewReader(body)
		require.NoError(t, err)
		return r
	case "zstd":
		r, err := zstd.NewReader(body)
		require.NoError(t, err)
		t.Cleanup(r.Close)
		return r
	case "br":
		return brotli.NewReader(body)
	}
	require.Equal(t, "identity", coding)
	return body
}

// countingReader counts what is read. A decoder may read ahead in a goroutine of its own, as zstd's
// does, so the count is atomic.
type countingReader struct {
	io.Reader
	n atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// readPage reads a page of orders as fast as it comes and makes sure that it is whole: valid JSON,
// every record once, and as many as it says itself.
func (v *service) readPage(t *testing.T, token, coding string, query url.Values, limit int) streamed {
	t.Helper()
	values := url.Values{}
	for name := range query {
		values.Set(name, query.Get(name))
	}
	if limit > 0 {
		values.Set("limit", fmt.Sprint(limit))
	}
	begin := time.Now()
	response, err := v.open(t.Context(), http.DefaultClient, "/api/sale.order?"+values.Encode(), token, coding)
	require.NoError(t, err)
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 2000))
		require.FailNow(t, "the read fails", "%d: %s", response.StatusCode, text)
	}
	require.Equal(t, reader.PathDirect, response.Header.Get("X-Read-Path"))
	read := streamed{first: time.Since(begin)}
	body := &countingReader{Reader: response.Body}
	sum := fnv.New64a()
	decoder := json.NewDecoder(io.TeeReader(decoded(t, coding, body), sum))
	seen := make(map[int64]bool, clonedOrders)
	_, err = decoder.Token()
	require.NoError(t, err)
	count := int64(-1)
	for decoder.More() {
		key, err := decoder.Token()
		require.NoError(t, err)
		if key != "results" {
			require.NoError(t, decoder.Decode(&count))
			continue
		}
		_, err = decoder.Token()
		require.NoError(t, err)
		for decoder.More() {
			var record struct {
				ID int64 `json:"id"`
			}
			if err := decoder.Decode(&record); err != nil || seen[record.ID] {
				require.FailNow(t, "a bad record", "%d after %d: %v", record.ID, len(seen), err)
			}
			seen[record.ID] = true
		}
		_, err = decoder.Token()
		require.NoError(t, err)
	}
	read.rows, read.bytes, read.all, read.sum = int64(len(seen)), body.n.Load(), time.Since(begin), sum.Sum64()
	require.Equal(t, count, read.rows)
	return read
}

// readSlowly takes about 200 kB a second of a page for a while, then hangs up. It returns how much
// it took.
func (v *service) readSlowly(t *testing.T, token, coding string, query url.Values, during time.Duration) int64 {
	t.Helper()
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, network, address)
		if tcp, ok := conn.(*net.TCPConn); ok {
			err = tcp.SetReadBuffer(32 << 10)
		}
		return conn, err
	}
	transport := &http.Transport{DialContext: dial, ReadBufferSize: 4 << 10}
	defer transport.CloseIdleConnections()
	response, err := v.open(t.Context(), &http.Client{Transport: transport}, "/api/sale.order?"+query.Encode(), token, coding)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	taken := int64(0)
	for end := time.Now().Add(during); time.Now().Before(end); <-ticker.C {
		n, err := io.CopyN(io.Discard, response.Body, 10_000)
		taken += n
		require.NoError(t, err)
	}
	return taken
}

// spilledBytes is how much the database has written to temporary files so far.
func spilledBytes(t *testing.T, owner *pgx.Conn) int64 {
	t.Helper()
	var n int64
	row := owner.QueryRow(t.Context(), "SELECT temp_bytes FROM pg_stat_database WHERE datname = current_database()")
	require.NoError(t, row.Scan(&n))
	return n
}

// waitForQuiet waits until PostgreSQL has noticed that nobody wants its answer any more.
func (s *stand) waitForQuiet(t *testing.T, owner *pgx.Conn) {
	t.Helper()
	require.Eventually(t, func() bool {
		var running int
		err := owner.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'lateral' AND state <> 'idle'`).Scan(&running)
		return err == nil && running == 0
	}, 20*time.Second, 100*time.Millisecond, "PostgreSQL still writes the answer that the client gave up")
}
