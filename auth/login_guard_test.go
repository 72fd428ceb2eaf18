package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	here  = netip.MustParseAddr("192.0.2.1")
	there = netip.MustParseAddr("192.0.2.2")
)

var testLimits = LoginLimits{
	AccountFailures: 3, AddressFailures: 8, Window: 10 * time.Minute, Delay: time.Second, MaxDelay: 20 * time.Second,
}

// try makes one login, and returns how long it is refused, 0 where it is not.
func try(t *testing.T, g *LoginGuard, login string, from netip.Addr, outcome LoginOutcome) time.Duration {
	t.Helper()
	end, err := g.Begin(context.Background(), login, from)
	var blocked *LoginBlockedError
	if errors.As(err, &blocked) {
		return blocked.Wait
	}
	require.NoError(t, err)
	require.NoError(t, end(outcome))
	return 0
}

// Ensure that failures of an account delay its logins more and more, from anywhere and with any
// password, up to a bound, and that others are not concerned.
func TestLoginGuardAccount(t *testing.T) {
	t.Parallel()
	c := newClock()
	g := NewLoginGuard(testLimits, nil, c.Now)
	for range 3 {
		require.Zero(t, try(t, g, "alice", here, LoginFailed))
	}
	for _, delay := range []time.Duration{1, 2, 4, 8, 16, 20, 20} {
		require.Equal(t, delay*time.Second, try(t, g, "alice", here, LoginSucceeded), "the right password does not help")
		require.Equal(t, delay*time.Second, try(t, g, " ALICE", there, LoginSucceeded))
		c.Advance(delay*time.Second - time.Millisecond)
		require.NotZero(t, try(t, g, "alice", there, LoginSucceeded))
		c.Advance(time.Millisecond)
		require.Zero(t, try(t, g, "alice", netip.MustParseAddr(fmt.Sprintf("198.51.100.%d", delay)), LoginFailed))
		require.Zero(t, try(t, g, "bob", here, LoginSucceeded))
	}
	c.Advance(20 * time.Second)
	require.Zero(t, try(t, g, "alice", there, LoginSucceeded))
	for range 3 {
		require.Zero(t, try(t, g, "alice", there, LoginFailed), "a success is a new start")
	}
	require.NotZero(t, try(t, g, "alice", there, LoginFailed))
}

// Ensure that guessing over many accounts is stopped by the address, and that a good account there
// is no way around it.
func TestLoginGuardAddress(t *testing.T) {
	t.Parallel()
	c := newClock()
	g := NewLoginGuard(testLimits, nil, c.Now)
	for i := range 8 {
		require.Zero(t, try(t, g, fmt.Sprint("user", i), here, LoginFailed))
		if i < 7 {
			require.Zero(t, try(t, g, "mallory", here, LoginSucceeded))
		}
	}
	require.Equal(t, time.Second, try(t, g, "another", here, LoginSucceeded))
	require.Zero(t, try(t, g, "another", there, LoginSucceeded))
	c.Advance(time.Second)
	require.Zero(t, try(t, g, "another", here, LoginSucceeded), "the address is delayed, not locked out")
	c.Advance(testLimits.Window)
	for i := range 8 {
		require.Zero(t, try(t, g, fmt.Sprint("user", i), here, LoginFailed), "the window is over")
	}
}

// Ensure that logins that Odoo did not judge count for nothing.
func TestLoginGuardUnjudged(t *testing.T) {
	t.Parallel()
	g := NewLoginGuard(testLimits, nil, newClock().Now)
	for range 100 {
		require.Zero(t, try(t, g, "alice", here, LoginUnjudged))
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1",
		"2001:db8:1:2:3::4": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		require.Equal(t, want, network(netip.MustParseAddr(address)))
	}
}

// Ensure that a burst of guesses gets no further than guesses one after the other, while any
// number of right logins at once all pass.
func TestLoginGuardBurst(t *testing.T) {
	t.Parallel()
	burst := func(t *testing.T, outcome LoginOutcome) (asked, refused int64) {
		synctest.Test(t, func(t *testing.T) {
			g := NewLoginGuard(testLimits, nil, time.Now)
			var group sync.WaitGroup
			var judged, blocked atomic.Int64
			for range 200 {
				group.Go(func() {
					end, err := g.Begin(t.Context(), "alice", here)
					var refusal *LoginBlockedError
					switch {
					case errors.As(err, &refusal):
						blocked.Add(1)
						return
					case err != nil:
						t.Error(err)
						return
					}
					judged.Add(1)
					time.Sleep(100 * time.Millisecond) // Odoo thinks
					if err := end(outcome); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			asked, refused = judged.Load(), blocked.Load()
		})
		return asked, refused
	}
	asked, refused := burst(t, LoginFailed)
	require.Equal(t, int64(3), asked)
	require.Equal(t, int64(197), refused)
	asked, refused = burst(t, LoginSucceeded)
	require.Equal(t, int64(200), asked)
	require.Zero(t, refused)
}
