package auth

import (
	"encoding/json"
	"math"
	"slices"
	"time"
)

// LoginLimits say how failed logins slow down further ones. The zero value limits nothing.
type LoginLimits struct {
	// AccountFailures and AddressFailures are how many logins of an account and from an address may
	// fail before they are delayed; 0: they are not counted.
	AccountFailures, AddressFailures int
	// Window is how long after the last failure all of them are forgotten.
	Window time.Duration
	// Delay follows the first failure too many; each further one doubles it, up to MaxDelay.
	Delay, MaxDelay time.Duration
}

// delay is how long logins are refused after a failure, where failures are counted and free may be.
func (l LoginLimits) delay(failures, free int) time.Duration {
	over := failures - free
	if over < 0 {
		return 0
	}
	delay := float64(l.Delay) * math.Pow(2, float64(over))
	if delay >= float64(l.MaxDelay) {
		return l.MaxDelay
	}
	return time.Duration(delay)
}

// underWayLease is after what time a login that did not end is no longer taken to be under way: its
// process has died. It is longer than a login may take.
const underWayLease = 5 * time.Minute

// attempts is what is known of the logins of one account, or from one address. The times are in
// milliseconds since 1970.
type attempts struct {
	Failures int   `json:"n,omitempty"`
	Blocked  int64 `json:"b,omitempty"` // until when logins are refused
	Forget   int64 `json:"f,omitempty"` // when the failures are forgotten
	// UnderWay is when each login that Odoo has not judged yet is given up, by its id. They count
	// like failures, since otherwise all the guesses of one burst would be free.
	UnderWay map[string]int64 `json:"u,omitempty"`
}

// readAttempts reads a cell as of now. What is not readable is nothing.
func readAttempts(cell []byte, now time.Time) attempts {
	var a attempts
	if cell == nil || json.Unmarshal(cell, &a) != nil {
		return attempts{}
	}
	if a.Forget <= now.UnixMilli() {
		a.Failures, a.Blocked, a.Forget = 0, 0, 0
	}
	for id, end := range a.UnderWay {
		if end <= now.UnixMilli() {
			delete(a.UnderWay, id)
		}
	}
	return a
}

// cell writes the attempts, and how long they are worth keeping.
func (a attempts) cell(now time.Time) ([]byte, time.Duration) {
	end := a.Forget
	for _, lease := range a.UnderWay {
		end = max(end, lease)
	}
	if end <= now.UnixMilli() {
		return nil, 0
	}
	text, err := json.Marshal(a)
	if err != nil {
		return nil, 0 // numbers and texts always have a form in JSON
	}
	return text, time.UnixMilli(end).Sub(now)
}

// begin counts a login as under way. Otherwise it returns how long logins are refused, or busy
// where as many are under way as may fail.
func (a *attempts) begin(id string, free int, now time.Time) (wait time.Duration, busy bool) {
	if left := time.UnixMilli(a.Blocked).Sub(now); left > 0 {
		return left, false
	}
	if len(a.UnderWay) >= max(1, free-a.Failures) {
		return 0, true
	}
	if a.UnderWay == nil {
		a.UnderWay = map[string]int64{}
	}
	a.UnderWay[id] = now.Add(underWayLease).UnixMilli()
	return 0, false
}

// fail counts a failure.
func (a *attempts) fail(limits LoginLimits, free int, now time.Time) {
	a.Failures++
	delay := limits.delay(a.Failures, free)
	if delay > 0 {
		a.Blocked = now.Add(delay).UnixMilli()
	}
	a.Forget = now.Add(slices.Max([]time.Duration{limits.Window, delay})).UnixMilli()
}

// forget clears the failures.
func (a *attempts) forget() { a.Failures, a.Blocked, a.Forget = 0, 0, 0 }
