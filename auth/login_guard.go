package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"lateral/auth/kv"
)

// LoginOutcome is how a login ended.
type LoginOutcome int

const (
	// LoginUnjudged: Odoo could not be asked, or did not say.
	LoginUnjudged LoginOutcome = iota
	// LoginFailed: Odoo refuses the login.
	LoginFailed
	// LoginSucceeded: the account's earlier failures are forgotten.
	LoginSucceeded
)

// LoginBlockedError tells that a login is refused without asking Odoo, whatever the password is, and
// after what time it is worth trying again.
type LoginBlockedError struct{ Wait time.Duration }

// Error tells the time.
func (e *LoginBlockedError) Error() string {
	return fmt.Sprintf("logins are refused for another %s after too many failures", e.Wait)
}

// LoginGuard slows down the guessing of passwords: logins that fail delay further ones of the same
// account and from the same address. Of both it keeps hashes only.
type LoginGuard struct {
	limits    LoginLimits
	accounts  kv.Cells
	addresses kv.Cells
	now       func() time.Time
	patience  time.Duration
}

// The cells' sizes of a LoginGuard in memory, in bytes: about 30,000 of each. Accounts and
// addresses do not share them, so that logins that somebody invents push no address out.
const attemptsMemory = 8 << 20

// The polls of a login that waits for others of its account or address to be judged.
const (
	loginPoll     = 25 * time.Millisecond
	loginPatience = 10 * time.Second
)

// NewLoginGuard returns a guard by the clock now. It keeps its counts in r, or in memory where r is nil.
func NewLoginGuard(limits LoginLimits, r *kv.Redis, now func() time.Time) *LoginGuard {
	g := &LoginGuard{limits: limits, now: now, patience: loginPatience}
	if r != nil {
		g.accounts, g.addresses = r.Cells("login"), r.Cells("address")
		return g
	}
	g.accounts, g.addresses = kv.NewRecent(attemptsMemory, now), kv.NewRecent(attemptsMemory, now)
	return g
}

// subject is what a login is counted for.
type subject struct {
	cells kv.Cells
	name  string
	free  int
	// cleared tells that a success makes failures forgotten. It does for accounts alone: whoever
	// has one password could otherwise guess others for ever.
	cleared bool
}

// subjects returns what is counted, the address first: it is what stops a burst over many accounts.
func (g *LoginGuard) subjects(login string, address netip.Addr) []subject {
	var list []subject
	if g.limits.AddressFailures > 0 {
		list = append(list, subject{g.addresses, hashName(network(address)), g.limits.AddressFailures, false})
	}
	if g.limits.AccountFailures > 0 {
		// Spellings that Odoo may take for the same login are not to have counts of their own.
		account := strings.ToLower(strings.TrimSpace(login))
		list = append(list, subject{g.accounts, hashName(account), g.limits.AccountFailures, true})
	}
	return list
}

// network is what stands for an address: itself, but of IPv6 the /64 that one customer has.
func network(address netip.Addr) string {
	address = address.Unmap()
	if !address.Is6() {
		return address.String()
	}
	prefix, err := address.WithZone("").Prefix(64)
	if err != nil {
		return address.String()
	}
	return prefix.String()
}

func hashName(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Begin admits a login, which counts as under way until end is called with its outcome, or refuses it
// with a *LoginBlockedError. Where many logins of an account or address are under way it waits for
// them. Other errors are those of the store.
func (g *LoginGuard) Begin(ctx context.Context, login string, address netip.Addr) (end func(LoginOutcome) error, err error) {
	id := rand.Text()[:13]
	subjects := g.subjects(login, address)
	deadline := time.Now().Add(g.patience)
	for i := 0; i < len(subjects); {
		wait, busy, err := g.begin(ctx, subjects[i], id)
		switch {
		case err == nil && wait == 0 && !busy:
			i++
			continue
		case err == nil && busy && time.Now().Before(deadline):
			if err = pause(ctx, loginPoll); err == nil {
				continue
			}
		case err == nil:
			err = &LoginBlockedError{Wait: max(wait, time.Second)}
		}
		// The store may have taken in what it failed to answer.
		return nil, errors.Join(err, g.end(context.WithoutCancel(ctx), subjects[:i+1], id, LoginUnjudged))
	}
	return func(outcome LoginOutcome) error {
		// A client that gives up early does not keep a failure from being counted.
		return g.end(context.WithoutCancel(ctx), subjects, id, outcome)
	}, nil
}

func (g *LoginGuard) begin(ctx context.Context, s subject, id string) (wait time.Duration, busy bool, err error) {
	err = s.cells.Update(ctx, s.name, func(old []byte) ([]byte, time.Duration) {
		now := g.now()
		a := readAttempts(old, now)
		wait, busy = a.begin(id, s.free, now)
		if wait > 0 || busy {
			return old, 0
		}
		return a.cell(now)
	})
	return wait, busy, err
}

func (g *LoginGuard) end(ctx context.Context, subjects []subject, id string, outcome LoginOutcome) error {
	var failures []error
	for _, s := range subjects {
		failures = append(failures, s.cells.Update(ctx, s.name, func(old []byte) ([]byte, time.Duration) {
			now := g.now()
			a := readAttempts(old, now)
			if _, underWay := a.UnderWay[id]; !underWay && outcome == LoginUnjudged {
				return old, 0
			}
			delete(a.UnderWay, id)
			switch {
			case outcome == LoginFailed:
				a.fail(g.limits, s.free, now)
			case outcome == LoginSucceeded && s.cleared:
				a.forget()
			}
			return a.cell(now)
		}))
	}
	return errors.Join(failures...)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
