package verify

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"lateral/pg"
	"lateral/reader"
	"lateral/schema"
	"lateral/writer"
)

// Config is what a run works with.
type Config struct {
	Reader Reader
	// Oracle is what the reader is compared with; nil: its own executor through Odoo, with which most
	// of the reads that are Odoo's anyway need no comparing.
	Oracle    Oracle
	Odoo      writer.Caller
	Catalogue *schema.Catalogue
	Database  pg.Querier
	Users     []Reading
	Viewer    Viewer
	// Models picks the models; nil: all that have a table.
	Models func(name string) bool
	Seed   uint64
	// Only are the numbers of the requests to make; nil: all from where the report stands.
	Only []int
	// Reads is how many reads are compared, those of an earlier run that is resumed included.
	Reads int
	// Workers is how many reads are compared at a time.
	Workers int
	// Progress is told the report after every comparison, by one goroutine at a time; it must not
	// keep it.
	Progress func(*Report)
}

// thin is one in how many reads that are Odoo's anyway is made: it compares Odoo with itself, but
// for what is refused before.
const thin = 8

// Times for shrinking disagreements.
const (
	shrinkTime = 10 * time.Second // for one
	shrinkMost = 100              // disagreements that are shrunk
)

// run is one run under way.
type run struct {
	comparer
	generator *Generator
	seed      uint64
	thin      int // one in how many reads that are Odoo's anyway is made
	shrunk    atomic.Int64
}

// finding is what became of one request.
type finding struct {
	number   int
	request  Request // the smallest that shows the disagreement, where there is one
	path     string  // which way lateral plans to go; "refused" where it will not
	reason   string  // why not direct
	stored   bool    // whether all it touches are stored fields,
	pure     bool    // and that of models without Python access code
	compared bool
	slow     bool
	verdict  verdict
	err      error
}

// Run compares reads until the report counts as many as are asked for, going on where the report
// stands. An error is of what both sides need, such as an Odoo that is away; the report is then
// right up to there, and the run may be resumed. When ctx ends Run returns nil, with whatever was
// compared.
func Run(ctx context.Context, c Config, report *Report) error {
	users := make([]User, len(c.Users))
	known := make(map[string]Reading, len(c.Users))
	for i, u := range c.Users {
		users[i], known[u.Name] = u.User, u
	}
	generator, err := NewGenerator(ctx, GeneratorConfig{
		Seed: c.Seed, Catalogue: c.Catalogue, Database: c.Database, Users: users, Viewer: c.Viewer, Models: c.Models,
	})
	if err != nil {
		return err
	}
	r := &run{
		comparer:  comparer{reader: c.Reader, oracle: c.Oracle, odoo: c.Odoo, catalogue: c.Catalogue, users: known},
		generator: generator, seed: c.Seed, thin: 1,
	}
	if r.oracle == nil {
		r.oracle, r.thin = executor{reader: c.Reader, catalogue: c.Catalogue, users: known}, thin
	}
	if c.Only != nil {
		return r.only(ctx, c, report)
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	findings := make(chan finding)
	var next atomic.Int64
	next.Store(int64(report.Next))
	var workers sync.WaitGroup
	for range max(c.Workers, 1) {
		workers.Go(func() {
			for working.Err() == nil {
				f := r.find(working, int(next.Add(1)-1))
				select {
				case findings <- f:
				case <-working.Done():
				}
			}
		})
	}
	defer workers.Wait()
	defer stop()

	// What comes out of turn waits, so that the report is always that of all requests up to a number.
	waiting := map[int]finding{}
	for report.Reads < c.Reads {
		select {
		case f := <-findings:
			waiting[f.number] = f
		case <-ctx.Done():
			return nil
		}
		for report.Reads < c.Reads {
			f, ok := waiting[report.Next]
			if !ok {
				break
			}
			delete(waiting, report.Next)
			if f.err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return f.err
			}
			report.add(f)
			c.Progress(report)
		}
	}
	return nil
}

// only compares the requests of the numbers asked for.
func (r *run) only(ctx context.Context, c Config, report *Report) error {
	r.thin = 1
	for _, number := range c.Only {
		f := r.find(ctx, number)
		if f.err != nil {
			return f.err
		}
		report.add(f)
		c.Progress(report)
	}
	return nil
}

// find makes the request of a number and compares it.
func (r *run) find(ctx context.Context, number int) finding {
	f := finding{number: number}
	if f.request, f.err = r.generator.Request(ctx, number); f.err != nil {
		return f
	}
	var q reader.Query
	if q, f.err = f.request.Query(r.catalogue); f.err != nil {
		return f
	}
	f.stored = storage{catalogue: r.catalogue}.request(f.request)
	f.pure = storage{catalogue: r.catalogue, pure: true}.request(f.request)
	path, reason, err := r.reader.Explain(ctx, r.users[f.request.User].Credentials, q)
	if f.path, f.reason = path, reason; err != nil {
		if _, f.err = refused(err); f.err != nil {
			return f
		}
		f.path = "refused"
	}
	if path == reader.PathOdoo && rand.New(rand.NewPCG(^r.seed, uint64(number))).IntN(r.thin) > 0 {
		return f
	}
	f.verdict, f.err = r.patiently(ctx, f.request)
	switch {
	case f.err != nil && slow(f.err) && ctx.Err() == nil:
		f.slow, f.err = true, nil
	case f.err == nil && !f.verdict.moving:
		f.compared = true
		if f.verdict.kind != "" && r.shrunk.Add(1) <= shrinkMost {
			f.request, f.verdict = r.shrink(ctx, f.request, f.verdict)
		}
	}
	return f
}

// shrink looks for the smallest request that disagrees in the same way.
func (r *run) shrink(ctx context.Context, request Request, v verdict) (Request, verdict) {
	ctx, cancel := context.WithTimeout(ctx, shrinkTime)
	defer cancel()
	request = Shrink(ctx, request, func(smaller Request) bool {
		sv, err := r.once(ctx, smaller)
		if err != nil || sv.kind != v.kind {
			return false
		}
		v = sv
		return true
	})
	return request, v
}
