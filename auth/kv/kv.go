// Package kv keeps small values that processes share: in Redis, or in memory where there is only
// one process. It knows nothing of Odoo.
package kv

import (
	"context"
	"errors"
	"time"
)

// ErrUnavailable tells that the store cannot be reached or does not do what it is asked for.
var ErrUnavailable = errors.New("the store cannot be reached")

// ErrFull tells that a store in memory has no room and may not forget what it holds.
var ErrFull = errors.New("the store is full")

// Change computes a cell's next value from the present one, which is nil where there is none and is
// not to be changed. A nil next removes the cell; otherwise it lives for lifetime from now, which is
// positive. A next that equals old leaves everything as it is. A Change may be called several
// times for one update, and what it says last counts.
type Change func(old []byte) (next []byte, lifetime time.Duration)

// Cells are values by name, each of which is changed atomically.
type Cells interface {
	// Update changes a cell. It fails with ErrUnavailable or ErrFull. Where it fails with the former,
	// the change may have been made all the same.
	Update(ctx context.Context, name string, change Change) error
}
