package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"lateral/integration/stack"
)

// The peers of a comparison, in the order of the report.
const (
	peerLateral = "lateral"
	peerCeiling = "pgbench"
	peerWeb     = "web_read"
	peerLevels  = "xmlrpc"
)

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
	for range samples {
		r := next()
		if err := compare(ctx, b.service, web, w, r); err != nil {
			return fmt.Errorf("the answers differ, so that there is nothing to time: %s: %w", r.query(), err)
		}
	}
	statement, err := b.statement(ctx, w, next())
	if err != nil {
		return err
	}
	script, variables, err := w.script(statement, b.clones)
	if err != nil {
		return err
	}
	result := Result{Name: w.Name, Title: w.Title, Records: w.Records, Compared: samples, Peers: map[string]*Peer{}}
	for _, name := range []string{peerLateral, peerCeiling, peerWeb, peerLevels} {
		result.Peers[name] = &Peer{}
	}
	for round := range b.Rounds {
		b.say("%s: round %d of %d", w.Title, round+1, b.Rounds)
		if err := b.lateralTurn(ctx, w, next, &result); err != nil {
			return err
		}
		rate, err := b.pgbench.run(ctx, script, variables, comparedClients, b.Duration)
		if err != nil {
			return err
		}
		result.Peers[peerCeiling].add(rate)
		if w.Slow && round > 0 {
			continue // one turn of Odoo's takes as long as all the others together
		}
		for name, make := range map[string]func() client{
			peerWeb: func() client { return newWebClient(b.Stack, b.users[w.Role], w, next) },
			peerLevels: func() client {
				return &levelClient{odoo: b.Odoo, who: b.users[w.Role], workload: w, comodels: b.comodels(w.Model, w.Tree), next: next}
			},
		} {
			m, err := b.turn(ctx, comparedClients, b.Duration, make)
			if err != nil {
				return err
			}
			result.Peers[name].add(m.perSecond())
		}
	}
	result.finish()
	b.report.Results = append(b.report.Results, result)
	b.say("%s: %s", w.Title, result.line())
	return nil
}

// turn lets clients work for a time.
func (b *bench) turn(ctx context.Context, clients int, duration time.Duration, make func() client) (measured, error) {
	list := []client{}
	for range clients {
		c := make()
		defer c.close()
		list = append(list, c)
	}
	return closedLoop(ctx, list, duration)
}

// lateralTurn is a turn of lateral's, with what it and PostgreSQL spent on it.
func (b *bench) lateralTurn(ctx context.Context, w workload, next func() read, result *Result) error {
	clients := func() client { return b.service.client(w, next) }
	// A first moment fills the caches that a service has after its first requests.
	if _, err := b.turn(ctx, comparedClients, b.Duration/10, clients); err != nil {
		return err
	}
	pids, err := backends(ctx, b.owner, "lateral")
	if err != nil {
		return err
	}
	before, err := cpuTime(b.service.pid)
	if err != nil {
		return err
	}
	postgresBefore, visible := cpuOf(pids)
	m, err := b.turn(ctx, comparedClients, b.Duration, clients)
	if err != nil {
		return err
	}
	after, err := cpuTime(b.service.pid)
	if err != nil {
		return err
	}
	result.Peers[peerLateral].add(m.perSecond())
	result.cpu = append(result.cpu, (after-before)/time.Duration(m.Requests))
	if postgresAfter, still := cpuOf(pids); visible && still {
		result.postgresCPU = append(result.postgresCPU, (postgresAfter-postgresBefore)/time.Duration(m.Requests))
	}
	return nil
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

// throughput measures reads of one order with more and more clients, lateral and the ceiling in turn.
func (b *bench) throughput(ctx context.Context) error {
	w := b.find("one")
	next := func() read { return w.next(b.clones) }
	statement, err := b.statement(ctx, w, next())
	if err != nil {
		return err
	}
	script, variables, err := w.script(statement, b.clones)
	if err != nil {
		return err
	}
	for _, clients := range b.Clients {
		b.say("one order: %d clients", clients)
		point := Point{X: float64(clients)}
		var ours, ceiling []float64
		for range b.Rounds {
			m, err := b.turn(ctx, clients, b.Duration, func() client { return b.service.client(w, next) })
			if err != nil {
				return err
			}
			ours = append(ours, m.perSecond())
			// The pool of lateral has that many connections.
			rate, err := b.pgbench.run(ctx, script, variables, min(clients, 16), b.Duration)
			if err != nil {
				return err
			}
			ceiling = append(ceiling, rate)
		}
		point.Lateral, point.Ceiling = median(ours), median(ceiling)
		b.report.Clients = append(b.report.Clients, point)
	}
	return nil
}

// latency measures how long reads take while they come in at half the rate that lateral can sustain: nine of ten are
// of one order, one is a page.
func (b *bench) latency(ctx context.Context) error {
	one, page := b.find("one"), b.find("page")
	mixed := func() client {
		return &mixedClient{
			often: b.service.client(one, func() read { return one.next(b.clones) }),
			rare:  b.service.client(page, func() read { return page.next(b.clones) }),
		}
	}
	const clients = 16
	b.say("latency: how much mixed load is sustained")
	saturated, err := b.turn(ctx, clients, b.Duration, mixed)
	if err != nil {
		return err
	}
	rate := saturated.perSecond() / 2
	b.say("latency: %.0f requests/s", rate)
	list := []client{}
	for range clients {
		c := mixed()
		defer c.close()
		list = append(list, c)
	}
	m, err := openLoop(ctx, list, rate, time.Duration(b.Rounds)*b.Duration)
	if err != nil {
		return err
	}
	b.report.Latency = &Latency{
		Saturated: saturated.perSecond(), Rate: rate, Requests: m.Requests,
		P50: m.quantile(0.5), P90: m.quantile(0.9), P99: m.quantile(0.99), P999: m.quantile(0.999),
	}
	return nil
}

// mixedClient makes a rare request after every nine others.
type mixedClient struct {
	often, rare client
	n           int
}

func (c *mixedClient) do(ctx context.Context) error {
	c.n++
	if c.n%10 == 0 {
		return c.rare.do(ctx)
	}
	return c.often.do(ctx)
}

func (c *mixedClient) close() {
	c.often.close()
	c.rare.close()
}

// growth measures how costs grow with what is asked for.
func (b *bench) growth(ctx context.Context) error {
	page := b.find("page")
	for _, limit := range []int{1, 10, 80, 500, 5000, 50000} {
		w := page
		w.Page.Limit = limit
		if err := b.curve(ctx, "page size", float64(limit), w); err != nil {
			return err
		}
	}
	for depth := 1; depth <= 6; depth++ {
		w := page
		w.Tree = nested(depth)
		if err := b.curve(ctx, "depth", float64(depth), w); err != nil {
			return err
		}
	}
	return nil
}

// nested is a tree of some depth, along orders' lines, their products and on.
func nested(depth int) tree {
	path := []node{
		{Name: "order_line", List: true},
		{Name: "product_id"},
		{Name: "product_tmpl_id"},
		{Name: "categ_id"},
		{Name: "parent_id"},
	}
	var t tree
	for level := depth - 1; level >= 0; level-- {
		inner := t
		t = tree{{Name: "id"}, {Name: "name"}}
		if level < depth-1 {
			n := path[level]
			n.Sub = inner
			t = append(t, n)
		}
	}
	return t
}

// curve measures one point of a curve, by full requests with one client, lateral and the ceiling in turn.
func (b *bench) curve(ctx context.Context, name string, x float64, w workload) (err error) {
	b.say("%s %.0f", name, x)
	service, err := startService(ctx, b.Executable, b.Stack, 2, map[string]tree{w.Model: w.Tree}, []string{stack.RoleAdmin})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.stop()) }()
	statement, err := b.statement(ctx, w, w.Page)
	if err != nil {
		return err
	}
	script, variables, err := w.script(statement, b.clones)
	if err != nil {
		return err
	}
	point := Point{X: x}
	var ours, ceiling []float64
	next := func() read { return w.Page }
	for range b.Rounds {
		m, err := b.turn(ctx, 1, b.Duration, func() client { return service.client(w, next) })
		if err != nil {
			return err
		}
		ours = append(ours, m.perSecond())
		rate, err := b.pgbench.run(ctx, script, variables, 1, b.Duration)
		if err != nil {
			return err
		}
		ceiling = append(ceiling, rate)
	}
	point.Lateral, point.Ceiling = median(ours), median(ceiling)
	for i := range b.report.Curves {
		if b.report.Curves[i].Name == name {
			b.report.Curves[i].Points = append(b.report.Curves[i].Points, point)
			return nil
		}
	}
	b.report.Curves = append(b.report.Curves, Curve{Name: name, Points: []Point{point}})
	return nil
}
