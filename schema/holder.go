package schema

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// Loader builds a catalogue, usually Load inside a snapshot of a pool.
type Loader func(ctx context.Context) (*Catalogue, error)

// Holder keeps the current catalogue and replaces it as a whole. It is safe for concurrent use.
type Holder struct {
	load    Loader
	timeout time.Duration
	current atomic.Pointer[Catalogue]

	flights singleflight.Group
	// building lets one load run at a time, so that the one that began last is published last.
	building sync.Mutex
}

// NewHolder returns a holder without a catalogue. One load may take timeout, however long the
// callers that wait for it are willing to.
func NewHolder(load Loader, timeout time.Duration) *Holder {
	return &Holder{load: load, timeout: timeout}
}

// Current returns the catalogue in use, or nil before the first successful Refresh.
func (h *Holder) Current() *Catalogue { return h.current.Load() }

// Refresh returns a catalogue that is at least as new as stamp, which the caller read from
// Signals.Registry: the current one if it has that stamp, else one built now. Callers with one
// stamp share one load, which a caller that gives up does not end. Until the load is done Current
// is the old catalogue; where it fails the old one stays and the error is returned.
func (h *Holder) Refresh(ctx context.Context, stamp string) (*Catalogue, error) {
	if c := h.Current(); c != nil && c.Stamp == stamp {
		return c, nil
	}
	flight := h.flights.DoChan(stamp, func() (any, error) { return h.build(context.WithoutCancel(ctx), stamp) })
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("catalogue: %w", ctx.Err())
	case result := <-flight:
		if result.Err != nil {
			return nil, fmt.Errorf("catalogue: %w", result.Err)
		}
		return result.Val.(*Catalogue), nil
	}
}

// Invalidate makes the next Refresh build anew whatever its stamp, for changes that Odoo did not
// signal: PostgreSQL said that a table or column is not there. The current catalogue keeps serving.
func (h *Holder) Invalidate() {
	if c := h.Current(); c != nil {
		stale := *c
		stale.Stamp = ""
		h.current.CompareAndSwap(c, &stale)
	}
}

// Replace puts another catalogue in the place of the current one, made of it by change, which may
// return it as it is. It waits for a load that is under way; without a catalogue nothing happens.
func (h *Holder) Replace(change func(*Catalogue) *Catalogue) {
	h.building.Lock()
	defer h.building.Unlock()
	for {
		c := h.Current()
		if c == nil || h.current.CompareAndSwap(c, change(c)) {
			return
		}
	}
}

// build loads a catalogue and publishes it. The stamp was read before the load's snapshot began,
// so that a change in between shows as a new stamp and is loaded again.
func (h *Holder) build(ctx context.Context, stamp string) (*Catalogue, error) {
	h.building.Lock()
	defer h.building.Unlock()
	if c := h.Current(); c != nil && c.Stamp == stamp {
		return c, nil
	}
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	c, err := h.load(ctx)
	if err != nil {
		return nil, err
	}
	c.Stamp = stamp
	h.current.Store(c)
	return c, nil
}
