package kv

import (
	"bytes"
	"container/list"
	"context"
	"sync"
	"time"
)

// cellOverhead is about what a cell takes besides its name and its value, in bytes.
const cellOverhead = 200

// Memory is Cells in this process, of bounded size.
type Memory struct {
	now   func() time.Time
	limit int // bytes
	room  func(m *Memory, need int) error

	mu    sync.Mutex
	cells map[string]*list.Element
	order *list.List // of *cell, the longest unchanged first
	size  int        // bytes
}

type cell struct {
	name    string
	value   []byte
	expires time.Time
}

func (c *cell) size() int { return cellOverhead + len(c.name) + len(c.value) }

// NewMemory returns Cells of at most limit bytes that expire by the clock now. Where it is full, new
// cells are refused with ErrFull: it forgets nothing before its time.
func NewMemory(limit int, now func() time.Time) *Memory {
	return newMemory(limit, now, (*Memory).refuse)
}

// NewRecent returns Cells of at most limit bytes that expire by the clock now. Where it is full, the
// cells that were not changed for the longest time make room.
func NewRecent(limit int, now func() time.Time) *Memory {
	return newMemory(limit, now, (*Memory).evict)
}

func newMemory(limit int, now func() time.Time, room func(*Memory, int) error) *Memory {
	return &Memory{now: now, limit: limit, room: room, cells: map[string]*list.Element{}, order: list.New()}
}

// Update implements Cells.
func (m *Memory) Update(_ context.Context, name string, change Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	var old []byte
	element := m.cells[name]
	if element != nil && !now.Before(element.Value.(*cell).expires) {
		m.remove(element)
		element = nil
	}
	if element != nil {
		old = element.Value.(*cell).value
	}
	next, lifetime := change(old)
	switch {
	case next == nil:
		if element != nil {
			m.remove(element)
		}
		return nil
	case old != nil && bytes.Equal(old, next):
		return nil
	}
	added := &cell{name: name, value: next, expires: now.Add(lifetime)}
	need := added.size()
	if element != nil {
		// While room is made, the old value is not to be what makes it.
		m.order.MoveToBack(element)
		need -= element.Value.(*cell).size()
	}
	if m.size+need > m.limit {
		if err := m.room(m, need); err != nil {
			return err
		}
	}
	if element != nil {
		m.remove(element)
	}
	m.cells[name] = m.order.PushBack(added)
	m.size += added.size()
	return nil
}

// Size returns the bytes that are held, expired cells included that did not have to make room yet.
func (m *Memory) Size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.size
}

// refuse makes room of expired cells only.
func (m *Memory) refuse(need int) error {
	now := m.now()
	for element := m.order.Front(); element != nil; {
		next := element.Next()
		if !now.Before(element.Value.(*cell).expires) {
			m.remove(element)
		}
		element = next
	}
	if m.size+need > m.limit {
		return ErrFull
	}
	return nil
}

// evict makes room of the cells that were not changed for the longest time.
func (m *Memory) evict(need int) error {
	for m.size+need > m.limit && m.order.Len() > 1 {
		m.remove(m.order.Front())
	}
	return nil
}

func (m *Memory) remove(element *list.Element) {
	c := m.order.Remove(element).(*cell)
	delete(m.cells, c.name)
	m.size -= c.size()
}

var _ Cells = (*Memory)(nil)
