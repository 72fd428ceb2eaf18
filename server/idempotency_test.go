package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lateral/auth"
	"lateral/auth/kv"
	"lateral/writer"
)

// runCaller is an Odoo that counts what it runs, and ends calls as a test wants.
type runCaller struct {
	*fakeOdoo
	runs atomic.Int64
	end  func(run int64) error
}

func (c *runCaller) Execute(ctx context.Context, _ auth.Credentials, _, _ string, _ []any, _ map[string]any) (any, error) {
	run := c.runs.Add(1)
	var err error
	if c.end != nil {
		err = c.end(run)
	}
	writer.Note(ctx, err)
	return run, err
}

// onceHarness is a server whose creates and updates are counted.
func onceHarness(t *testing.T, change func(*Deps, *Config)) (*harness, *runCaller) {
	caller := &runCaller{}
	h := setup(t, func(d *Deps, c *Config) {
		caller.fakeOdoo = d.Caller.(*fakeOdoo)
		d.Caller = caller
		if change != nil {
			change(d, c)
		}
	})
	return h, caller
}

// Ensure that a key stands for one request, whose first answer is given again as it was.
func TestIdempotencyReplay(t *testing.T) {
	h, odoo := onceHarness(t, nil)
	key := []string{"Idempotency-Key", "1c7e4f0a"}
	first := h.do("POST", "/api/res.partner", `{"name": "é"}`, key...)
	require.Equal(t, 200, first.status, first.body)
	require.Empty(t, first.header.Get("Idempotency-Replayed"))
	for range 3 {
		again := h.do("POST", "/api/res.partner", `{"name": "é"}`, key...)
		require.Equal(t, []any{first.status, first.body}, []any{again.status, again.body})
		require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
		require.Equal(t, contentType, again.header.Get("Content-Type"))
	}
	require.Equal(t, int64(1), odoo.runs.Load())

	for _, other := range [][3]string{
		{"POST", "/api/res.partner", `{"name": "e"}`},
		{"POST", "/v2/res.partner", `{"name": "é"}`},
		{"POST", "/api/res.partner?zip=1", `{"name": "é"}`},
		{"PUT", "/api/res.partner/1", `{"name": "é"}`},
		{"DELETE", "/api/res.partner/1", `{"name": "é"}`},
		{"PUT", "/api/res.partner/1/copy", `{"name": "é"}`},
	} {
		got := h.do(other[0], other[1], other[2], key...)
		require.Equal(t, 422, got.status, "%v: %s", other, got.body)
		require.Equal(t, "idempotency_key_reused", got.code())
		require.Contains(t, got.body, "1c7e4f0a")
	}
	require.Equal(t, int64(1), odoo.runs.Load())
	require.Equal(t, 200, h.do("POST", "/api/res.partner", `{"name": "é"}`, "Idempotency-Key", "another").status)
	require.Equal(t, 200, h.do("POST", "/api/res.partner", `{"name": "é"}`).status)
	require.Equal(t, int64(3), odoo.runs.Load())
}

// Ensure that requests at the same time run once, and all get its answer.
func TestIdempotencyAtOnce(t *testing.T) {
	h, odoo := onceHarness(t, nil)
	odoo.end = func(int64) error {
		time.Sleep(50 * time.Millisecond) // Odoo works
		return nil
	}
	var group sync.WaitGroup
	var replayed atomic.Int64
	for range 10 {
		group.Go(func() {
			got := h.do("PUT", "/api/res.partner/1", `{"name": "x"}`, "Idempotency-Key", "k")
			if got.status != 200 {
				t.Errorf("%d %s", got.status, got.body)
			}
			if got.header.Get("Idempotency-Replayed") == "true" {
				replayed.Add(1)
			}
		})
	}
	group.Wait()
	require.Equal(t, int64(1), odoo.runs.Load())
	require.Equal(t, int64(9), replayed.Load())
}

// Ensure that a key is free again where nothing was changed, and never where something may have been.
func TestIdempotencyAfterFailure(t *testing.T) {
	for name, test := range map[string]struct {
		fault *writer.Fault
		again bool
	}{
		"refused":      {&writer.Fault{Kind: writer.Validation, Message: "no"}, true},
		"conflict":     {&writer.Fault{Kind: writer.Conflict}, true},
		"timeout":      {&writer.Fault{Kind: writer.Timeout}, false},
		"broken off":   {&writer.Fault{Kind: writer.Unavailable}, false},
		"given up":     {&writer.Fault{Kind: writer.Canceled}, false},
		"unreadable":   {&writer.Fault{Kind: writer.Internal}, false},
		"ran too long": {&writer.Fault{Kind: writer.TooLarge}, false},
	} {
		t.Run(name, func(t *testing.T) {
			h, odoo := onceHarness(t, nil)
			odoo.end = func(run int64) error {
				if run == 1 {
					return test.fault
				}
				return nil
			}
			ask := func() answer {
				return h.do("POST", "/api/res.partner", `{"name": "x"}`, "Idempotency-Key", "k")
			}
			require.GreaterOrEqual(t, ask().status, 400)
			got := ask()
			if test.again {
				require.Equal(t, 200, got.status, got.body)
				require.Equal(t, int64(2), odoo.runs.Load())
				return
			}
			require.GreaterOrEqual(t, got.status, 400, got.body)
			require.Equal(t, int64(1), odoo.runs.Load(), "nothing runs twice")
			if name != "ran too long" {
				require.Equal(t, "idempotency_outcome_unknown", got.code())
			}
		})
	}
	h, odoo := onceHarness(t, nil)
	for _, body := range []string{`{"nothing": 1}`, `{"name": `, `{"name": "x"}`} {
		h.do("POST", "/api/res.partner", body, "Idempotency-Key", "k")
	}
	require.Equal(t, int64(1), odoo.runs.Load(), "what was refused before Odoo leaves the key free, for other requests too")
	odoo.end = func(int64) error { panic("a bug") }
	require.Equal(t, 500, h.do("POST", "/api/res.partner", `{"name": "x"}`, "Idempotency-Key", "p").status)
	require.Equal(t, "idempotency_outcome_unknown", h.do("POST", "/api/res.partner", `{"name": "x"}`, "Idempotency-Key", "p").code())
	require.Equal(t, int64(2), odoo.runs.Load())
}

// Ensure that a process that dies leaves its key neither free nor waited for.
func TestIdempotencyAbandoned(t *testing.T) {
	cells := kv.NewMemory(1<<20, time.Now)
	now := time.Now()
	a := &answers{
		cells: cells, lifetime: time.Hour, lease: time.Minute, longest: 10, now: func() time.Time { return now },
		secret: func(context.Context) ([]byte, error) { return []byte("0123456789abcdef"), nil },
	}
	ctx := t.Context()
	dead, _, err := a.begin(ctx, 7, "k", []byte("request"))
	require.NoError(t, err)
	_, _, err = a.begin(ctx, 7, "k", []byte("request"))
	require.ErrorIs(t, err, errKeyPending)
	_, _, err = a.begin(ctx, 7, "k", []byte("other"))
	require.ErrorIs(t, err, errKeyReused)
	_, _, err = a.begin(ctx, 8, "k", []byte("request"))
	require.NoError(t, err, "another user's key")
	now = now.Add(time.Minute)
	_, _, err = a.begin(ctx, 7, "k", []byte("request"))
	require.ErrorIs(t, err, errKeyUnknown)

	// It was only slow after all.
	require.NoError(t, dead.keep(ctx, firstAnswer{Status: 200, Kept: true, body: []byte("0123456789")}))
	_, first, err := a.begin(ctx, 7, "k", []byte("request"))
	require.NoError(t, err)
	require.Equal(t, "0123456789", string(first.body))
	require.NoError(t, dead.release(ctx))
	_, first, err = a.begin(ctx, 7, "k", []byte("request"))
	require.NoError(t, err)
	require.NotNil(t, first, "a claim that has ended frees nothing")

	long, _, err := a.begin(ctx, 7, "long", nil)
	require.NoError(t, err)
	require.NoError(t, long.keep(ctx, firstAnswer{Status: 200, Kept: true, body: []byte("0123456789a")}))
	_, first, err = a.begin(ctx, 7, "long", nil)
	require.NoError(t, err)
	require.False(t, first.Kept)
}

// Ensure that the cells tell nothing without the database's secret.
func TestIdempotencyAtRest(t *testing.T) {
	dump := &dumpCells{Cells: kv.NewMemory(1<<20, time.Now)}
	h, _ := onceHarness(t, func(d *Deps, _ *Config) { d.Answers = dump })
	for i := range 3 {
		require.Equal(t, 200, h.do("POST", "/api/res.partner", `{"name": "business"}`, "Idempotency-Key", fmt.Sprint("order-", i)).status)
	}
	require.NotEmpty(t, dump.text.String())
	for _, secret := range []string{"order-", "business", `"id"`, "status"} {
		require.NotContains(t, dump.text.String(), secret)
	}
}

// dumpCells writes down all that is put into cells.
type dumpCells struct {
	kv.Cells
	text syncBuffer
}

func (d *dumpCells) Update(ctx context.Context, name string, change kv.Change) error {
	return d.Cells.Update(ctx, name, func(old []byte) ([]byte, time.Duration) {
		next, lifetime := change(old)
		_, _ = d.text.Write(append([]byte(name), next...))
		return next, lifetime
	})
}

// Ensure that a key that is none is refused before anything is done, and that reads take no notice.
func TestIdempotencyKeys(t *testing.T) {
	h, odoo := onceHarness(t, nil)
	for _, key := range []string{"", strings.Repeat("k", 256), "k\xe9"} {
		got := h.do("POST", "/api/res.partner", `{"name": "x"}`, "Idempotency-Key", key)
		require.Equal(t, 400, got.status, got.body)
		require.Equal(t, "invalid_idempotency_key", got.code())
	}
	require.Zero(t, odoo.runs.Load())
	require.Equal(t, 400, h.anonymous("POST", "/api/res.partner", `{"name": "x"}`, "Idempotency-Key", "k").status, "no token")
	require.Equal(t, 200, h.do("POST", "/api/res.partner", `{"name": "x"}`, "Idempotency-Key", strings.Repeat("k", 255)).status)
	require.Equal(t, http.StatusOK, h.do("GET", "/api/res.partner", "", "Idempotency-Key", "").status)
}

// Ensure that without its store nothing is run, and that a full one refuses rather than forgets.
func TestIdempotencyWithoutStore(t *testing.T) {
	h, odoo := onceHarness(t, func(d *Deps, _ *Config) { d.Answers = brokenCells{} })
	got := h.do("POST", "/api/res.partner", `{"name": "x"}`, "Idempotency-Key", "k")
	require.Equal(t, 503, got.status)
	require.Equal(t, "token_store_unavailable", got.code())
	require.Zero(t, odoo.runs.Load())

	h, odoo = onceHarness(t, func(_ *Deps, c *Config) { c.IdempotencyMemory = 3000 })
	refused := 0
	for i := range 20 {
		if got := h.do("POST", "/api/res.partner", `{"name": "x"}`, "Idempotency-Key", fmt.Sprint(i)); got.status != 200 {
			require.Equal(t, "overloaded", got.code())
			refused++
		}
	}
	require.Positive(t, refused)
	require.Equal(t, int64(20-refused), odoo.runs.Load())
	require.Equal(t, "true", h.do("POST", "/api/res.partner", `{"name": "x"}`, "Idempotency-Key", "0").header.Get("Idempotency-Replayed"))
}

type brokenCells struct{}

func (brokenCells) Update(context.Context, string, kv.Change) error { return kv.ErrUnavailable }
