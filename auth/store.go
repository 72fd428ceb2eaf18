package auth

import (
	"context"
	"encoding/hex"
	"errors"
	"time"
)

// Key is the name under which a token's entry is stored: a hash, from which the token cannot be
// found.
type Key [32]byte

// String returns the key in hexadecimal, for stores whose names are text.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// ErrNotStored tells that a store has no such entry (any more).
var ErrNotStored = errors.New("no such entry in the token store")

// Store keeps the entries of tokens. Implementations are safe for concurrent use, each method is
// atomic, and what they fail with is ErrNotStored where an entry is missing or has expired, any
// other error where the store cannot be reached. They need not be trusted with secrets: names are
// hashes and values are sealed under keys that only the tokens' holders have.
//
// The methods are chosen such that each is one command of Redis: SET with PX, GET,
// SET with XX, GET and KEEPTTL, GETDEL, DEL.
type Store interface {
	// Put stores value for the given time, 0 meaning for ever.
	Put(ctx context.Context, key Key, value []byte, lifetime time.Duration) error
	// Get returns the value. The caller does not change it.
	Get(ctx context.Context, key Key) ([]byte, error)
	// Swap replaces the value of an existing entry, keeps its expiry and returns the old value.
	Swap(ctx context.Context, key Key, value []byte) ([]byte, error)
	// Take removes an entry and returns its value.
	Take(ctx context.Context, key Key) ([]byte, error)
	// Delete removes an entry; it is no error if there is none.
	Delete(ctx context.Context, key Key) error
}
