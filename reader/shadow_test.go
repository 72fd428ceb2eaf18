package reader

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"lateral/auth"
	"lateral/schema"
)

// listSource yields documents from memory.
type listSource [][]byte

func (s *listSource) next(context.Context) ([]byte, error) {
	if len(*s) == 0 {
		return nil, io.EOF
	}
	document := (*s)[0]
	*s = (*s)[1:]
	return document, nil
}

func (s *listSource) close() error { return nil }

// shadowCounts counts outcomes.
type shadowCounts struct {
	noObserver
	outcomes []string
}

func (c *shadowCounts) Shadowed(outcome string) { c.outcomes = append(c.outcomes, outcome) }

// idleShadow is one whose queue nobody works on.
func idleShadow(counts *shadowCounts, queue int) *shadow {
	r := &Reader{deps: Deps{Observe: counts}}
	return &shadow{config: ShadowConfig{Share: 1, Rate: 1000}, reader: r, queue: make(chan shadowCheck, queue), tokens: 1000, filled: time.Now()}
}

func readThrough(t *testing.T, s *shadow, documents [][]byte, next int) {
	t.Helper()
	list := listSource(documents)
	result := &Result{Path: PathDirect, Total: -1, source: &list, plan: &Plan{}}
	s.watch(auth.Credentials{UID: 7}, Query{Model: "order"}, result)
	for range next {
		if _, err := result.Next(t.Context()); err != nil && err != io.EOF {
			t.Fatal(err)
		}
	}
	if err := result.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestShadowKeepsWholeAnswersWithinBounds(t *testing.T) {
	small := documentsOf([]string{`{"id":1}`, `{"id":2}`})
	long := [][]byte{[]byte(strings.Repeat("x", shadowBytes)), []byte("y")}
	many := make([][]byte, shadowRecords+1)
	for _, c := range []struct {
		name      string
		documents [][]byte
		next      int
		kept      bool
	}{
		{"whole", small, 3, true},
		{"not read to its end", small, 2, false},
		{"too many bytes", long, 3, false},
		{"too many records", many, len(many) + 1, false},
	} {
		counts := &shadowCounts{}
		s := idleShadow(counts, 1)
		readThrough(t, s, c.documents, c.next)
		if kept := len(s.queue) == 1; kept != c.kept || kept == (len(counts.outcomes) == 1) {
			t.Errorf("%s: kept %v, counted %v", c.name, kept, counts.outcomes)
		}
	}

	counts := &shadowCounts{}
	s := idleShadow(counts, 1)
	for range 3 {
		readThrough(t, s, small, 3)
	}
	if len(counts.outcomes) != 2 || counts.outcomes[0] != shadowDropped {
		t.Errorf("beyond the queue: %v", counts.outcomes)
	}
	if kept := <-s.queue; len(kept.documents) != 2 || kept.who.UID != 7 || string(kept.documents[1]) != `{"id":2}` {
		t.Errorf("kept %v", kept)
	}
}

func TestShadowKeepsToItsRate(t *testing.T) {
	s := idleShadow(&shadowCounts{}, 1)
	s.config.Rate, s.tokens = 0.001, 1
	if !s.allow() || s.allow() {
		t.Error("of one token, one check is allowed")
	}
	s.filled = s.filled.Add(-2000 * time.Second)
	if !s.allow() || s.allow() {
		t.Error("after an hour of rest, one check is allowed")
	}
}

func TestReaderWithoutShareChecksNothing(t *testing.T) {
	trust, err := NewTrust(TrustConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, config := range []ShadowConfig{{Rate: 1, Trip: 1}, {Share: 1, Trip: 1}} {
		r := New(Deps{Trust: trust, Shadow: config})
		if r.shadow != nil {
			t.Errorf("%+v: checks are made", config)
		}
		r.Close()
	}
	r := New(Deps{Trust: trust, Shadow: ShadowConfig{Share: 1, Rate: 1}})
	if r.shadow == nil {
		t.Fatal("no checks are made")
	}
	r.Close()
}

func TestDescribeReadHoldsNoValues(t *testing.T) {
	id := &Node{Key: "id"}
	partner := &Node{Key: "partner_id", Sub: &Level{Nodes: []*Node{id, {Key: "name"}}}}
	plan := &Plan{
		Root: &Level{Model: &schema.Model{Name: "order"}, Nodes: []*Node{id, partner}}, Order: "name desc",
		Domain: schema.And{
			schema.Condition{Path: "partner_id.name", Op: "ilike", Value: "secret"},
			schema.Or{schema.Not{Term: schema.False{}}, schema.True{}},
			schema.Condition{Path: "line_ids", Op: "any", Value: schema.Condition{Path: "price", Op: ">", Value: int64(42)}},
		},
	}
	want := "order(id,partner_id(id,name)) where and(partner_id.name ilike or(not(false) true) line_ids any (price >)) order by name desc"
	if got := describeRead(plan); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestTotalOrder(t *testing.T) {
	m := &schema.Model{Order: "name"}
	for order, want := range map[string]string{
		"": "name, id", "city desc": "city desc, id", "city, id desc": "city, id desc", `"id"`: `"id"`,
	} {
		if got := totalOrder(m, order); got != want {
			t.Errorf("%q: %q", order, got)
		}
	}
	if got := totalOrder(&schema.Model{}, ""); got != "id" {
		t.Errorf("no order at all: %q", got)
	}
}
