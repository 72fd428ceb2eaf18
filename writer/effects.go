package writer

import (
	"context"
	"sync"
)

// Effects is what the calls under a context have done in Odoo, all of them together. It tells whether a
// request that failed may be made again. It is safe for concurrent use; the zero value has seen no
// call.
type Effects struct {
	mu    sync.Mutex
	worst Outcome
}

// Outcome returns Unknown where that of any call is, else Done where any call has run, else Undone.
func (e *Effects) Outcome() Outcome {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.worst
}

type effectsKey struct{}

// WithEffects returns a context whose calls are noted in e.
func WithEffects(ctx context.Context, e *Effects) context.Context {
	return context.WithValue(ctx, effectsKey{}, e)
}

// Note adds the end of a call, which err is of, to the effects of its context, if it has any.
// Implementations of Caller note every call that may change something.
func Note(ctx context.Context, err error) {
	e, ok := ctx.Value(effectsKey{}).(*Effects)
	if !ok {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.worst = max(e.worst, outcomeOf(err))
}

// outcomeOf returns the outcome of a call. An error that is no fault says nothing.
func outcomeOf(err error) Outcome {
	if err == nil {
		return Done
	}
	if fault, ok := err.(*Fault); ok {
		return fault.Outcome()
	}
	return Unknown
}
