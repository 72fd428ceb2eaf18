package bench

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"lateral/integration/stack"
)

// Point is a point of a curve: requests per second of lateral and of the ceiling.
type Point struct {
	X       float64 `json:"x"`
	Lateral float64 `json:"lateral"`
	Ceiling float64 `json:"pgbench"`
	// Web are Odoo's web_read with as many clients; 0: not measured.
	Web float64 `json:"web_read,omitempty"`
	// Amount is how much is asked for, in what the cost is to grow with; Cost how long it takes, in seconds.
	Amount float64 `json:"amount"`
	Cost   float64 `json:"seconds"`
	// CPU is lateral's processor time for a request.
	CPU time.Duration `json:"lateral_cpu_ns"`
}

// Curve tells how cost grows with something.
type Curve struct {
	Name   string  `json:"name"`
	Points []Point `json:"points"`
	// Exponent is the steepest growth of the cost: 1 where it grows as the amount does, 0 where not at all.
	Exponent float64 `json:"exponent"`
	Linear   bool    `json:"no_worse_than_linear"`
}

const (
	// growthSpan is the least factor between two amounts that are compared: over less, what disturbs the machine looks like growth.
	growthSpan = 4
	// linearExponent is the largest exponent that is taken for linear: over a span of 4, that is an error of a third.
	linearExponent = 1.2
)

// judge finds the steepest growth between points that are far enough apart.
func (c *Curve) judge() {
	c.Exponent = 0
	for i, p := range c.Points {
		for _, q := range c.Points[i+1:] {
			if q.Amount >= growthSpan*p.Amount && p.Amount > 0 && p.Cost > 0 {
				c.Exponent = max(c.Exponent, math.Log(q.Cost/p.Cost)/math.Log(q.Amount/p.Amount))
			}
		}
	}
	c.Linear = c.Exponent <= linearExponent
}

// verdict says the same in words.
func (c *Curve) verdict() string {
	text := "no worse than linear"
	if !c.Linear {
		text = "WORSE THAN LINEAR"
	}
	return fmt.Sprintf("%s: the steepest growth is by the power of %.2f", text, c.Exponent)
}

const (
	// The most that a point of a curve has, whatever the comparison has.
	curveRounds   = 3
	curveDuration = time.Second
	// A point that has taken so long has no further round.
	curvePatience = 15 * time.Second
	// comparedRecords is how many records an answer may have that is compared with Odoo's before it is timed.
	comparedRecords = 500
)

// sample is a point that is to be measured.
type sample struct {
	x        float64
	amount   float64 // 0: x
	clients  int     // 0: 1
	web      bool    // Odoo has turns too
	workload workload
	clones   stack.Clones // among which single orders are drawn
	service  *service
}

// curve measures a point of a curve: the answer is compared with Odoo's, then lateral and the ceiling have turns.
func (b *bench) curve(ctx context.Context, name string, s sample) error {
	b.say("%s %.0f", name, s.x)
	if s.amount == 0 {
		s.amount = s.x
	}
	clients := max(s.clients, 1)
	next := func() read { return s.workload.next(s.clones) }
	if s.workload.Records <= comparedRecords {
		web := newWebClient(b.Stack, b.users[s.workload.Role], s.workload, next)
		defer web.close()
		if err := b.sameAnswers(ctx, s.service, web, 1); err != nil {
			return fmt.Errorf("%s %.0f: %w", name, s.x, err)
		}
	}
	limit, err := b.ceiling(ctx, s.workload, s.clones)
	if err != nil {
		return err
	}
	duration := min(b.Duration, curveDuration)
	begin := time.Now()
	var ours, theirs, odoo []float64
	var spent []time.Duration
	for round := 0; round < min(b.Rounds, curveRounds) && (round == 0 || time.Since(begin) < curvePatience); round++ {
		before, err := cpuTime(s.service.pid)
		if err != nil {
			return err
		}
		m, err := loop(ctx, clients, duration, func() client { return s.service.client(s.workload, next) })
		if err != nil {
			return err
		}
		after, err := cpuTime(s.service.pid)
		if err != nil {
			return err
		}
		ours, spent = append(ours, m.perSecond()), append(spent, (after-before)/time.Duration(m.Requests))
		// The pool of lateral has that many connections.
		rate, err := limit.run(ctx, min(clients, serviceConns), duration)
		if err != nil {
			return err
		}
		theirs = append(theirs, rate)
		if s.web {
			rate, err := b.turn(ctx, clients, func() client { return newWebClient(b.Stack, b.users[s.workload.Role], s.workload, next) })
			if err != nil {
				return err
			}
			odoo = append(odoo, rate)
		}
	}
	point := Point{X: s.x, Amount: s.amount, Lateral: median(ours), Ceiling: median(theirs), Web: median(odoo), CPU: median(spent)}
	point.Cost = float64(clients) / point.Lateral
	b.report.add(name, point)
	return nil
}

// add adds a point to the curve of a name.
func (r *Report) add(name string, p Point) {
	at := slices.IndexFunc(r.Curves, func(c Curve) bool { return c.Name == name })
	if at < 0 {
		at = len(r.Curves)
		r.Curves = append(r.Curves, Curve{Name: name})
	}
	c := &r.Curves[at]
	c.Points = append(c.Points, p)
	c.judge()
}
