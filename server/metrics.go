package server

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"
)

// maxModels is how many models get a label of their own; names come from clients, and a registry
// never forgets one.
const maxModels = 200

// Metrics counts what the server does, in a registry of its own.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	sent     *prometheus.CounterVec
	broken   prometheus.Counter
	panics   prometheus.Counter
	renewals prometheus.Counter

	cacheHits, cacheMisses prometheus.Counter

	inFlight prometheus.Gauge
	reads    *prometheus.CounterVec
	byOdoo   *prometheus.CounterVec
	calls    *prometheus.CounterVec
	shadows  *prometheus.CounterVec
	together prometheus.Histogram
	callTime *prometheus.HistogramVec

	mu     sync.Mutex
	models map[string]bool
}

// NewMetrics returns metrics with a registry of their own, Go's and the process's included.
func NewMetrics() *Metrics {
	durations := []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	m := &Metrics{
		registry:    prometheus.NewRegistry(),
		requests:    counters("requests_total", "Requests answered.", "route", "method", "status"),
		sent:        counters("response_bytes_total", "Bytes of bodies sent.", "route"),
		reads:       counters("reads_total", "Reads answered, by the way they were read.", "path"),
		byOdoo:      counters("odoo_reads_total", "Reads that went through Odoo as a whole.", "model"),
		calls:       counters("odoo_calls_total", "Calls of Odoo.", "outcome"),
		shadows:     counters("shadow_checks_total", "Reads through SQL that were to be repeated through Odoo, by what became of it.", "outcome"),
		broken:      counter("responses_broken_total", "Streamed answers that ended early."),
		panics:      counter("panics_total", "Bugs survived."),
		renewals:    counter("renewals_total", "Changes of Odoo's models or rights that were noticed."),
		cacheHits:   counter("statement_cache_hits_total", "Reads whose statement was compiled before."),
		cacheMisses: counter("statement_cache_misses_total", "Reads whose statement had to be compiled."),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "lateral", Name: "requests_in_flight", Help: "Requests being answered.",
		}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "lateral", Name: "request_duration_seconds", Help: "Time to answer, streaming included.", Buckets: durations,
		}, []string{"route", "method"}),
		together: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "lateral", Name: "reads_together", Help: "Reads of one record that were made together with others, by how many they were.",
			Buckets: []float64{4, 8, 16, 32, 64},
		}),
		callTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "lateral", Name: "odoo_call_duration_seconds", Help: "Time of calls of Odoo.", Buckets: durations,
		}, []string{"outcome"}),
		models: make(map[string]bool),
	}
	m.registry.MustRegister(m.requests, m.duration, m.sent, m.broken, m.panics, m.renewals, m.cacheHits, m.cacheMisses, m.inFlight, m.reads, m.byOdoo,
		m.calls, m.shadows, m.together, m.callTime, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "lateral", Name: name, Help: help})
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "lateral", Name: name, Help: help}, labels)
}

// observe counts a request that has been answered, or whose answer broke.
func (m *Metrics) observe(x *exchange, status int, took time.Duration, broken bool) {
	m.inFlight.Dec()
	m.requests.WithLabelValues(x.route, x.method, strconv.Itoa(status)).Inc()
	m.duration.WithLabelValues(x.route, x.method).Observe(took.Seconds())
	m.sent.WithLabelValues(x.route).Add(float64(x.bytes))
	if broken {
		m.broken.Inc()
	}
	if x.readPath == "" {
		return
	}
	m.reads.WithLabelValues(x.readPath).Inc()
	if x.readPath == "odoo" && x.model != "" {
		m.byOdoo.WithLabelValues(m.modelLabel(x.model)).Inc()
	}
}

func (m *Metrics) modelLabel(model string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.models[model] {
		if len(m.models) >= maxModels {
			return "other"
		}
		m.models[model] = true
	}
	return model
}

// Pool is the state of a pool of database connections.
type Pool struct {
	Max, Total, Acquired, Idle int64
	// Waited is how often, and WaitTime how long in all, a reader had to wait for a connection.
	Waited   int64
	WaitTime time.Duration
}

// WatchPool adds a pool of connections; stat is called at every scrape.
func (m *Metrics) WatchPool(stat func() Pool) {
	gauge := func(name, help string, value func(Pool) float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "lateral", Name: name, Help: help},
			func() float64 { return value(stat()) }))
	}
	gauge("pool_connections_max", "Connections the pool may have.", func(p Pool) float64 { return float64(p.Max) })
	gauge("pool_connections", "Connections the pool has.", func(p Pool) float64 { return float64(p.Total) })
	gauge("pool_connections_acquired", "Connections in use.", func(p Pool) float64 { return float64(p.Acquired) })
	gauge("pool_connections_idle", "Connections not in use.", func(p Pool) float64 { return float64(p.Idle) })
	m.watch("pool_waits_total", "Acquisitions that had to wait.", func() float64 { return float64(stat().Waited) })
	m.watch("pool_wait_seconds_total", "Time waited for connections.", func() float64 { return stat().WaitTime.Seconds() })
}

// WatchTripped adds the number of models that shadow checks have left to Odoo.
func (m *Metrics) WatchTripped(count func() int) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "lateral", Name: "models_tripped", Help: "Models left to Odoo because reads of them through SQL differed.",
	}, func() float64 { return float64(count()) }))
}

// Planned counts a look into the reader's cache of statements; with Renewed, Together and Shadowed it makes Metrics a
// reader.Observer.
func (m *Metrics) Planned(hit bool) {
	if hit {
		m.cacheHits.Inc()
	} else {
		m.cacheMisses.Inc()
	}
}

// Renewed counts that a signal of Odoo made the reader read its catalogue or a user anew.
func (m *Metrics) Renewed() { m.renewals.Inc() }

// Together counts reads of one record that were made together.
func (m *Metrics) Together(reads int) { m.together.Observe(float64(reads)) }

// Shadowed counts what became of a read that was to be repeated through Odoo.
func (m *Metrics) Shadowed(outcome string) { m.shadows.WithLabelValues(outcome).Inc() }

func (m *Metrics) watch(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "lateral", Name: name, Help: help}, value))
}

// Register adds collectors of other packages.
func (m *Metrics) Register(collectors ...prometheus.Collector) error {
	for _, c := range collectors {
		if err := m.registry.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// ObserveOdoo counts a call of Odoo. outcome is "ok" or one of a few classes of errors.
func (m *Metrics) ObserveOdoo(_ string, took time.Duration, outcome string) {
	m.calls.WithLabelValues(outcome).Inc()
	m.callTime.WithLabelValues(outcome).Observe(took.Seconds())
}

// metrics answers GET /metrics in Prometheus' format.
func (s *Server) metrics(x *exchange) {
	x.ctx.Response.Header.Del("Content-Type")
	fasthttpadaptor.NewFastHTTPHandler(promhttp.HandlerFor(s.deps.Metrics.registry, promhttp.HandlerOpts{}))(x.ctx)
}
