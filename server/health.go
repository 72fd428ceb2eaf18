package server

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// Check is one thing the server needs to answer requests.
type Check struct {
	Name string
	// Probe returns nil where the thing is there. Its error is logged, not answered.
	Probe func(ctx context.Context) error
}

const (
	// probeTimeout is how long a probe may take.
	probeTimeout = 5 * time.Second
	// probeAge is how old a verdict may be, so that nobody can use /readyz to keep Odoo busy.
	probeAge = time.Second
)

// readiness asks the checks and remembers for a moment what they said.
type readiness struct {
	checks []Check
	log    *slog.Logger

	mu      sync.Mutex
	asked   time.Time
	missing map[string]bool
}

func newReadiness(checks []Check, log *slog.Logger) *readiness {
	return &readiness{checks: checks, log: log}
}

// ask returns the names of the checks that fail.
func (r *readiness) ask(ctx context.Context) map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.asked) < probeAge {
		return r.missing
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	errs := make([]error, len(r.checks))
	var running sync.WaitGroup
	for i, check := range r.checks {
		running.Go(func() { errs[i] = check.Probe(ctx) })
	}
	running.Wait()
	missing := make(map[string]bool)
	for i, check := range r.checks {
		if errs[i] == nil {
			continue
		}
		missing[check.Name] = true
		if !r.missing[check.Name] {
			r.log.Warn("not ready", slog.String("check", check.Name), slog.String("cause", errs[i].Error()))
		}
	}
	if len(missing) == 0 && (len(r.missing) > 0 || r.asked.IsZero()) {
		r.log.Info("ready")
	}
	r.asked, r.missing = time.Now(), missing
	return missing
}

// Watch asks the checks every so often until ctx ends, so that the log tells what went missing and
// what came back even where nobody asks /readyz.
func (s *Server) Watch(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		s.ready.ask(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// healthz tells that the process is alive, whatever it can reach.
func (s *Server) healthz(x *exchange) { x.send(fasthttp.StatusOK, []byte(`{"status": "alive"}`)) }

// readyz tells whether requests can be answered, and names what is missing.
func (s *Server) readyz(x *exchange) {
	missing := s.ready.ask(s.base)
	ready := len(missing) == 0 && !s.draining.Load()
	var b bytes.Buffer
	b.WriteString(`{"ready": `)
	b.WriteString(map[bool]string{true: "true", false: "false"}[ready])
	if s.draining.Load() {
		b.WriteString(`, "shutting_down": true`)
	}
	b.WriteString(`, "checks": {`)
	for i, check := range s.ready.checks {
		if i > 0 {
			b.WriteString(", ")
		}
		writeText(&b, check.Name)
		b.WriteString(": ")
		writeText(&b, map[bool]string{false: "ok", true: "missing"}[missing[check.Name]])
	}
	b.WriteString("}}")
	status := fasthttp.StatusOK
	if !ready {
		status = fasthttp.StatusServiceUnavailable
	}
	x.send(status, b.Bytes())
}
