package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync/atomic"
	"time"
)

// secretAge is how long a secret counts as the one that holds now. So much later a changed one is
// known to all processes.
const secretAge = time.Minute

// Secret is what all processes that share a Store know and the Store does not: entries are sealed under it too,
// so that whoever writes to the Store cannot lay down a login of their own making. It is safe for
// concurrent use.
type Secret struct {
	read func(ctx context.Context) ([]byte, error)
	now  func() time.Time

	reading flights[struct{}, sealKey]
	known   atomic.Pointer[knownSecret]
}

// sealKey is the key that a secret is used as.
type sealKey [sha256.Size]byte

type knownSecret struct {
	key   sealKey
	until time.Time
}

// NewSecret returns a secret that read tells, which is asked again from time to time and must answer
// alike in all processes. While it fails, the secret that it told before holds.
func NewSecret(read func(ctx context.Context) ([]byte, error), now func() time.Time) *Secret {
	return &Secret{read: read, now: now}
}

// RandomSecret returns a secret of this process alone, for a Store that no other one knows.
func RandomSecret() *Secret {
	own := []byte(rand.Text())
	return NewSecret(func(context.Context) ([]byte, error) { return own, nil }, time.Now)
}

// Probe tells whether the secret is known.
func (s *Secret) Probe(ctx context.Context) error {
	_, err := s.key(ctx)
	return err
}

// key returns the key of the secret. It fails where the secret cannot be read and was not read before.
func (s *Secret) key(ctx context.Context) (sealKey, error) {
	known := s.known.Load()
	if known != nil && s.now().Before(known.until) {
		return known.key, nil
	}
	key, err := s.reading.do(ctx, struct{}{}, func() (sealKey, error) {
		secret, err := s.read(ctx)
		if err != nil {
			return sealKey{}, err
		}
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte("lateral tokens"))
		key := sealKey(mac.Sum(nil))
		s.known.Store(&knownSecret{key: key, until: s.now().Add(secretAge)})
		return key, nil
	})
	switch {
	case err == nil:
		return key, nil
	case known != nil:
		return known.key, nil
	}
	return sealKey{}, fmt.Errorf("the secret that tokens are sealed under: %w", err)
}
