package bench

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// The peers of a comparison, in the order of the report.
const (
	peerLateral = "lateral"
	peerCeiling = "pgbench"
	peerWeb     = "web_read"
	peerPlain   = "web_read, plain"
	peerLevels  = "xmlrpc"
)

var peers = []string{peerLateral, peerCeiling, peerWeb, peerPlain, peerLevels}

// ofOdoo reports whether a peer is one of Odoo's, a turn of which may take as long as all the others together.
func ofOdoo(peer string) bool { return peer != peerLateral && peer != peerCeiling }

// measure compares the peers on one workload: first their answers, then, in rounds in which each has its turn, their speed.
func (b *bench) measure(ctx context.Context, w workload) error {
	b.say("%s: comparing the answers", w.Title)
	next := func() read { return w.next(b.clones) }
	web := newWebClient(b.Stack, b.users[w.Role], w, next)
	defer web.close()
	samples := 1
	if w.One {
		samples = 25
	}
	if err := b.sameAnswers(ctx, b.service, web, samples); err != nil {
		return err
	}
	limit, err := b.ceiling(ctx, w, b.clones)
	if err != nil {
		return err
	}
	result := Result{Name: w.Name, Title: w.Title, Records: w.Records, Compared: samples, Peers: map[string]*Peer{}}
	for _, name := range peers {
		result.Peers[name] = &Peer{}
	}
	turns := map[string]func() (float64, error){
		peerLateral: func() (float64, error) { return b.lateralTurn(ctx, w, next, &result) },
		peerCeiling: func() (float64, error) { return limit.run(ctx, min(w.clients(), serviceConns), b.Duration) },
		peerWeb: func() (float64, error) {
			return b.turn(ctx, w.clients(), func() client { return newWebClient(b.Stack, b.users[w.Role], w, next) })
		},
		peerPlain: func() (float64, error) {
			return b.turn(ctx, w.clients(), func() client { return newWebClient(b.Stack, b.users[w.Role], w, next).plain() })
		},
		peerLevels: func() (float64, error) {
			return b.turn(ctx, w.clients(), func() client {
				return &levelClient{odoo: b.Odoo, who: b.users[w.Role], workload: w, comodels: b.comodels(w.Model, w.Tree), next: next}
			})
		},
	}
	for round := range b.Rounds {
		b.say("%s: round %d of %d", w.Title, round+1, b.Rounds)
		for _, name := range peers {
			if w.Slow && round > 0 && ofOdoo(name) {
				continue
			}
			written, err := b.beside(ctx, w, func() error {
				rate, err := turns[name]()
				result.Peers[name].add(rate)
				return err
			})
			if err != nil {
				return err
			}
			result.Writes += written
		}
	}
	if w.Writes > 0 {
		// What was written meanwhile is in both answers.
		if err := b.sameAnswers(ctx, b.service, web, samples); err != nil {
			return err
		}
	}
	if b.Profiles != "" {
		b.say("%s: profiles", w.Title)
		if err := b.profile(ctx, w, next); err != nil {
			return err
		}
	}
	result.finish()
	b.report.Results = append(b.report.Results, result)
	b.say("%s: %s", w.Title, result.line())
	return nil
}

// sameAnswers makes reads of a client of Odoo's through lateral too, and fails where an answer differs.
func (b *bench) sameAnswers(ctx context.Context, s *service, web *webClient, samples int) error {
	for range samples {
		r := web.next()
		if err := compare(ctx, s, web, web.workload, r); err != nil {
			return fmt.Errorf("the answers differ, so that there is nothing to time: %s: %w", r.query(), err)
		}
	}
	return nil
}

// turn lets clients work for the time of a turn and returns how many requests they made in a second.
func (b *bench) turn(ctx context.Context, clients int, make func() client) (float64, error) {
	m, err := loop(ctx, clients, b.Duration, make)
	return m.perSecond(), err
}

// loop is a closed loop of so many clients.
func loop(ctx context.Context, clients int, duration time.Duration, make func() client) (measured, error) {
	list := []client{}
	for range clients {
		c := make()
		defer c.close()
		list = append(list, c)
	}
	return closedLoop(ctx, list, duration)
}

// lateralTurn is a turn of lateral's, with what it and PostgreSQL spent on it.
func (b *bench) lateralTurn(ctx context.Context, w workload, next func() read, result *Result) (float64, error) {
	clients := func() client { return b.service.client(w, next) }
	// A first moment fills the caches that a service has after its first requests.
	if _, err := loop(ctx, w.clients(), b.Duration/10, clients); err != nil {
		return 0, err
	}
	pids, err := backends(ctx, b.owner, "lateral")
	if err != nil {
		return 0, err
	}
	before, err := cpuTime(b.service.pid)
	if err != nil {
		return 0, err
	}
	if err := resetPeak(b.service.pid); err != nil {
		return 0, err
	}
	postgresBefore, visible := cpuOf(pids)
	m, err := loop(ctx, w.clients(), b.Duration, clients)
	if err != nil {
		return 0, err
	}
	after, err := cpuTime(b.service.pid)
	if err != nil {
		return 0, err
	}
	result.cpu = append(result.cpu, (after-before)/time.Duration(m.Requests))
	if postgresAfter, still := cpuOf(pids); visible && still {
		result.postgresCPU = append(result.postgresCPU, (postgresAfter-postgresBefore)/time.Duration(m.Requests))
	}
	peak, err := memory(b.service.pid, "VmHWM")
	result.Memory = max(result.Memory, peak)
	return m.perSecond(), err
}

// comodels finds where the relations of a tree point.
func (b *bench) comodels(model string, t tree) map[string]string {
	found := map[string]string{}
	for _, n := range t {
		if n.Sub == nil {
			continue
		}
		comodel := b.Catalogue.Model(model).Field(n.Name).Comodel
		found[model+"."+n.Name] = comodel
		for name, inner := range b.comodels(comodel, n.Sub) {
			found[name] = inner
		}
	}
	return found
}

// find returns a workload by its name.
func (b *bench) find(name string) workload {
	all := workloads(nil)
	return all[slices.IndexFunc(all, func(w workload) bool { return w.Name == name })]
}
