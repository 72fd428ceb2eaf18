package integration

import (
	"fmt"
	"slices"
	"sort"
	"time"
)

// soakOrder is one order as somebody wrote or read it. Its total is the sum of its lines.
type soakOrder struct {
	id    int64
	stamp int64 // of the last write, 0 at the start
	total int64
	count int64 // of the increments
	lines map[int64]int64
}

// soakWrite is one request that changed orders of one writer, in one transaction. No two writers
// share an order, and each makes one request after the other.
type soakWrite struct {
	writer       int
	began, ended time.Duration
	refused      bool        // and so nothing was to change
	orders       []soakOrder // what it left, but for count
}

// soakBump is one request that made Odoo read an order's count and write the next.
type soakBump struct {
	order        int64
	began, ended time.Duration
	refused      bool
	result       int64 // the count that it wrote
}

// soakRead is one answer.
type soakRead struct {
	by           string // who asked for what
	writer       int    // whose client it was, -1: nobody's
	final        bool   // after everything
	began, ended time.Duration
	orders       []*soakOrder // those that are equal may be the same
}

// soakHistory is what clients of one service sent and got, by one clock.
type soakHistory struct {
	start  []soakOrder
	owner  map[int64]int // writer by order
	writes []soakWrite
	bumps  []soakBump
	reads  []soakRead
}

// The kinds of faults of a history.
const (
	tornRead    = "torn read"    // what it shows was never there at one instant
	staleRead   = "stale read"   // it shows less than was done before it began
	lostUpdate  = "lost update"  // what was done is not there in the end, or was built on what was no longer there
	phantomRead = "phantom read" // it shows what was never written, or not yet
)

// soakFault is one thing in a history that cannot be.
type soakFault struct{ kind, text string }

// check returns what is wrong with a history: whether there is an order of all its writes that agrees
// with the clock and in which every read shows all orders as of one instant between its begin and its
// end.
func (h *soakHistory) check() []soakFault {
	c := newSoakChecker(h)
	c.bumps()
	views := make([]soakView, len(h.reads))
	for i := range h.reads {
		views[i] = c.view(&h.reads[i])
	}
	c.neverBack(views)
	return c.faults
}

// soakPlace says which of its writer's writes an order's state is from: 0 is the start.
type soakPlace struct {
	from, until int // the first and the last write after which it is there
	state       *soakOrder
}

type soakKey struct{ order, stamp int64 }

type soakChecker struct {
	h       *soakHistory
	done    map[int][]*soakWrite // by writer, in time
	places  map[soakKey]soakPlace
	refused map[soakKey]bool
	acked   map[int64][]time.Duration // by order, when increments had been made
	sent    map[int64][]time.Duration // and when they were asked for
	sound   map[*soakOrder]bool
	faults  []soakFault
}

func newSoakChecker(h *soakHistory) *soakChecker {
	c := &soakChecker{
		h: h, done: map[int][]*soakWrite{}, places: map[soakKey]soakPlace{}, refused: map[soakKey]bool{},
		acked: map[int64][]time.Duration{}, sent: map[int64][]time.Duration{}, sound: map[*soakOrder]bool{},
	}
	writes := make([]*soakWrite, len(h.writes))
	for i := range h.writes {
		writes[i] = &h.writes[i]
	}
	sort.Slice(writes, func(i, j int) bool { return writes[i].began < writes[j].began })
	last := map[int64]soakKey{}
	for i := range h.start {
		key := soakKey{h.start[i].id, h.start[i].stamp}
		c.places[key], last[key.order] = soakPlace{state: &h.start[i]}, key
	}
	for _, w := range writes {
		if !w.refused {
			c.done[w.writer] = append(c.done[w.writer], w)
		}
		for i := range w.orders {
			key := soakKey{w.orders[i].id, w.orders[i].stamp}
			if w.refused {
				c.refused[key] = true
				continue
			}
			n := len(c.done[w.writer])
			before := c.places[last[key.order]]
			before.until = n - 1
			c.places[last[key.order]] = before
			c.places[key], last[key.order] = soakPlace{from: n, state: &w.orders[i]}, key
		}
	}
	for order, key := range last {
		place := c.places[key]
		place.until = len(c.done[h.owner[order]])
		c.places[key] = place
	}
	for _, b := range h.bumps {
		if !b.refused {
			c.acked[b.order] = append(c.acked[b.order], b.ended)
			c.sent[b.order] = append(c.sent[b.order], b.began)
		}
	}
	for order := range c.acked {
		slices.Sort(c.acked[order])
		slices.Sort(c.sent[order])
	}
	return c
}

func (c *soakChecker) fault(kind, format string, args ...any) {
	c.faults = append(c.faults, soakFault{kind, fmt.Sprintf(format, args...)})
}

// bumps checks that every increment was built on the one before.
func (c *soakChecker) bumps() {
	seen := map[soakKey]bool{}
	for _, b := range c.h.bumps {
		key := soakKey{b.order, b.result}
		if !b.refused && seen[key] {
			c.fault(lostUpdate, "two increments of order %d have both made it %d", b.order, b.result)
		}
		seen[key] = seen[key] || !b.refused
	}
}

// soakSpan bounds the number of a writer's writes that a read shows.
type soakSpan struct{ from, until int }

// soakView is what a read shows.
type soakView struct {
	read   *soakRead
	spans  map[int]soakSpan // by writer
	counts map[int64]int64  // by order
}

// view checks a read by itself and against the writes.
func (c *soakChecker) view(r *soakRead) soakView {
	v := soakView{read: r, spans: map[int]soakSpan{}, counts: map[int64]int64{}}
	lines := map[int64]int64{}
	for _, o := range r.orders {
		if !c.isSound(r, o) {
			continue
		}
		for line := range o.lines {
			if other, twice := lines[line]; twice {
				c.fault(tornRead, "%s: line %d is in the orders %d and %d", r.by, line, other, o.id)
			}
			lines[line] = o.id
		}
		c.count(r, o)
		v.counts[o.id] = o.count
		place, writer := c.places[soakKey{o.id, o.stamp}], c.h.owner[o.id]
		span, seen := v.spans[writer]
		if !seen {
			span = soakSpan{0, len(c.done[writer])}
		}
		v.spans[writer] = soakSpan{max(span.from, place.from), min(span.until, place.until)}
	}
	for writer, span := range v.spans {
		c.span(r, writer, span)
		if span.from > 0 {
			c.together(v, c.done[writer][span.from-1])
		}
	}
	return v
}

// isSound checks one order by itself: it must be what one write left.
func (c *soakChecker) isSound(r *soakRead, o *soakOrder) bool {
	if c.sound[o] {
		return true
	}
	sum := int64(0)
	for _, value := range o.lines {
		sum += value
	}
	key := soakKey{o.id, o.stamp}
	place, written := c.places[key]
	switch {
	case sum != o.total:
		c.fault(tornRead, "%s: the lines of order %d are %d together, its total is %d", r.by, o.id, sum, o.total)
	case c.refused[key]:
		c.fault(phantomRead, "%s: order %d is as write %d would have left it, which was refused", r.by, o.id, o.stamp)
	case !written:
		c.fault(phantomRead, "%s: order %d is of a write %d that there was not", r.by, o.id, o.stamp)
	case o.total != place.state.total || !sameLines(o.lines, place.state.lines):
		c.fault(tornRead, "%s: order %d is not as write %d left it: %v and not %v", r.by, o.id, o.stamp, o.lines, place.state.lines)
	default:
		c.sound[o] = true
	}
	return c.sound[o]
}

func sameLines(a, b map[int64]int64) bool {
	if len(a) != len(b) {
		return false
	}
	for line, value := range a {
		if other, ok := b[line]; !ok || other != value {
			return false
		}
	}
	return true
}

// count checks an order's count against the increments that the read must and may show.
func (c *soakChecker) count(r *soakRead, o *soakOrder) {
	least, most := upTo(c.acked[o.id], r.began), upTo(c.sent[o.id], r.ended)
	switch {
	case o.count < least && r.final:
		c.fault(lostUpdate, "%s: order %d counts %d after %d increments", r.by, o.id, o.count, least)
	case o.count < least:
		c.fault(staleRead, "%s: order %d counts %d, and %d increments had been made", r.by, o.id, o.count, least)
	case o.count > most:
		c.fault(phantomRead, "%s: order %d counts %d, and only %d increments had been asked for", r.by, o.id, o.count, most)
	}
}

// upTo returns how many of the times, which are sorted, are not after t.
func upTo(times []time.Duration, t time.Duration) int64 {
	return int64(sort.Search(len(times), func(i int) bool { return times[i] > t }))
}

// span checks that the orders of one writer are of one instant, and of which.
func (c *soakChecker) span(r *soakRead, writer int, span soakSpan) {
	done := c.done[writer]
	acked := sort.Search(len(done), func(i int) bool { return done[i].ended > r.began })
	sent := sort.Search(len(done), func(i int) bool { return done[i].began > r.ended })
	switch {
	case span.from > span.until:
		c.fault(tornRead, "%s: one order of writer %d is as after its write %d, another as before its write %d", r.by, writer, span.from, span.until+1)
	case span.until < acked && r.final:
		c.fault(lostUpdate, "%s: write %d of writer %d is gone", r.by, span.until+1, writer)
	case span.until < acked && r.writer == writer:
		c.fault(staleRead, "%s: older than the reader's own write %d", r.by, acked)
	case span.until < acked:
		c.fault(staleRead, "%s: without write %d of writer %d, which had been answered", r.by, acked, writer)
	case span.from > sent:
		c.fault(phantomRead, "%s: write %d of writer %d, before it was sent", r.by, span.from, writer)
	}
}

// together checks that a read which shows a write shows what had been done when that began.
func (c *soakChecker) together(v soakView, shown *soakWrite) {
	for writer, span := range v.spans {
		done := c.done[writer]
		before := sort.Search(len(done), func(i int) bool { return done[i].ended > shown.began })
		if writer != shown.writer && span.until < before {
			c.fault(tornRead, "%s: with a write of writer %d, without write %d of writer %d from before it", v.read.by, shown.writer, before, writer)
		}
	}
}

// neverBack checks that no read shows less than another that had ended when it began.
func (c *soakChecker) neverBack(views []soakView) {
	ended, began := slices.Clone(views), slices.Clone(views)
	sort.SliceStable(ended, func(i, j int) bool { return ended[i].read.ended < ended[j].read.ended })
	sort.SliceStable(began, func(i, j int) bool { return began[i].read.began < began[j].read.began })
	shown, counted, next := map[int]int{}, map[int64]int64{}, 0
	for _, v := range began {
		for ; next < len(ended) && ended[next].read.ended <= v.read.began; next++ {
			for writer, span := range ended[next].spans {
				shown[writer] = max(shown[writer], span.from)
			}
			for order, count := range ended[next].counts {
				counted[order] = max(counted[order], count)
			}
		}
		for writer, span := range v.spans {
			if span.until < shown[writer] {
				c.fault(staleRead, "%s: without write %d of writer %d, which an earlier read had shown", v.read.by, shown[writer], writer)
			}
		}
		for order, count := range v.counts {
			if count < counted[order] {
				c.fault(staleRead, "%s: order %d counts %d, an earlier read had shown %d", v.read.by, order, count, counted[order])
			}
		}
	}
}
