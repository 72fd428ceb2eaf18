package auth

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	memoryShards = 64
	// sweepPerPut is how many entries each Put inspects for expiry. With two, the hand gets round
	// although entries are added before it, so that expired ones cannot pile up.
	sweepPerPut = 2
)

// Memory is a Store in this process: tokens are lost when it ends, and other replicas do not know
// them. It is bounded: where it is full, entries that were not used lately make room. No goroutine
// runs for it.
type Memory struct {
	now    func() time.Time
	shards [memoryShards]memoryShard
}

// memoryShard is a ring of entries with a clock hand that sweeps expired entries and, where there
// is no room, evicts the first that was not used since the hand last passed.
type memoryShard struct {
	mu    sync.RWMutex
	index map[Key]*memoryEntry
	ring  []*memoryEntry
	hand  int
	limit int
}

type memoryEntry struct {
	key     Key
	value   []byte
	expires time.Time // zero: never
	place   int       // in the ring
	used    atomic.Bool
}

// NewMemory returns an empty store of at most about limit entries (one per token), whose entries
// expire by the clock now.
func NewMemory(limit int, now func() time.Time) *Memory {
	m := &Memory{now: now}
	for i := range m.shards {
		m.shards[i].index = map[Key]*memoryEntry{}
		m.shards[i].limit = max(1, (limit+memoryShards-1)/memoryShards)
	}
	return m
}

// Len returns the number of entries, expired ones included that were not swept yet.
func (m *Memory) Len() int {
	total := 0
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.RLock()
		total += len(s.ring)
		s.mu.RUnlock()
	}
	return total
}

func (m *Memory) shard(key Key) *memoryShard { return &m.shards[int(key[0])%memoryShards] }

// Put implements Store.
func (m *Memory) Put(_ context.Context, key Key, value []byte, lifetime time.Duration) error {
	now := m.now()
	entry := &memoryEntry{key: key, value: value}
	if lifetime > 0 {
		entry.expires = now.Add(lifetime)
	}
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.index[key]; old != nil {
		s.remove(old)
	}
	for range sweepPerPut {
		s.sweepOne(now)
	}
	for len(s.ring) >= s.limit {
		s.evictOne(now)
	}
	entry.place = len(s.ring)
	s.ring = append(s.ring, entry)
	s.index[key] = entry
	return nil
}

// Get implements Store.
func (m *Memory) Get(_ context.Context, key Key) ([]byte, error) {
	s := m.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	entry := s.index[key]
	if entry == nil || entry.expired(m.now()) {
		return nil, ErrNotStored
	}
	// Written only where it changes, so that readers of one token do not fight for its cache line.
	if !entry.used.Load() {
		entry.used.Store(true)
	}
	return entry.value, nil
}

// Swap implements Store.
func (m *Memory) Swap(_ context.Context, key Key, value []byte) ([]byte, error) {
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := s.index[key]
	if entry == nil || entry.expired(m.now()) {
		return nil, ErrNotStored
	}
	old := entry.value
	entry.value = value
	entry.used.Store(true)
	return old, nil
}

// Take implements Store.
func (m *Memory) Take(_ context.Context, key Key) ([]byte, error) {
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := s.index[key]
	if entry == nil {
		return nil, ErrNotStored
	}
	s.remove(entry)
	if entry.expired(m.now()) {
		return nil, ErrNotStored
	}
	return entry.value, nil
}

// Delete implements Store.
func (m *Memory) Delete(_ context.Context, key Key) error {
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if entry := s.index[key]; entry != nil {
		s.remove(entry)
	}
	return nil
}

func (e *memoryEntry) expired(now time.Time) bool {
	return !e.expires.IsZero() && !now.Before(e.expires)
}

// sweepOne removes the entry under the hand if it has expired, and else moves the hand on.
func (s *memoryShard) sweepOne(now time.Time) {
	if len(s.ring) == 0 {
		return
	}
	s.hand %= len(s.ring)
	if entry := s.ring[s.hand]; entry.expired(now) {
		s.remove(entry)
		return
	}
	s.hand++
}

// evictOne removes one entry. It ends because the hand clears the marks that it passes.
func (s *memoryShard) evictOne(now time.Time) {
	for {
		s.hand %= len(s.ring)
		entry := s.ring[s.hand]
		if entry.expired(now) || !entry.used.Swap(false) {
			s.remove(entry)
			return
		}
		s.hand++
	}
}

// remove fills the entry's place in the ring with the last entry.
func (s *memoryShard) remove(entry *memoryEntry) {
	delete(s.index, entry.key)
	last := len(s.ring) - 1
	moved := s.ring[last]
	s.ring[entry.place] = moved
	moved.place = entry.place
	s.ring[last] = nil
	s.ring = s.ring[:last]
}

var _ Store = (*Memory)(nil)
