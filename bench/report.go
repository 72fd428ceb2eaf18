package bench

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what a run has found.
type Report struct {
	Machine  Machine   `json:"machine"`
	Rounds   int       `json:"rounds"`
	Seconds  float64   `json:"seconds_per_turn"`
	Orders   int       `json:"orders"`
	Lines    int       `json:"lines_per_order"`
	Partners int       `json:"partners"`
	Results  []Result  `json:"comparison"`
	Latency  *Latency  `json:"latency"`
	Streams  []Stream  `json:"streams,omitempty"`
	Curves   []Curve   `json:"curves,omitempty"`
	Started  time.Time `json:"started"`
	// Ended is why the run ended before it was done; empty: it did not.
	Ended string `json:"ended_early,omitempty"`
}

// Machine is what the figures are of.
type Machine struct {
	CPU      string `json:"cpu"`
	Cores    int    `json:"cores"`
	System   string `json:"system"`
	Go       string `json:"go"`
	Odoo     string `json:"odoo"`
	Postgres string `json:"postgresql"`
	Commit   string `json:"commit"`
	Provider string `json:"stack"`
}

// Result compares the peers on one workload.
type Result struct {
	Name     string           `json:"name"`
	Title    string           `json:"title"`
	Records  int              `json:"records"`
	Compared int              `json:"answers_compared"`
	Peers    map[string]*Peer `json:"peers"`
	// Writes is how many orders were written meanwhile, in all turns.
	Writes int `json:"writes,omitempty"`
	// CPU and PostgresCPU are the processors' time for a request of lateral's, in lateral and in PostgreSQL; the latter is 0 where
	// PostgreSQL's processes cannot be seen.
	CPU         time.Duration `json:"lateral_cpu_ns"`
	PostgresCPU time.Duration `json:"postgresql_cpu_ns"`
	// Memory is the most that lateral had in any turn, in bytes.
	Memory int64 `json:"lateral_peak_memory"`

	cpu, postgresCPU []time.Duration
}

// Peer is what one of those compared can do, in requests per second.
type Peer struct {
	Median float64   `json:"median"`
	Rounds []float64 `json:"rounds"`
}

func (p *Peer) add(rate float64) { p.Rounds = append(p.Rounds, rate) }

// Latency is how long requests take at a fixed rate: of each figure the median of the rounds.
type Latency struct {
	LatencyRound
	// Tail is p99 in those of p50: the median of the rounds' own ratios, since what disturbs the machine disturbs both of a round.
	Tail   float64        `json:"p99_of_p50"`
	Rounds []LatencyRound `json:"rounds"`
}

// LatencyRound is what one round found.
type LatencyRound struct {
	Saturated float64       `json:"saturated_per_second"`
	Rate      float64       `json:"rate_per_second"`
	Requests  int           `json:"requests"`
	P50       time.Duration `json:"p50_ns"`
	P90       time.Duration `json:"p90_ns"`
	P99       time.Duration `json:"p99_ns"`
	P999      time.Duration `json:"p999_ns"`
}

func byTail(a, b LatencyRound) int { return cmp.Compare(a.tail(), b.tail()) }

func (l LatencyRound) tail() float64 { return float64(l.P99) / float64(l.P50) }

// finish takes the medians; the requests are those of all rounds.
func (l *Latency) finish() {
	l.Requests = 0
	for _, round := range l.Rounds {
		l.Requests += round.Requests
	}
	l.Saturated = medianOf(l.Rounds, func(r LatencyRound) float64 { return r.Saturated })
	l.Rate = medianOf(l.Rounds, func(r LatencyRound) float64 { return r.Rate })
	l.P50 = medianOf(l.Rounds, func(r LatencyRound) time.Duration { return r.P50 })
	l.P90 = medianOf(l.Rounds, func(r LatencyRound) time.Duration { return r.P90 })
	l.P99 = medianOf(l.Rounds, func(r LatencyRound) time.Duration { return r.P99 })
	l.P999 = medianOf(l.Rounds, func(r LatencyRound) time.Duration { return r.P999 })
	l.Tail = medianOf(l.Rounds, LatencyRound.tail)
}

// Stream is one long answer.
type Stream struct {
	Name      string        `json:"name"`
	Bytes     int64         `json:"bytes"`
	FirstByte time.Duration `json:"first_byte_ns"`
	Took      time.Duration `json:"took_ns"`
	AboveIdle int64         `json:"memory_above_idle"`
}

func newReport(o Options, deps Deps) *Report {
	r := &Report{
		Rounds: o.Rounds, Seconds: o.Duration.Seconds(), Orders: o.Sizes.Orders, Lines: o.Sizes.Lines, Partners: o.Sizes.Partners,
		Started: time.Now().UTC().Truncate(time.Second),
		Machine: Machine{
			CPU: processor(), Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(),
			Odoo: deps.Stack.Version, Commit: o.Commit, Provider: deps.Stack.Provider,
		},
	}
	return r
}

// processor is the name that the processor gives itself.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	_, rest, _ := strings.Cut(string(text), "model name")
	line, _, _ := strings.Cut(rest, "\n")
	_, name, _ := strings.Cut(line, ":")
	return strings.TrimSpace(name)
}

// median of a copy; 0 of nothing.
func median[T float64 | time.Duration](values []T) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// medianOf is the median of what items have.
func medianOf[E any, T float64 | time.Duration](items []E, of func(E) T) T {
	values := make([]T, len(items))
	for i, item := range items {
		values[i] = of(item)
	}
	return median(values)
}

// finish takes the medians.
func (r *Result) finish() {
	for _, p := range r.Peers {
		p.Median = median(p.Rounds)
	}
	r.CPU, r.PostgresCPU = median(r.cpu), median(r.postgresCPU)
}

// ratio is lateral's throughput in those of a peer: the median of the rounds' own ratios, since what disturbs the machine disturbs
// both of a round; where a peer had fewer rounds, the ratio of the medians.
func (r *Result) ratio(peer string) float64 {
	ours, theirs := r.Peers[peerLateral], r.Peers[peer]
	if len(ours.Rounds) != len(theirs.Rounds) {
		return ours.Median / theirs.Median
	}
	ratios := make([]float64, len(ours.Rounds))
	for i := range ratios {
		ratios[i] = ours.Rounds[i] / theirs.Rounds[i]
	}
	return median(ratios)
}

func (r *Result) line() string {
	return fmt.Sprintf("%.4g/s, %.2f of the ceiling, %.3g × web_read (%.3g × a plain one), %.3g × XML-RPC, %s CPU",
		r.Peers[peerLateral].Median, r.ratio(peerCeiling), r.ratio(peerWeb), r.ratio(peerPlain), r.ratio(peerLevels), microseconds(r.CPU))
}

func microseconds(d time.Duration) string {
	return fmt.Sprintf("%.4g µs", float64(d)/float64(time.Microsecond))
}

// spread is how far rounds lie apart, in parts of the median.
func (p *Peer) spread() float64 {
	if p.Median == 0 {
		return 0
	}
	return (slices.Max(p.Rounds) - slices.Min(p.Rounds)) / p.Median
}

// WriteTable writes the report for a terminal.
func (r *Report) WriteTable(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(cells ...any) {
		for _, cell := range cells {
			fmt.Fprintf(table, "%v\t", cell)
		}
		fmt.Fprintln(table)
	}
	fmt.Fprintf(out, "%s, %d cores, %s, PostgreSQL %s, Odoo %s (%s), commit %s\n%d orders with %d lines, %d partners; medians of %d rounds of %.0f s, %d clients where nothing else is said\n\n",
		r.Machine.CPU, r.Machine.Cores, r.Machine.Go, r.Machine.Postgres, r.Machine.Odoo, r.Machine.Provider, r.Machine.Commit,
		r.Orders, r.Lines, r.Partners, r.Rounds, r.Seconds, comparedClients)
	if r.Ended != "" {
		fmt.Fprintf(out, "The run ended early: %s\n\n", r.Ended)
	}
	row("read", "lateral/s", "±", "pgbench/s", "of it", "web_read/s", "times", "plain/s", "times", "XML-RPC/s", "times", "CPU lateral", "CPU PostgreSQL", "memory")
	for i := range r.Results {
		v := &r.Results[i]
		row(v.Title, number(v.Peers[peerLateral].Median), fmt.Sprintf("%.0f%%", 100*v.Peers[peerLateral].spread()),
			number(v.Peers[peerCeiling].Median), fmt.Sprintf("%.2f", v.ratio(peerCeiling)),
			number(v.Peers[peerWeb].Median), number(v.ratio(peerWeb)), number(v.Peers[peerPlain].Median), number(v.ratio(peerPlain)), number(v.Peers[peerLevels].Median), number(v.ratio(peerLevels)),
			microseconds(v.CPU), microseconds(v.PostgresCPU), megabytes(v.Memory)+" MB")
	}
	fmt.Fprintln(table)
	if l := r.Latency; l != nil {
		row("latency at a fixed rate, 9 of 10 one order", "sustained/s", "rate/s", "p50", "p90", "p99", "p99.9", "p99/p50", "from", "to")
		row(fmt.Sprintf("%d requests", l.Requests), number(l.Saturated), number(l.Rate), l.P50.Round(time.Microsecond), l.P90.Round(time.Microsecond),
			l.P99.Round(time.Microsecond), l.P999.Round(time.Microsecond), fmt.Sprintf("%.1f", l.Tail),
			fmt.Sprintf("%.1f", slices.MinFunc(l.Rounds, byTail).tail()), fmt.Sprintf("%.1f", slices.MaxFunc(l.Rounds, byTail).tail()))
		fmt.Fprintln(table)
	}
	if len(r.Streams) > 0 {
		row("all orders, nested", "MB", "first byte", "whole", "memory above idle")
		for _, s := range r.Streams {
			row(s.Name, megabytes(s.Bytes), s.FirstByte.Round(time.Millisecond), s.Took.Round(time.Millisecond), megabytes(s.AboveIdle)+" MB")
		}
		fmt.Fprintln(table)
	}
	for _, c := range r.Curves {
		head := []any{c.Name, "lateral/s", "pgbench/s", "of it", "each", "CPU lateral"}
		web := c.Points[0].Web > 0
		if web {
			head = append(head, "web_read/s", "times")
		}
		row(head...)
		for _, p := range c.Points {
			cells := []any{p.X, number(p.Lateral), number(p.Ceiling), fmt.Sprintf("%.2f", p.Lateral/p.Ceiling), number(1000*p.Cost) + " ms", microseconds(p.CPU)}
			switch {
			case p.Web > 0:
				cells = append(cells, number(p.Web), number(p.Lateral/p.Web))
			case web:
				cells = append(cells, "", "")
			}
			row(cells...)
		}
		fmt.Fprintln(table)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, c := range r.Curves {
		if _, err := fmt.Fprintf(out, "%s: %s\n", c.Name, c.verdict()); err != nil {
			return err
		}
	}
	return nil
}

func number(v float64) string { return fmt.Sprintf("%.3g", v) }

func megabytes(n int64) string { return fmt.Sprintf("%.1f", float64(n)/(1<<20)) }

// WriteJSON writes the report for programs.
func (r *Report) WriteJSON(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}
