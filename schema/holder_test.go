package schema

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Ensure that callers share a load. The clock of the bubble stands still until all of them wait for it.
func TestHolderShares(t *testing.T) { synctest.Test(t, testHolderShares) }

func testHolderShares(t *testing.T) {
	var loads atomic.Int32
	h := NewHolder(func(context.Context) (*Catalogue, error) {
		loads.Add(1)
		time.Sleep(20 * time.Millisecond)
		return NewCatalogue(), nil
	}, time.Second)
	if h.Current() != nil {
		t.Error("there is a catalogue before the first load")
	}
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if c, err := h.Refresh(t.Context(), "1"); err != nil || c.Stamp != "1" {
				t.Errorf("got %v, %v", c, err)
			}
		})
	}
	group.Wait()
	if loads.Load() != 1 {
		t.Errorf("%d loads", loads.Load())
	}
	before := h.Current()
	if c, _ := h.Refresh(t.Context(), "1"); c != before {
		t.Error("an unchanged stamp built anew")
	}
	if c, _ := h.Refresh(t.Context(), "2"); c == before || h.Current() != c {
		t.Error("a changed stamp did not build anew")
	}
	h.Invalidate()
	if c, _ := h.Refresh(t.Context(), "2"); c.Stamp != "2" || loads.Load() != 3 {
		t.Errorf("after Invalidate: stamp %q, %d loads", c.Stamp, loads.Load())
	}
}

// Ensure that a failed load keeps the old catalogue.
func TestHolderFailure(t *testing.T) {
	fail := errors.New("no database")
	var failing atomic.Bool
	h := NewHolder(func(context.Context) (*Catalogue, error) {
		if failing.Load() {
			return nil, fail
		}
		return NewCatalogue(), nil
	}, time.Second)
	old, err := h.Refresh(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	failing.Store(true)
	if _, err := h.Refresh(t.Context(), "2"); !errors.Is(err, fail) {
		t.Errorf("got %v", err)
	}
	if h.Current() != old || old.Stamp != "1" {
		t.Error("the old catalogue is gone")
	}
	failing.Store(false)
	if c, err := h.Refresh(t.Context(), "2"); err != nil || c.Stamp != "2" {
		t.Errorf("got %v, %v", c, err)
	}
}

// Ensure that a caller that gives up does not end the load that others wait for, and that a load
// that hangs ends.
func TestHolderCancel(t *testing.T) {
	release := make(chan struct{})
	h := NewHolder(func(ctx context.Context) (*Catalogue, error) {
		select {
		case <-release:
			return NewCatalogue(), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}, 100*time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Refresh(ctx, "1"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
	if c, err := h.Refresh(t.Context(), "1"); err != nil || c == nil {
		t.Errorf("got %v", err)
	}

	hanging := NewHolder(func(ctx context.Context) (*Catalogue, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}, 20*time.Millisecond)
	if _, err := hanging.Refresh(t.Context(), "1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// Ensure that a replacement waits for a load that has begun without it, so that neither is lost.
func TestHolderReplace(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	h := NewHolder(func(context.Context) (*Catalogue, error) {
		close(begun)
		<-release
		return NewCatalogue(&Model{Name: "a"}), nil
	}, time.Minute)
	h.Replace(func(c *Catalogue) *Catalogue {
		t.Error("there is no catalogue to replace")
		return c
	})
	loaded := make(chan error, 1)
	go func() {
		_, err := h.Refresh(context.Background(), "1")
		loaded <- err
	}()
	<-begun
	replaced := make(chan struct{})
	go func() {
		defer close(replaced)
		h.Replace(func(c *Catalogue) *Catalogue { return c.Distrust(map[string]string{"a": "wrong"}) })
	}()
	close(release)
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	<-replaced
	if c := h.Current(); c.Stamp != "1" || !c.Model("a").Guard.Distrusted {
		t.Errorf("stamp %q, guard %+v", c.Stamp, c.Model("a").Guard)
	}
}
