package reader

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// newTurns returns turns that nobody has taken.
func newTurns(abreast, most int) *turns {
	return &turns{abreast: abreast, most: most, pages: new(atomic.Int64)}
}

// now returns what a turn has been told, nil for nothing yet.
func (t *turn) now() *told {
	select {
	case outcome := <-t.told:
		return &outcome
	default:
		return nil
	}
}

func TestTurnsAbreast(t *testing.T) {
	order := newTurns(2, 64)
	if order.enter(1) != nil || order.enter(2) != nil {
		t.Fatal("a read waits though there is room")
	}
	third := order.enter(3)
	if third == nil {
		t.Fatal("a third goes abreast of two")
	}
	fourth := order.enter(4)
	order.leave()
	if outcome := third.now(); outcome == nil || !outcome.ahead {
		t.Fatalf("one that waits is told %+v when there is room", outcome)
	}
	if outcome := fourth.now(); outcome != nil {
		t.Fatalf("another is told %+v when there is room for one", outcome)
	}
}

func TestTurnsTogether(t *testing.T) {
	order := newTurns(1, 4)
	order.enter(1)
	var waiting []*turn
	for id := range int64(6) {
		waiting = append(waiting, order.enter(10+id))
	}
	order.leave()
	outcome := waiting[0].now()
	if outcome == nil || len(outcome.lead) != 4 || outcome.lead[0] != waiting[0] || outcome.lead[3] != waiting[3] {
		t.Fatalf("the first of six is told %+v, where four may be read together", outcome)
	}
	late := order.enter(20)
	if late == nil {
		t.Fatal("a read goes ahead while several are read together")
	}
	order.leaveTogether(8)
	if outcome := waiting[4].now(); outcome == nil || len(outcome.lead) != 3 || outcome.lead[2] != late {
		t.Fatalf("the first of those left over is told %+v", outcome)
	}
	order.leaveTogether(8)
	if order.enter(30) != nil {
		t.Fatal("a read waits though nothing is under way")
	}
}

func TestTurnsBesidePages(t *testing.T) {
	order := newTurns(4, 64)
	order.pages.Add(1)
	if order.enter(1) != nil {
		t.Fatal("a read waits for a page alone")
	}
	second := order.enter(2)
	if second == nil {
		t.Fatal("two reads go abreast beside a page")
	}
	order.pages.Add(-1)
	if order.enter(3) != nil {
		t.Fatal("a read waits though there is room and no page is read any more")
	}
	order.leave()
	if outcome := second.now(); outcome == nil || !outcome.ahead {
		t.Fatalf("the second is told %+v", outcome)
	}
}

func TestTurnsGivenUp(t *testing.T) {
	order := newTurns(1, 64)
	order.enter(1)
	left, stays := order.enter(2), order.enter(3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := order.wait(ctx, left); !errors.Is(err, context.Canceled) {
		t.Fatalf("giving up a turn: %v", err)
	}
	order.leave()
	if outcome := stays.now(); outcome == nil || !outcome.ahead {
		t.Fatalf("the next is told %+v", outcome)
	}
	if outcome := left.now(); outcome != nil {
		t.Fatalf("one that has gone is told %+v", outcome)
	}
	// One that leads cannot go: others rely on it.
	several := []*turn{order.enter(4), order.enter(5), order.enter(6)}
	order.leave()
	if outcome, err := order.wait(ctx, several[0]); err != nil || len(outcome.lead) != 3 {
		t.Fatalf("one that leads: %+v, %v", outcome, err)
	}
}

func TestTurnsPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		order := newTurns(1, 64)
		order.enter(1)
		begun, late := time.Now(), order.enter(2)
		outcome, err := order.wait(t.Context(), late)
		if err != nil || !outcome.alone || time.Since(begun) != patience {
			t.Fatalf("one that waits for a slow read is told %+v, %v after %v", outcome, err, time.Since(begun))
		}
		order.leave()
		if order.under != 0 || len(order.waiting) != 0 {
			t.Fatalf("%d under way, %d waiting", order.under, len(order.waiting))
		}
	})
}

// TestTurnsAll lets reads of all kinds come and go by chance: each has its turn once, no more are under way than may be, and in
// the end nothing is.
func TestTurnsAll(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		abreast, most := rapid.IntRange(1, 4).Draw(rt, "abreast"), rapid.IntRange(1, 8).Draw(rt, "most")
		reads, seed := rapid.IntRange(1, 60).Draw(rt, "reads"), rapid.Uint64().Draw(rt, "seed")
		synctest.Test(t, func(t *testing.T) {
			order := newTurns(abreast, most)
			chance := rand.New(rand.NewPCG(seed, 0))
			var alone, together, read, gone atomic.Int64
			var all sync.WaitGroup
			for id := range int64(reads) {
				come, takes := time.Duration(chance.IntN(40)), time.Duration(1+chance.IntN(10))
				patience := time.Duration(1 + chance.IntN(60))
				page := chance.IntN(8) == 0
				all.Go(func() {
					time.Sleep(come)
					if page {
						order.pages.Add(1)
						time.Sleep(takes)
						order.pages.Add(-1)
					}
					outcome := told{ahead: true}
					if mine := order.enter(id); mine != nil {
						ctx, cancel := context.WithTimeout(t.Context(), patience)
						defer cancel()
						var err error
						if outcome, err = order.wait(ctx, mine); err != nil {
							gone.Add(1)
							return
						}
					}
					switch {
					case outcome.ahead:
						if n := alone.Add(1); n > int64(abreast) {
							t.Errorf("%d abreast of %d", n, abreast)
						}
						time.Sleep(takes)
						alone.Add(-1)
						order.leave()
					case len(outcome.lead) > 0:
						if n := together.Add(1); n > 1 || len(outcome.lead) > max(most, fewTogether) || len(outcome.lead) < fewTogether {
							t.Errorf("%d times together, %d of %d", n, len(outcome.lead), most)
						}
						time.Sleep(takes)
						for _, one := range outcome.lead[1:] {
							one.told <- told{document: []byte{byte(one.id)}}
						}
						together.Add(-1)
						order.leaveTogether(most)
					case outcome.document[0] != byte(id):
						t.Errorf("%d is told of %d", id, outcome.document[0])
					}
					read.Add(1)
				})
			}
			all.Wait()
			if order.under != 0 || order.together || len(order.waiting) != 0 || read.Load()+gone.Load() != int64(reads) {
				t.Errorf("%d under way, together %v, %d waiting, %d read, %d gone of %d", order.under, order.together, len(order.waiting), read.Load(), gone.Load(), reads)
			}
		})
	})
}
