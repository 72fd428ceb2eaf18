package integration

import (
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// soakModel is a database of orders that does one thing after the other, for histories that are sound.
type soakModel struct {
	random *rand.Rand
	orders map[int64]soakOrder
	stamp  int64
}

func copyOrder(o soakOrder) soakOrder {
	o.lines = maps.Clone(o.lines)
	return o
}

// transfer moves a line and some of its value between two orders, and returns them as they then are.
func (m *soakModel) transfer(a, b int64) []soakOrder {
	from, to := copyOrder(m.orders[a]), copyOrder(m.orders[b])
	if len(from.lines) == 1 {
		from, to = to, from
	}
	m.stamp++
	for line, value := range from.lines {
		by := m.random.Int64N(10)
		delete(from.lines, line)
		to.lines[line] = value + by
		from.total, to.total = from.total-value, to.total+value+by
		break
	}
	from.stamp, to.stamp = m.stamp, m.stamp
	return []soakOrder{from, to}
}

// soundHistory is a history of n events of five clients: three writers, one of which also increments, and
// two readers. Each is done at an instant between its begin and its end, and they overlap.
func soundHistory(random *rand.Rand, n int) *soakHistory {
	m := &soakModel{random: random, orders: map[int64]soakOrder{}}
	h := &soakHistory{owner: map[int64]int{}}
	for id := int64(1); id <= 6; id++ {
		o := soakOrder{id: id, total: 20, lines: map[int64]int64{id * 10: 5, id*10 + 1: 15}}
		m.orders[id], h.owner[id] = o, int(id-1)/2
		h.start = append(h.start, copyOrder(o))
	}
	for i := range n {
		at := time.Duration(i+3) * 10
		began, ended := at-time.Duration(random.IntN(24)), at+time.Duration(random.IntN(24))
		switch client := i % 5; {
		case client == 0 && random.IntN(2) == 0:
			o := m.orders[random.Int64N(6)+1]
			refused := random.IntN(4) == 0
			if !refused {
				o.count++
				m.orders[o.id] = o
			}
			h.bumps = append(h.bumps, soakBump{order: o.id, began: began, ended: ended, refused: refused, result: o.count})
		case client < 3:
			w := soakWrite{writer: client, began: began, ended: ended, refused: random.IntN(8) == 0}
			w.orders = m.transfer(int64(client*2+1), int64(client*2+2))
			for _, o := range w.orders {
				if !w.refused {
					m.orders[o.id] = copyOrder(o)
				}
			}
			h.writes = append(h.writes, w)
		default:
			h.reads = append(h.reads, m.read("reader", began, ended))
		}
	}
	last := m.read("in the end", time.Duration(n+9)*10, time.Duration(n+9)*10+1)
	last.final = true
	h.reads = append(h.reads, last)
	return h
}

func (m *soakModel) read(by string, began, ended time.Duration) soakRead {
	r := soakRead{by: by, writer: -1, began: began, ended: ended}
	for id := int64(1); id <= 6; id++ {
		o := copyOrder(m.orders[id])
		r.orders = append(r.orders, &o)
	}
	return r
}

// Ensure that sound histories pass, and that each fault that is planted in one is found and named.
func TestSoakCheckerNamesWhatIsPlanted(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		if faults := soundHistory(random, 500).check(); len(faults) > 0 {
			t.Fatalf("a sound history: %v", faults[0])
		}
	}
	// settled returns the history's last write that the last read shows, and this read.
	settled := func(h *soakHistory) (*soakWrite, *soakRead) {
		for i := len(h.writes) - 1; ; i-- {
			if !h.writes[i].refused {
				return &h.writes[i], &h.reads[len(h.reads)-1]
			}
		}
	}
	before := func(h *soakHistory, w *soakWrite, order int64) *soakOrder {
		found := &h.start[order-1]
		for i := range h.writes {
			for j := range h.writes[i].orders {
				if o := &h.writes[i].orders[j]; &h.writes[i] != w && !h.writes[i].refused && o.id == order {
					found = o
				}
			}
		}
		old := copyOrder(*found)
		return &old
	}
	show := func(r *soakRead, o *soakOrder) {
		o.count = r.orders[o.id-1].count
		r.orders[o.id-1] = o
	}
	for name, plant := range map[string]struct {
		kind, says string
		in         func(h *soakHistory)
	}{
		"a header of one write with the lines of another": {tornRead, "its total is", func(h *soakHistory) {
			w, r := settled(h)
			mixed := copyOrder(*r.orders[w.orders[0].id-1])
			mixed.lines = before(h, w, mixed.id).lines
			show(r, &mixed)
		}},
		"lines of another write that have the same sum": {tornRead, "is not as write", func(h *soakHistory) {
			_, r := settled(h)
			mixed := copyOrder(*r.orders[0])
			mixed.lines = map[int64]int64{999: mixed.total}
			show(r, &mixed)
		}},
		"two orders of one write, one from before it": {tornRead, "another as before its write", func(h *soakHistory) {
			w, r := settled(h)
			show(r, before(h, w, w.orders[0].id))
		}},
		"a line in two orders": {tornRead, "is in the orders", func(h *soakHistory) {
			_, r := settled(h)
			twice := copyOrder(*r.orders[0])
			for line := range r.orders[0].lines {
				twice = copyOrder(*r.orders[1])
				twice.lines[line] = 0
			}
			h.start = append(h.start, soakOrder{id: 7, lines: twice.lines, total: twice.total})
			h.owner[7] = 9
			r.orders = append(r.orders, &h.start[6])
		}},
		"a write without an older one of another client": {tornRead, "from before it", func(h *soakHistory) {
			// A read that overlaps both shows the younger one alone.
			w, last := settled(h)
			end := last.ended + 100
			other := (w.writer + 1) % 3
			younger := soakWrite{writer: other, began: end, ended: end + 1}
			for _, o := range []*soakOrder{last.orders[other*2], last.orders[other*2+1]} {
				after := copyOrder(*o)
				after.stamp = 1_000_000
				younger.orders = append(younger.orders, after)
			}
			h.writes = append(h.writes, younger)
			r := soakRead{by: "reader", writer: -1, began: w.began, ended: end + 2}
			for i := range w.orders {
				r.orders = append(r.orders, before(h, w, w.orders[i].id))
			}
			for i := range younger.orders {
				r.orders = append(r.orders, &younger.orders[i])
			}
			for _, o := range r.orders {
				o.count = last.orders[o.id-1].count
			}
			last.final = false
			h.reads = append(h.reads, r)
		}},
		"an answer from before an answered write": {staleRead, "which had been answered", func(h *soakHistory) {
			w, r := settled(h)
			r.final = false
			for _, o := range w.orders {
				show(r, before(h, w, o.id))
			}
		}},
		"an answer older than one's own write": {staleRead, "own write", func(h *soakHistory) {
			w, r := settled(h)
			r.final, r.writer = false, w.writer
			for _, o := range w.orders {
				show(r, before(h, w, o.id))
			}
		}},
		"an answer older than an earlier one": {staleRead, "an earlier read had shown", func(h *soakHistory) {
			w, last := settled(h)
			w.ended = last.ended + 100 // its answer is on its way, and both readers are before it
			last.final = false
			old := soakRead{by: "reader", writer: -1, began: last.ended + 1, ended: last.ended + 2}
			for _, o := range w.orders {
				seen := before(h, w, o.id)
				seen.count = last.orders[o.id-1].count
				old.orders = append(old.orders, seen)
			}
			h.reads = append(h.reads, old)
		}},
		"a count older than an increment": {staleRead, "had been made", func(h *soakHistory) {
			_, r := settled(h)
			r.final = false
			r.orders[0].count--
		}},
		"a write that is gone": {lostUpdate, "is gone", func(h *soakHistory) {
			w, r := settled(h)
			for _, o := range w.orders {
				show(r, before(h, w, o.id))
			}
		}},
		"an increment that is gone": {lostUpdate, "increments", func(h *soakHistory) {
			_, r := settled(h)
			r.orders[0].count--
		}},
		"two increments of the same count": {lostUpdate, "have both made it", func(h *soakHistory) {
			b := h.bumps[len(h.bumps)-1]
			b.refused = false
			h.bumps = append(h.bumps, b, b)
		}},
		"an increment that has run twice": {phantomRead, "had been asked for", func(h *soakHistory) {
			_, r := settled(h)
			r.orders[0].count++
		}},
		"what was refused": {phantomRead, "was refused", func(h *soakHistory) {
			w, _ := settled(h)
			w.refused = true
		}},
		"what nobody wrote": {phantomRead, "that there was not", func(h *soakHistory) {
			_, r := settled(h)
			r.orders[0].stamp = 999_999
		}},
		"a write before it was sent": {phantomRead, "before it was sent", func(h *soakHistory) {
			w, r := settled(h)
			w.began, w.ended = r.ended+1, r.ended+2
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := soundHistory(random, 500)
			plant.in(h)
			for _, fault := range h.check() {
				if fault.kind == plant.kind && strings.Contains(fault.text, plant.says) {
					return
				}
			}
			t.Errorf("not found as %s that says %q: %v", plant.kind, plant.says, h.check())
		})
	}
}
