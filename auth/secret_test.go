package auth

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// told is a secret that a test changes.
type told struct {
	text  string
	err   error
	times int
}

func (s *told) read(context.Context) ([]byte, error) {
	s.times++
	return []byte(s.text), s.err
}

// Ensure that an entry which is right in everything but the secret opens nothing, and that processes
// with the same secret open each other's.
func TestTokensForgedInTheStore(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	store := NewMemory(10_000, time.Now)
	with := func(text string) *Tokens {
		return NewTokens(store, NewSecret((&told{text: text}).read, time.Now), time.Now)
	}
	honest, twin, forger := with("the database's own"), with("the database's own"), with("a guess")
	grant, err := honest.Issue(ctx, alice, 0, 0)
	require.NoError(t, err)
	who, err := twin.Resolve(ctx, grant.AccessToken)
	require.NoError(t, err)
	require.Equal(t, alice.UID, who.UID)

	forged, err := forger.Issue(ctx, Credentials{UID: 1, Login: "root", Secret: "x"}, 0, 0)
	require.NoError(t, err)
	_, err = honest.Resolve(ctx, forged.AccessToken)
	require.ErrorIs(t, err, ErrInvalidToken)
	_, _, err = honest.Refresh(ctx, forged.RefreshToken, 0)
	require.ErrorIs(t, err, ErrInvalidToken)
}

// Ensure that a secret is read once a minute, that a changed one holds from then on, and that one which
// cannot be read holds as it was, but is nobody's where it never was.
func TestSecret(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	clock := newClock()
	unread := errors.New("no database")
	source := &told{err: unread}
	secret := NewSecret(source.read, clock.Now)
	tokens := NewTokens(NewMemory(10_000, clock.Now), secret, clock.Now)
	require.ErrorIs(t, secret.Probe(ctx), unread)
	_, err := tokens.Issue(ctx, alice, 0, 0)
	require.ErrorIs(t, err, unread)

	source.text, source.err, source.times = "first", nil, 0
	grant, err := tokens.Issue(ctx, alice, 0, 0)
	require.NoError(t, err)
	for range 5 {
		_, err = tokens.Resolve(ctx, grant.AccessToken)
		require.NoError(t, err)
	}
	require.Equal(t, 1, source.times)

	source.err = unread
	clock.Advance(secretAge)
	_, err = tokens.Resolve(ctx, grant.AccessToken)
	require.NoError(t, err)

	source.text, source.err = "second", nil
	_, err = tokens.Resolve(ctx, grant.AccessToken)
	require.ErrorIs(t, err, ErrInvalidToken)
	grant, err = tokens.Issue(ctx, alice, 0, 0)
	require.NoError(t, err)
	_, err = tokens.Resolve(ctx, grant.AccessToken)
	require.NoError(t, err)
}
