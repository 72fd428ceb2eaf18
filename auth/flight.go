package auth

import (
	"context"
	"errors"
	"sync"
)

// flights collapses concurrent calls for one key into one. Other than x/sync's singleflight, the
// call runs in the goroutine of its first caller and with its context, because it may use that
// caller's transaction; where that context ends, one of the waiting callers takes over.
type flights[K comparable, V any] struct {
	mu      sync.Mutex
	running map[K]*flight[V]
}

type flight[V any] struct {
	done  chan struct{}
	value V
	err   error
}

var errFlightPanicked = errors.New("the call that was waited for panicked")

func (f *flights[K, V]) do(ctx context.Context, key K, call func() (V, error)) (V, error) {
	for {
		f.mu.Lock()
		running, found := f.running[key]
		if !found {
			return f.lead(key, call)
		}
		f.mu.Unlock()
		select {
		case <-running.done:
		case <-ctx.Done():
			var none V
			return none, ctx.Err()
		}
		abandoned := errors.Is(running.err, context.Canceled) || errors.Is(running.err, context.DeadlineExceeded)
		if !abandoned || ctx.Err() != nil {
			return running.value, running.err
		}
	}
}

// lead runs the call for all who wait. It is entered with the lock held.
func (f *flights[K, V]) lead(key K, call func() (V, error)) (V, error) {
	own := &flight[V]{done: make(chan struct{}), err: errFlightPanicked}
	if f.running == nil {
		f.running = map[K]*flight[V]{}
	}
	f.running[key] = own
	f.mu.Unlock()
	// Deferred, so that a panic of the call does not leave the others waiting for ever.
	defer func() {
		f.mu.Lock()
		delete(f.running, key)
		f.mu.Unlock()
		close(own.done)
	}()
	own.value, own.err = call()
	return own.value, own.err
}
