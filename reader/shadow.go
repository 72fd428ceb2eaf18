package reader

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"lateral/auth"
	"lateral/schema"
)

// ShadowConfig says how many of the reads that SQL answers are repeated through Odoo.
type ShadowConfig struct {
	// Share of the reads to check, 0 to 1. With 0 nothing is kept, copied or started.
	Share float64
	// Rate is the most checks per second, whatever the share.
	Rate float64
	// Trip is after how many differences a model is left to Odoo. One leak is enough in any case.
	Trip int
}

// Bounds of the checks.
const (
	// shadowBytes and shadowRecords are the longest answer that is checked; longer ones are let go.
	shadowBytes   = 256 << 10
	shadowRecords = 500
	// shadowQueue is how many checks wait. With shadowBytes it bounds the memory they take.
	shadowQueue = 16
	// shadowTimeout is the longest time of one check, both its rounds included.
	shadowTimeout = 2 * time.Minute
)

// What became of a check, as it is counted.
const (
	shadowAgreed  = "agreed"
	shadowDiffers = "differs"
	shadowLeaks   = "leaks"
	// shadowChanged: records, rights or models changed meanwhile, so the answers cannot be compared.
	shadowChanged = "changed"
	shadowFailed  = "failed"
	// shadowDropped: too long, too many, or not read to its end.
	shadowDropped = "dropped"
)

// shadow repeats reads through Odoo in the background: one at a time, and so with one connection of
// either side at most.
type shadow struct {
	config ShadowConfig
	reader *Reader
	queue  chan shadowCheck

	stop    context.CancelFunc
	stopped sync.WaitGroup

	mu     sync.Mutex
	tokens float64
	filled time.Time
	counts map[string]int // of differences by model, since the start
}

// shadowCheck is a read that was answered, with its answer.
type shadowCheck struct {
	who       auth.Credentials
	query     Query
	plan      *Plan
	total     int64
	documents [][]byte
}

// newShadow starts the checks; close ends them.
func newShadow(r *Reader, config ShadowConfig) *shadow {
	ctx, stop := context.WithCancel(context.Background())
	s := &shadow{
		config: config, reader: r, queue: make(chan shadowCheck, shadowQueue), stop: stop,
		tokens: max(1, config.Rate), filled: time.Now(), counts: map[string]int{},
	}
	s.stopped.Go(func() { s.work(ctx) })
	return s
}

// close gives up the check under way and those that wait.
func (s *shadow) close() {
	s.stop()
	s.stopped.Wait()
}

// watch makes a result that is to be checked keep its documents.
func (s *shadow) watch(who auth.Credentials, q Query, result *Result) {
	if result.Path == PathOdoo || rand.Float64() >= s.config.Share || !s.allow() {
		return
	}
	result.source = &keptSource{
		source: result.source, shadow: s,
		check: shadowCheck{who: who, query: q, plan: result.plan, total: result.Total},
	}
}

// allow takes a token of the rate's bucket, which holds those of one second.
func (s *shadow) allow() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.tokens = min(max(1, s.config.Rate), s.tokens+now.Sub(s.filled).Seconds()*s.config.Rate)
	s.filled = now
	if s.tokens < 1 {
		return false
	}
	s.tokens--
	return true
}

// submit queues a check, or drops it where too many wait.
func (s *shadow) submit(c shadowCheck) {
	select {
	case s.queue <- c:
	default:
		s.reader.deps.Observe.Shadowed(shadowDropped)
	}
}

func (s *shadow) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-s.queue:
			s.run(ctx, c)
		}
	}
}

// run makes one check and draws the consequences.
func (s *shadow) run(ctx context.Context, c shadowCheck) {
	limited, cancel := context.WithTimeout(ctx, shadowTimeout)
	defer cancel()
	found, outcome, err := s.check(limited, c)
	if ctx.Err() != nil {
		return
	}
	s.reader.deps.Observe.Shadowed(outcome)
	log := s.reader.deps.Log.With(slog.Int64("uid", c.who.UID), slog.String("read", describeRead(c.plan)))
	switch {
	case err != nil:
		log.Warn("a read could not be checked", slog.String("cause", err.Error()))
	case found != nil:
		log.Error("a read differs from Odoo's answer", slog.String("found", found.String()))
		s.count(c.plan, found)
	}
}

// check compares the answer with Odoo's. A difference counts only where SQL still answers the same
// after Odoo has, so that nothing that was read has changed in between, and where all of it shows
// once more.
func (s *shadow) check(ctx context.Context, c shadowCheck) (found *difference, outcome string, err error) {
	for range 2 {
		odoo, total, err := s.odoo(ctx, c)
		refused := errorOf(err)
		if err != nil && (refused == nil || !refusal(refused)) {
			return nil, shadowFailed, err
		}
		again, err := s.reader.read(ctx, c.who, c.query)
		if err != nil {
			return nil, shadowChanged, nil
		}
		documents, err := drain(ctx, again)
		if err != nil || again.Path == PathOdoo || again.Total != c.total || !slices.EqualFunc(documents, c.documents, bytes.Equal) {
			return nil, shadowChanged, nil
		}
		if found, err = s.compare(c, odoo, total, refused); err != nil {
			return nil, shadowFailed, err
		}
		if found == nil {
			return nil, shadowAgreed, nil
		}
	}
	if found.leak {
		return found, shadowLeaks, nil
	}
	return found, shadowDiffers, nil
}

// compare returns the difference between an answer and Odoo's, which may be a refusal.
func (s *shadow) compare(c shadowCheck, odoo [][]byte, total int64, refused *Error) (*difference, error) {
	root := c.plan.Root
	if refused != nil {
		return &difference{
			what: "Odoo refuses the read", leak: refused.Kind == Denied && len(c.documents) > 0,
			path: refused.Path, models: pathModels(root, refused.Path),
		}, nil
	}
	if total != c.total {
		return &difference{what: "the number of all records", leak: c.total > total, models: []string{root.Model.Name}}, nil
	}
	return compareDocuments(root, c.documents, odoo)
}

// odoo answers the plan through Odoo, in an order in which no two records are equal, which is SQL's.
func (s *shadow) odoo(ctx context.Context, c shadowCheck) ([][]byte, int64, error) {
	plan := *c.plan
	plan.Order = totalOrder(plan.Root.Model, plan.Order)
	result, err := s.reader.throughOdoo(ctx, c.who, &plan, c.query)
	if err != nil {
		return nil, -1, classify(err)
	}
	documents, err := drain(ctx, result)
	return documents, result.Total, err
}

// totalOrder appends the id to an order, the model's own where none is asked for.
func totalOrder(m *schema.Model, order string) string {
	if order == "" {
		order = m.Order
	}
	for part := range strings.SplitSeq(order, ",") {
		if words := strings.Fields(part); len(words) > 0 && strings.Trim(words[0], `"`) == "id" {
			return order
		}
	}
	if strings.TrimSpace(order) == "" {
		return "id"
	}
	return order + ", id"
}

// drain reads a result to its end and closes it.
func drain(ctx context.Context, result *Result) ([][]byte, error) {
	var documents [][]byte
	for {
		document, err := result.Next(ctx)
		if errors.Is(err, io.EOF) {
			return documents, result.Close()
		}
		if err != nil {
			return nil, errors.Join(err, result.Close())
		}
		documents = append(documents, slices.Clone(document))
	}
}

func errorOf(err error) *Error {
	failed, _ := errors.AsType[*Error](err)
	return failed
}

// refusal reports whether an error is what Odoo thinks of the request, rather than of its own state.
func refusal(e *Error) bool {
	switch e.Kind {
	case Denied, NotFound, Invalid, NotSingle, ModelNotFound:
		return true
	}
	return false
}

// count adds a difference to its models and trips those that have enough: the models from the root
// down to where it showed, since any of them may be the one that is read wrongly.
func (s *shadow) count(p *Plan, found *difference) {
	var tripped []string
	for _, model := range found.models {
		s.counts[model]++
		if found.leak || s.counts[model] >= max(1, s.config.Trip) {
			reason := fmt.Sprintf("%s, reading %s", found, p.Root.Model.Name)
			if s.reader.deps.Trust.Trip(model, reason, time.Now()) {
				tripped = append(tripped, model)
			}
			delete(s.counts, model)
		}
	}
	if len(tripped) == 0 {
		return
	}
	s.reader.deps.Catalogues.Replace(s.reader.deps.Trust.Apply)
	s.reader.deps.Log.Error("models are left to Odoo until a verification clears them", slog.Any("models", tripped))
}

// keptSource keeps the documents that pass through it for a check.
type keptSource struct {
	source
	shadow *shadow
	check  shadowCheck
	bytes  int
	state  keptState
}

type keptState int

const (
	keeping keptState = iota
	complete
	givenUp
)

func (k *keptSource) next(ctx context.Context) ([]byte, error) {
	document, err := k.source.next(ctx)
	switch {
	case k.state != keeping:
	case errors.Is(err, io.EOF):
		k.state = complete
	case err != nil:
		k.state = givenUp
	case k.bytes+len(document) > shadowBytes || len(k.check.documents) >= shadowRecords:
		k.state, k.check.documents = givenUp, nil
	default:
		k.bytes += len(document)
		k.check.documents = append(k.check.documents, slices.Clone(document))
	}
	return document, err
}

func (k *keptSource) close() error {
	err := k.source.close()
	if err == nil && k.state == complete {
		k.shadow.submit(k.check)
	} else {
		k.shadow.reader.deps.Observe.Shadowed(shadowDropped)
	}
	return err
}
