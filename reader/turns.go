package reader

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// turns orders the reads of one record that are made by the same statement. Some go abreast, each by itself. Those that come
// while as many as may are under way wait, and are read together when there is room: one record among many takes a fraction of
// what it takes by itself, so that the more are asked for, the less each takes. Where no more are asked for than may go abreast,
// none waits. While a page is being read, which takes as much as many single ones, one goes at a time: so the machine has less
// to do, and the page is not delayed by those that overtake it. No read is of a time before it was asked for.
type turns struct {
	abreast int
	pages   *atomic.Int64 // that are being read

	mu       sync.Mutex
	under    int  // reads by themselves under way
	together bool // several are being read together; meanwhile all others wait
	waiting  []*turn
	most     int // that are read together
}

// turn is a read that waits.
type turn struct {
	id   int64
	told chan told // has room for one
}

// told is what a turn comes to. Of its fields one is set, and none where there is no such record.
type told struct {
	document []byte
	err      error
	// ahead tells that the read may go ahead by itself, and is to call leave when it has ended.
	ahead bool
	// alone tells that it has waited for too long, or been tried together with others, and is to be read by itself.
	alone bool
	// lead are the turns to be read together, that which is told first: what becomes of the others is to be told them, and then
	// leaveTogether to be called.
	lead []*turn
}

// fewTogether is from how many records on reading them together takes less than reading each by itself.
const fewTogether = 3

// enter takes a turn for a record, nil where the read may go ahead by itself, and is to call leave when it has ended.
func (t *turns) enter(id int64) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.room() {
		t.under++
		return nil
	}
	mine := &turn{id: id, told: make(chan told, 1)}
	t.waiting = append(t.waiting, mine)
	return mine
}

func (t *turns) room() bool {
	return !t.together && (t.under == 0 || t.under < t.abreast && t.pages.Load() == 0)
}

// leave ends a read that went ahead by itself.
func (t *turns) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.under--
	t.next()
}

// leaveTogether ends a reading of several, of which no more than most are to be read together from now on.
func (t *turns) leaveTogether(most int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.together, t.most = false, most
	t.next()
}

// next gives those that wait their turn, for as long as there is room.
func (t *turns) next() {
	for len(t.waiting) > 0 && t.room() {
		if len(t.waiting) < fewTogether {
			t.waiting[0].told <- told{ahead: true}
			t.waiting = t.waiting[1:]
			t.under++
			continue
		}
		n := min(len(t.waiting), max(t.most, fewTogether))
		several := t.waiting[:n:n]
		t.waiting = t.waiting[n:]
		t.together = true
		several[0].told <- told{lead: several}
	}
}

// patience is the longest that a read waits for its turn: where those before it take so long, each by itself, it gains nothing by
// waiting for them.
const patience = 100 * time.Millisecond

// wait returns what a turn comes to. Where that is not told in time, it is to be read alone, and where the context ends before, the
// turn is given up and the context's error returned.
func (t *turns) wait(ctx context.Context, mine *turn) (told, error) {
	impatient := time.NewTimer(patience)
	defer impatient.Stop()
	select {
	case outcome := <-mine.told:
		return outcome, nil
	case <-ctx.Done():
	case <-impatient.C:
	}
	if t.withdraw(mine) {
		return told{alone: true}, ctx.Err()
	}
	// It is being read, or others rely on it.
	return <-mine.told, nil
}

// withdraw takes a turn out of those that wait, and reports whether it was still one of them.
func (t *turns) withdraw(mine *turn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, one := range t.waiting {
		if one == mine {
			t.waiting = append(t.waiting[:i:i], t.waiting[i+1:]...)
			return true
		}
	}
	return false
}
