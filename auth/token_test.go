package auth

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.UnixMilli(1_700_000_000_000)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

var alice = Credentials{UID: 2, Login: "alice@example.com", Secret: "correct horse"}

func newTestTokens() (*Tokens, *Memory, *clock) {
	c := newClock()
	m := NewMemory(1000, c.Now)
	return NewTokens(m, RandomSecret(), c.Now), m, c
}

func TestTokensResolve(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	tokens, _, clock := newTestTokens()
	grant, err := tokens.Issue(ctx, alice, 10*time.Minute, 2*time.Hour)
	require.NoError(t, err)
	require.Regexp(t, `^[0-9a-f]{40}$`, grant.AccessToken)
	require.Regexp(t, `^[0-9a-f]{40}$`, grant.RefreshToken)
	require.Equal(t, int64(600), grant.ExpiresIn)
	require.Equal(t, int64(7200), grant.RefreshExpiresIn)

	who, err := tokens.Resolve(ctx, grant.AccessToken)
	require.NoError(t, err)
	require.Equal(t, alice.Secret, who.Secret)
	require.Equal(t, alice.UID, who.UID)
	require.Equal(t, alice.Login, who.Login)

	clock.Advance(10*time.Minute - time.Millisecond)
	_, err = tokens.Resolve(ctx, grant.AccessToken)
	require.NoError(t, err)
	clock.Advance(time.Millisecond)
	_, err = tokens.Resolve(ctx, grant.AccessToken)
	require.ErrorIs(t, err, ErrInvalidToken)
}

// Ensure that nothing but the very token opens anything.
func TestTokensForged(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	tokens, _, _ := newTestTokens()
	grant, err := tokens.Issue(ctx, alice, 0, 0)
	require.NoError(t, err)
	flipped := []byte(grant.AccessToken)
	flipped[39] = "01"[btoi(flipped[39] == '1')]
	for name, token := range map[string]string{
		"empty": "", "truncated": grant.AccessToken[:39], "longer": grant.AccessToken + "0",
		"upper case": strings.ToUpper("abcdef" + grant.AccessToken[6:]), "flipped": string(flipped),
		"foreign": newToken(), "the refresh token": grant.RefreshToken, "the store's key": storeKey(accessToken, grant.AccessToken).String(),
		"blank": " " + grant.AccessToken[1:], "not hexadecimal": "g" + grant.AccessToken[1:],
	} {
		_, err := tokens.Resolve(ctx, token)
		require.ErrorIs(t, err, ErrInvalidToken, name)
	}
	_, _, err = tokens.Refresh(ctx, grant.AccessToken, time.Minute)
	require.ErrorIs(t, err, ErrInvalidToken)
	require.NoError(t, tokens.Revoke(ctx, grant.AccessToken))
	_, err = tokens.Resolve(ctx, grant.AccessToken)
	require.NoError(t, err, "an access token revokes nothing")
}

func btoi(b bool) int {
	if b {
		return 0
	}
	return 1
}

// Ensure that an entry moved under another token's name does not open, as whoever can write to
// the store might try.
func TestTokensTransplanted(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	tokens, store, _ := newTestTokens()
	mine, err := tokens.Issue(ctx, Credentials{UID: 9}, 0, 0)
	require.NoError(t, err)
	theirs, err := tokens.Issue(ctx, alice, 0, 0)
	require.NoError(t, err)
	sealed, err := store.Get(ctx, storeKey(accessToken, theirs.AccessToken))
	require.NoError(t, err)
	require.NoError(t, store.Put(ctx, storeKey(accessToken, mine.AccessToken), sealed, 0))
	_, err = tokens.Resolve(ctx, mine.AccessToken)
	require.ErrorIs(t, err, ErrInvalidToken)

	for _, broken := range [][]byte{nil, {}, sealed[:5], append([]byte{1}, sealed...)} {
		require.NoError(t, store.Put(ctx, storeKey(accessToken, mine.AccessToken), broken, 0))
		_, err = tokens.Resolve(ctx, mine.AccessToken)
		require.ErrorIs(t, err, ErrInvalidToken)
		require.NoError(t, store.Put(ctx, storeKey(refreshToken, mine.RefreshToken), broken, 0))
		_, _, err = tokens.Refresh(ctx, mine.RefreshToken, 0)
		require.ErrorIs(t, err, ErrInvalidToken)
	}
}

// Ensure that the store holds neither tokens nor secrets.
func TestTokensAtRest(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	tokens, store, _ := newTestTokens()
	grant, err := tokens.Issue(ctx, alice, 0, 0)
	require.NoError(t, err)
	for i := range store.shards {
		for _, entry := range store.shards[i].ring {
			for _, secret := range []string{alice.Secret, alice.Login, grant.AccessToken, grant.RefreshToken} {
				require.False(t, bytes.Contains(entry.value, []byte(secret)))
				require.False(t, bytes.Contains(entry.key[:], []byte(secret)))
			}
		}
	}
}

func TestTokensLifetimes(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, test := range []struct{ access, refresh, wantAccess, wantRefresh time.Duration }{
		{time.Minute, time.Hour, time.Minute, time.Hour},
		{time.Hour, time.Minute, time.Hour, time.Hour},
		{0, time.Minute, 0, 0},
		{time.Minute, 0, time.Minute, 0},
		{0, 0, 0, 0},
	} {
		tokens, _, clock := newTestTokens()
		grant, err := tokens.Issue(ctx, alice, test.access, test.refresh)
		require.NoError(t, err)
		require.Equal(t, int64(test.wantAccess.Seconds()), grant.ExpiresIn)
		require.Equal(t, int64(test.wantRefresh.Seconds()), grant.RefreshExpiresIn)
		if test.wantAccess == 0 {
			clock.Advance(100 * 365 * 24 * time.Hour)
			_, err := tokens.Resolve(ctx, grant.AccessToken)
			require.NoError(t, err)
		}
	}
	tokens, _, _ := newTestTokens()
	_, err := tokens.Issue(ctx, alice, -1, 0)
	require.Error(t, err)
	_, _, err = tokens.Refresh(ctx, newToken(), -1)
	require.Error(t, err)
}

func TestTokensRefreshAndRevoke(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	tokens, _, clock := newTestTokens()
	grant, err := tokens.Issue(ctx, alice, time.Minute, time.Hour)
	require.NoError(t, err)
	other, err := tokens.Issue(ctx, alice, time.Minute, time.Hour)
	require.NoError(t, err)

	clock.Advance(2 * time.Minute) // the access token has expired, the refresh token has not
	bearer, expires, err := tokens.Refresh(ctx, grant.RefreshToken, 5*time.Minute)
	require.NoError(t, err)
	require.Equal(t, int64(300), expires)
	who, err := tokens.Resolve(ctx, bearer)
	require.NoError(t, err)
	require.Equal(t, alice.Secret, who.Secret)

	second, _, err := tokens.Refresh(ctx, grant.RefreshToken, 5*time.Minute)
	require.NoError(t, err)
	_, err = tokens.Resolve(ctx, bearer)
	require.ErrorIs(t, err, ErrInvalidToken, "the replaced token is revoked at once")

	require.NoError(t, tokens.Revoke(ctx, grant.RefreshToken))
	_, err = tokens.Resolve(ctx, second)
	require.ErrorIs(t, err, ErrInvalidToken)
	_, _, err = tokens.Refresh(ctx, grant.RefreshToken, time.Minute)
	require.ErrorIs(t, err, ErrInvalidToken)
	require.NoError(t, tokens.Revoke(ctx, grant.RefreshToken))
	require.NoError(t, tokens.Revoke(ctx, "nonsense"))

	_, _, err = tokens.Refresh(ctx, other.RefreshToken, time.Minute)
	require.NoError(t, err, "other logins stay")
	clock.Advance(58 * time.Minute)
	_, _, err = tokens.Refresh(ctx, other.RefreshToken, time.Minute)
	require.ErrorIs(t, err, ErrInvalidToken, "refreshing does not extend the refresh token")
}

// Ensure that of racing refreshes one access token stays, and that none survives a revocation.
func TestTokensRace(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for range 50 {
		tokens, store, _ := newTestTokens()
		grant, err := tokens.Issue(ctx, alice, time.Minute, time.Hour)
		require.NoError(t, err)
		bearers := refreshAtOnce(t, tokens, grant.RefreshToken, 8, nil)
		require.Len(t, valid(ctx, tokens, append(bearers, grant.AccessToken)), 1)
		require.Equal(t, 2, store.Len())

		bearers = append(bearers, refreshAtOnce(t, tokens, grant.RefreshToken, 8, func() {
			_ = tokens.Revoke(ctx, grant.RefreshToken)
		})...)
		require.Empty(t, valid(ctx, tokens, bearers))
		require.Zero(t, store.Len())
	}
}

func refreshAtOnce(t *testing.T, tokens *Tokens, refresh string, times int, meanwhile func()) []string {
	var group sync.WaitGroup
	var mu sync.Mutex
	var bearers []string
	for range times {
		group.Go(func() {
			bearer, _, err := tokens.Refresh(context.Background(), refresh, time.Minute)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				bearers = append(bearers, bearer)
			} else if !errors.Is(err, ErrInvalidToken) {
				t.Error(err)
			}
		})
	}
	if meanwhile != nil {
		group.Go(meanwhile)
	}
	group.Wait()
	return bearers
}

func valid(ctx context.Context, tokens *Tokens, bearers []string) []string {
	var found []string
	for _, bearer := range bearers {
		if _, err := tokens.Resolve(ctx, bearer); err == nil {
			found = append(found, bearer)
		}
	}
	return found
}

// brokenStore fails as an unreachable Redis does.
type brokenStore struct{ Store }

var errBroken = errors.New("no connection")

func (brokenStore) Get(context.Context, Key) ([]byte, error)  { return nil, errBroken }
func (brokenStore) Take(context.Context, Key) ([]byte, error) { return nil, errBroken }

// Ensure that an outage of the store is not mistaken for an invalid token.
func TestTokensOutage(t *testing.T) {
	t.Parallel()
	tokens := NewTokens(brokenStore{}, RandomSecret(), time.Now)
	_, err := tokens.Resolve(context.Background(), newToken())
	require.ErrorIs(t, err, errBroken)
	require.NotErrorIs(t, err, ErrInvalidToken)
	_, _, err = tokens.Refresh(context.Background(), newToken(), 0)
	require.ErrorIs(t, err, errBroken)
	require.ErrorIs(t, tokens.Revoke(context.Background(), newToken()), errBroken)
}

func TestDeriveKeyIsHMAC(t *testing.T) {
	t.Parallel()
	for range 20 {
		token, secret := newToken(), sealKey(sha256.Sum256([]byte(newToken())))
		mac := hmac.New(sha256.New, secret[:])
		mac.Write([]byte(string(refreshToken) + "\x00" + token))
		got := deriveKey(secret, refreshToken, token)
		require.Equal(t, mac.Sum(nil), got[:])
	}
}

func TestCredentialsHideTheSecret(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		require.NotContains(t, fmt.Sprintf(verb, alice), "horse", verb)
		require.NotContains(t, fmt.Sprintf(verb, &alice), "horse", verb)
		require.NotContains(t, fmt.Sprintf(verb, []any{alice, struct{ C Credentials }{alice}}), "horse", verb)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "who", alice, "in", map[string]any{"c": alice})
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "who", alice, "in", []any{alice})
	require.NotContains(t, log.String(), "horse")
}

func BenchmarkResolve(b *testing.B) {
	tokens := NewTokens(NewMemory(1000, time.Now), RandomSecret(), time.Now)
	grant, err := tokens.Issue(context.Background(), alice, time.Hour, time.Hour)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tokens.Resolve(context.Background(), grant.AccessToken); err != nil {
			b.Fatal(err)
		}
	}
}

// Ensure a token's user is known by the token's name and end, and that its name is told when it is
// revoked: by a refresh, and with its refresh token.
func TestTokenName(t *testing.T) {
	ctx := context.Background()
	now := time.Unix(1_000_000, 0)
	tokens := NewTokens(NewMemory(1000, func() time.Time { return now }), RandomSecret(), func() time.Time { return now })
	told := map[Key]bool{}
	tokens.OnRevoke(func(access Key) { told[access] = true })
	grant, err := tokens.Issue(ctx, alice, time.Minute, time.Hour)
	require.NoError(t, err)
	who, err := tokens.Resolve(ctx, grant.AccessToken)
	require.NoError(t, err)
	require.NotEqual(t, Key{}, who.Token)
	require.True(t, who.Expires.Equal(now.Add(time.Minute)))
	require.Empty(t, told)
	renewed, _, err := tokens.Refresh(ctx, grant.RefreshToken, 0)
	require.NoError(t, err)
	require.True(t, told[who.Token])
	again, err := tokens.Resolve(ctx, renewed)
	require.NoError(t, err)
	require.NotEqual(t, who.Token, again.Token)
	require.True(t, again.Expires.IsZero())
	require.NoError(t, tokens.Revoke(ctx, grant.RefreshToken))
	require.True(t, told[again.Token])
}
