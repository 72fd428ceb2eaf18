package auth

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"lateral/pg"
	"lateral/schema"
)

// DirectoryConfig sets limits of a Directory. Zero values mean the defaults.
type DirectoryConfig struct {
	// MaxAge is how long the policy and a principal are believed while no signal changes, since
	// changes made by SQL signal nothing. Default 10 s.
	MaxAge time.Duration
	// MaxPrincipals bounds the cached principals, by user and allowed companies. Default 10,000.
	MaxPrincipals int
	// MaxViews bounds the cached field views, by user, companies and model. Default 100,000; views
	// that are equal share their memory.
	MaxViews int
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Directory keeps the current policy and the principals of late requests. A reader uses it so:
//
//  1. principal := Principal(…), which costs no query while it is cached;
//  2. access := principal.Access(…) for the models of the request, the plan, the statement;
//  3. one pipeline of the signals' statement and the data's, so both see one snapshot;
//  4. where the signal is another than principal.Stamp(): nothing of the answer may be used.
//     Renew(…, signal), then again from 1, with what the new principal may.
//
// Comparing with the stamp of the principal in use, not with the Directory's, is what makes it safe:
// another request may have renewed the Directory meanwhile.
//
// A permission taken away in Odoo is thus gone in the first read whose snapshot holds the signal.
// Odoo signals after its commit, so that there is a moment in which rights are gone and the signal
// is not there yet; Odoo's own workers have the same moment.
type Directory struct {
	config DirectoryConfig
	views  *viewCache

	state      atomic.Pointer[directoryState]
	principals sync.Map // principalKey → *principalEntry
	count      atomic.Int64
	epoch      atomic.Int64
	evicting   sync.Mutex

	loads  flights[loadKey, *Principal]
	renews flights[renewKey, *directoryState]
}

// directoryState is the policy in force. Its address is its identity: entries checked against
// another one are stale.
type directoryState struct {
	policy    *Policy
	catalogue *schema.Catalogue
	checked   atomic.Pointer[time.Time]
}

type renewKey struct {
	catalogue *schema.Catalogue
	stamp     string
}

type principalKey struct {
	uid       int64
	companies string // the allowed companies, encoded
}

type loadKey struct {
	principal principalKey
	state     *directoryState
}

type principalEntry struct {
	principal *Principal
	state     *directoryState
	checked   time.Time
	// used is set by every look-up and cleared by the eviction's clock hand.
	used atomic.Bool
}

// NewDirectory returns an empty directory.
func NewDirectory(config DirectoryConfig) *Directory {
	if config.MaxAge == 0 {
		config.MaxAge = 10 * time.Second
	}
	if config.MaxPrincipals == 0 {
		config.MaxPrincipals = 10_000
	}
	if config.MaxViews == 0 {
		config.MaxViews = 100_000
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Directory{config: config, views: newViewCache(config.MaxViews)}
}

// Principal returns the principal of a user and the allowed companies of the request, from the cache
// where it is there, was checked within MaxAge and belongs to the current policy and the given
// catalogue. Else it is loaded, once for all who ask meanwhile; one that has not changed, nor what
// its rules looked at, is the same pointer again, or at least has the same Fingerprint and shares
// what was found out for it. A Directory without a policy loads one with the stamp "", so that the
// first comparison of signals has it renewed. Errors are those of LoadPrincipal and LoadPolicy; an
// error never leaves the older principal in use.
func (d *Directory) Principal(ctx context.Context, q pg.Querier, c *schema.Catalogue, uid int64, allowed []int64) (*Principal, error) {
	key := principalKey{uid, encodeIDs(allowed)}
	state, err := d.current(ctx, q, c)
	if err != nil {
		return nil, err
	}
	if p := d.cached(key, state); p != nil {
		return p, nil
	}
	return d.loads.do(ctx, loadKey{key, state}, func() (*Principal, error) {
		if p := d.cached(key, state); p != nil {
			return p, nil
		}
		return d.load(ctx, q, state, key, allowed)
	})
}

// current returns the state in force, loading or checking it where that is due.
func (d *Directory) current(ctx context.Context, q pg.Querier, c *schema.Catalogue) (*directoryState, error) {
	state, stamp := d.state.Load(), ""
	if state != nil && state.catalogue == c {
		if !d.aged(*state.checked.Load()) {
			return state, nil
		}
		stamp = state.policy.Stamp
	}
	return d.renew(ctx, q, c, stamp)
}

func (d *Directory) aged(checked time.Time) bool {
	return d.config.Now().Sub(checked) >= d.config.MaxAge
}

func (d *Directory) cached(key principalKey, state *directoryState) *Principal {
	found, ok := d.principals.Load(key)
	if !ok {
		return nil
	}
	entry := found.(*principalEntry)
	if entry.state != state || d.aged(entry.checked) {
		return nil
	}
	// Written only where it changes, so that requests of one user do not fight for the cache line.
	if !entry.used.Load() {
		entry.used.Store(true)
	}
	return entry.principal
}

// load reads the principal and decides whether what was known of it still holds.
func (d *Directory) load(ctx context.Context, q pg.Querier, state *directoryState, key principalKey, allowed []int64) (*Principal, error) {
	// The age counts from before the reading.
	checked := d.config.Now()
	p, err := LoadPrincipal(ctx, q, state.catalogue, state.policy, key.uid, allowed)
	if err != nil {
		d.forget(key)
		return nil, err
	}
	p.views = d.views
	if err := d.inherit(ctx, q, state, key, p); err != nil {
		d.forget(key)
		return nil, err
	}
	if old, ok := d.principals.Load(key); ok && old.(*principalEntry).principal.memo == p.memo && old.(*principalEntry).state == state {
		p = old.(*principalEntry).principal
	}
	entry := &principalEntry{principal: p, state: state, checked: checked}
	entry.used.Store(true)
	if _, replaced := d.principals.Swap(key, entry); !replaced && d.count.Add(1) > int64(d.config.MaxPrincipals) {
		d.evict()
	}
	return p, nil
}

// inherit lets a freshly read principal go on with the memory of its predecessor, if it is the same
// in every respect; otherwise it gets a fingerprint that no principal had before. The user's and
// the policy's facts alone do not make it the same, because rules may look at other records.
func (d *Directory) inherit(ctx context.Context, q pg.Querier, state *directoryState, key principalKey, p *Principal) error {
	found, ok := d.principals.Load(key)
	if ok {
		old := found.(*principalEntry)
		if old.state.catalogue == state.catalogue && old.principal.digest == p.digest {
			same, err := p.rulesUnchanged(ctx, q, old.principal.memo)
			if err != nil {
				return err
			}
			if same {
				p.Fingerprint, p.memo = old.principal.Fingerprint, old.principal.memo
				return nil
			}
		}
	}
	p.Fingerprint = p.digest + "-" + strconv.FormatInt(d.epoch.Add(1), 10)
	return nil
}

// rulesUnchanged evaluates again the rules that looked at records.
func (p *Principal) rulesUnchanged(ctx context.Context, q pg.Querier, memo *accessMemo) (bool, error) {
	same := true
	var failure error
	memo.results.Range(func(k, value any) bool {
		key, known := k.(accessKey), value.(*accessResult)
		if !known.dependent {
			return true
		}
		e := newEvaluator(ctx, p, key.catalogue, &sqlRecords{q: q, catalogue: key.catalogue}, p.knownViews)
		rule, opaque, err := p.combinedRule(e, key.catalogue, known.access.Model)
		switch {
		case errors.Is(err, errNoViews):
			same = false
		case err != nil:
			failure = fmt.Errorf("rules of user %d on %s: %w", p.UID, key.model, err)
		default:
			same = opaque == known.access.Opaque && reflect.DeepEqual(rule, known.access.Rule)
		}
		return same && failure == nil
	})
	return same && failure == nil, failure
}

var errNoViews = errors.New("field views are not cached")

// knownViews gives views without asking Odoo.
func (p *Principal) knownViews(_ context.Context, m *schema.Model) (map[string]FieldView, error) {
	if views := p.views.get(viewKey{p.viewKey, m.Name}); views != nil {
		return views, nil
	}
	return nil, errNoViews
}

// Renew loads the policy and makes it the one of the given stamp: the cache signal that a reader
// found in its snapshot. Principals are read again when they are next asked for. Callers with one
// stamp share one load. q must see the database at least as of the snapshot with the signal: it is
// the same server, or the primary. Where it fails, the older policy stays, with the older stamp, so
// that no reader can take it for the new one.
func (d *Directory) Renew(ctx context.Context, q pg.Querier, c *schema.Catalogue, stamp string) error {
	_, err := d.renew(ctx, q, c, stamp)
	return err
}

func (d *Directory) renew(ctx context.Context, q pg.Querier, c *schema.Catalogue, stamp string) (*directoryState, error) {
	return d.renews.do(ctx, renewKey{c, stamp}, func() (*directoryState, error) {
		old := d.state.Load()
		if old != nil && (old.catalogue != c || old.policy.Stamp != stamp) {
			old = nil
		}
		if old != nil && !d.aged(*old.checked.Load()) {
			return old, nil
		}
		checked := d.config.Now()
		policy, err := LoadPolicy(ctx, q, c)
		if err != nil {
			return nil, err
		}
		// The same policy under the same stamp: the principals stay good until their own age.
		if old != nil && old.policy.digest == policy.digest {
			old.checked.Store(&checked)
			return old, nil
		}
		policy.Stamp = stamp
		state := &directoryState{policy: policy, catalogue: c}
		state.checked.Store(&checked)
		d.state.Store(state)
		return state, nil
	})
}

// Policy returns the policy in force, nil before the first Renew.
func (d *Directory) Policy() *Policy {
	if state := d.state.Load(); state != nil {
		return state.policy
	}
	return nil
}

// Invalidate forgets the policy and all principals and field views, for use where something is known
// to have changed that no signal tells.
func (d *Directory) Invalidate() {
	d.state.Store(nil)
	d.principals.Range(func(key, _ any) bool {
		d.forget(key.(principalKey))
		return true
	})
	d.views.mu.Lock()
	defer d.views.mu.Unlock()
	d.views.clear()
}

func (d *Directory) forget(key principalKey) {
	if _, was := d.principals.LoadAndDelete(key); was {
		d.count.Add(-1)
	}
}

// evict makes room for a quarter of the limit, so that walking over all entries is rare. Entries not
// used since the last walk go first.
func (d *Directory) evict() {
	if !d.evicting.TryLock() {
		return
	}
	defer d.evicting.Unlock()
	target := int64(d.config.MaxPrincipals) * 3 / 4
	for range 2 {
		d.principals.Range(func(key, found any) bool {
			if !found.(*principalEntry).used.Swap(false) {
				d.forget(key.(principalKey))
			}
			return d.count.Load() > target
		})
		if d.count.Load() <= target {
			return
		}
	}
}

func encodeIDs(ids []int64) string {
	if len(ids) == 0 {
		return ""
	}
	text := make([]byte, 0, 4*len(ids))
	for _, id := range ids {
		text = binary.AppendVarint(text, id)
	}
	return string(text)
}
