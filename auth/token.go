package auth

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// ErrInvalidToken tells that a token is unknown, expired, revoked, or none at all. Callers cannot
// tell these apart, and neither can clients.
var ErrInvalidToken = errors.New("invalid token")

// tokenLength is the length of a token's text: 20 random bytes in lower-case hexadecimal.
const tokenLength = 40

// Grant is what a login hands out. Lifetimes are in seconds, 0 meaning no expiry.
type Grant struct {
	AccessToken      string
	ExpiresIn        int64
	RefreshToken     string
	RefreshExpiresIn int64
}

// Tokens issues, renews, revokes and resolves tokens. An access token stands for a user's
// credentials; a refresh token brings new access tokens and revokes them.
//
// The store holds no token and nothing it could open or make: entries are named by a hash of the token and
// sealed with ChaCha20-Poly1305 under a key derived from it and from the secret. Who can write to the
// store can remove entries and bring back old ones until they expire, and nothing else. Tokens are
// compared by nobody: they are hashed and the hash is looked up, so timing tells at most something of a
// hash that the guesser knows anyway, and the seal is verified in constant time.
type Tokens struct {
	store   Store
	secret  *Secret
	now     func() time.Time
	revoked func(Key)
}

// NewTokens returns tokens kept in store under a secret, which expire by the clock now.
func NewTokens(store Store, secret *Secret, now func() time.Time) *Tokens {
	return &Tokens{store: store, secret: secret, now: now, revoked: func(Key) {}}
}

// OnRevoke has told called with the name of each access token that is revoked here, rather than
// expires or is revoked by another process. It must be set before the first use.
func (t *Tokens) OnRevoke(told func(access Key)) { t.revoked = told }

// Issue hands out a pair of tokens for a user. A lifetime of 0 means no expiry, and the refresh
// token lives at least as long as the access token. Earlier tokens of the user stay valid.
func (t *Tokens) Issue(ctx context.Context, who Credentials, access, refresh time.Duration) (Grant, error) {
	if access < 0 || refresh < 0 {
		return Grant{}, errors.New("issue tokens: a lifetime is negative")
	}
	if access == 0 || (refresh != 0 && refresh < access) {
		refresh = access
	}
	bearer, renewer := newToken(), newToken()
	sealed, err := t.seal(ctx, refreshToken, renewer, who, refresh)
	if err != nil {
		return Grant{}, err
	}
	if err := t.putAccess(ctx, bearer, who, access); err != nil {
		return Grant{}, err
	}
	entry := refreshEntry(storeKey(accessToken, bearer), sealed)
	if err := t.store.Put(ctx, storeKey(refreshToken, renewer), entry, refresh); err != nil {
		return Grant{}, fmt.Errorf("store a refresh token: %w", err)
	}
	return Grant{
		AccessToken: bearer, ExpiresIn: int64(access / time.Second),
		RefreshToken: renewer, RefreshExpiresIn: int64(refresh / time.Second),
	}, nil
}

// Refresh exchanges a refresh token for a new access token of the given lifetime (0: no expiry),
// returned with its lifetime in seconds. The access token it replaces is revoked at once; the
// refresh token stays as it is. Of calls that race, the last one's access token stays valid.
// It fails with ErrInvalidToken.
func (t *Tokens) Refresh(ctx context.Context, token string, access time.Duration) (string, int64, error) {
	if access < 0 {
		return "", 0, errors.New("refresh a token: the lifetime is negative")
	}
	if !wellFormed(token) {
		return "", 0, ErrInvalidToken
	}
	key := storeKey(refreshToken, token)
	entry, err := t.store.Get(ctx, key)
	if err != nil {
		return "", 0, notStored("read a refresh token", err)
	}
	old, sealed, ok := splitRefreshEntry(entry)
	if !ok {
		return "", 0, ErrInvalidToken
	}
	who, _, err := t.openValid(ctx, refreshToken, token, key, sealed)
	if err != nil {
		return "", 0, err
	}
	bearer := newToken()
	if err := t.putAccess(ctx, bearer, who, access); err != nil {
		return "", 0, err
	}
	// The old access token goes first: were it last, a store that fails in between would leave it
	// alive without anything that names it.
	if err := t.revokeAccess(ctx, old); err != nil {
		return "", 0, fmt.Errorf("revoke the replaced access token: %w", err)
	}
	// Swap fails where the refresh token was revoked meanwhile; the new access token, which
	// nobody has seen, then goes too. Whoever swaps later revokes what we put in.
	bearerKey := storeKey(accessToken, bearer)
	replaced, err := t.store.Swap(ctx, key, refreshEntry(bearerKey, sealed))
	if err != nil {
		return "", 0, errors.Join(notStored("renew an access token", err), t.store.Delete(ctx, bearerKey))
	}
	if raced, _, ok := splitRefreshEntry(replaced); ok && raced != old {
		if err := t.revokeAccess(ctx, raced); err != nil {
			return "", 0, fmt.Errorf("revoke an access token of a refresh at the same time: %w", err)
		}
	}
	return bearer, int64(access / time.Second), nil
}

// Revoke makes a refresh token and its access token invalid. It is no error if there is no such
// token.
func (t *Tokens) Revoke(ctx context.Context, token string) error {
	if !wellFormed(token) {
		return nil
	}
	key := storeKey(refreshToken, token)
	// The access token goes first, and again where a refresh has put in another meanwhile: a store
	// that fails in between then leaves a refresh token that can be revoked once more.
	for _, read := range []func(context.Context, Key) ([]byte, error){t.store.Get, t.store.Take} {
		entry, err := read(ctx, key)
		switch {
		case errors.Is(err, ErrNotStored):
			return nil
		case err != nil:
			return fmt.Errorf("revoke a refresh token: %w", err)
		}
		if access, _, ok := splitRefreshEntry(entry); ok {
			if err := t.revokeAccess(ctx, access); err != nil {
				return fmt.Errorf("revoke an access token: %w", err)
			}
		}
	}
	return nil
}

// revokeAccess makes the access token of a name invalid.
func (t *Tokens) revokeAccess(ctx context.Context, access Key) error {
	err := t.store.Delete(ctx, access)
	t.revoked(access)
	return err
}

// Resolve returns the credentials behind an access token. It fails with ErrInvalidToken, and with
// other errors where the store cannot be reached or the secret cannot be read.
func (t *Tokens) Resolve(ctx context.Context, token string) (Credentials, error) {
	if !wellFormed(token) {
		return Credentials{}, ErrInvalidToken
	}
	key := storeKey(accessToken, token)
	sealed, err := t.store.Get(ctx, key)
	if err != nil {
		return Credentials{}, notStored("read an access token", err)
	}
	who, expires, err := t.openValid(ctx, accessToken, token, key, sealed)
	if err != nil {
		return Credentials{}, err
	}
	who.Token, who.Expires = key, expires
	return who, nil
}

func (t *Tokens) putAccess(ctx context.Context, token string, who Credentials, lifetime time.Duration) error {
	sealed, err := t.seal(ctx, accessToken, token, who, lifetime)
	if err != nil {
		return err
	}
	if err := t.store.Put(ctx, storeKey(accessToken, token), sealed, lifetime); err != nil {
		return fmt.Errorf("store an access token: %w", err)
	}
	return nil
}

func (t *Tokens) seal(ctx context.Context, kind tokenKind, token string, who Credentials, lifetime time.Duration) ([]byte, error) {
	secret, err := t.secret.key(ctx)
	if err != nil {
		return nil, err
	}
	return seal(secret, kind, token, who, t.expiry(lifetime))
}

// openValid opens an entry and judges its expiry by our own clock, so that neither a store's
// laziness nor its clock lengthens a token's life.
func (t *Tokens) openValid(ctx context.Context, kind tokenKind, token string, key Key, sealed []byte) (who Credentials, expires time.Time, err error) {
	secret, err := t.secret.key(ctx)
	if err != nil {
		return Credentials{}, time.Time{}, err
	}
	who, expires, err = open(secret, kind, token, key, sealed)
	if err != nil || !expires.IsZero() && !t.now().Before(expires) {
		return Credentials{}, time.Time{}, ErrInvalidToken
	}
	return who, expires, nil
}

func (t *Tokens) expiry(lifetime time.Duration) time.Time {
	if lifetime == 0 {
		return time.Time{}
	}
	return t.now().Add(lifetime)
}

// refreshEntry is what is stored of a refresh token: the name of the access token's entry, for
// revoking it, and the sealed credentials.
func refreshEntry(access Key, sealed []byte) []byte {
	return append(append(make([]byte, 0, len(access)+len(sealed)), access[:]...), sealed...)
}

func splitRefreshEntry(entry []byte) (access Key, sealed []byte, ok bool) {
	if len(entry) < len(access) {
		return Key{}, nil, false
	}
	copy(access[:], entry)
	return access, entry[len(access):], true
}

// newToken draws from the operating system's source; crypto/rand ends the program where that fails.
func newToken() string {
	var random [tokenLength / 2]byte
	_, _ = rand.Read(random[:])
	return hex.EncodeToString(random[:])
}

func wellFormed(token string) bool {
	if len(token) != tokenLength {
		return false
	}
	for i := range len(token) {
		if c := token[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func notStored(doing string, err error) error {
	if errors.Is(err, ErrNotStored) {
		return ErrInvalidToken
	}
	return fmt.Errorf("%s: %w", doing, err)
}
