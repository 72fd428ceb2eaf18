package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lateral/integration/stack"
	"lateral/pg"
	"lateral/schema"
)

func TestTreeAsPreset(t *testing.T) {
	text := example3().preset()
	value, err := schema.ParseLiteral(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	tuple, ok := value.(schema.Tuple)
	if !ok || len(tuple) != len(example3()) {
		t.Errorf("%s is a %T of %d", text, value, len(tuple))
	}
}

func TestScript(t *testing.T) {
	clones := stack.Clones{FirstOrder: 40, LastOrder: 99, Sellers: 3}
	one := workload{One: true, Stride: 3}
	script, variables, err := one.script(pg.Statement{
		SQL:  "SELECT to_char(d, 'HH24:MI'), $2::text FROM t WHERE id = $1 AND company = ANY ($10) AND n <> 'it''s: \\'",
		Args: []any{int64(0), "en_US", 3, 4, 5, 6, 7, 8, 9, []int64{1, 2}},
	}, clones)
	if err != nil {
		t.Fatal(err)
	}
	want := "\\set k random(0, 19)\n\\set a1 40 + :k * 3\n" +
		`SELECT to_char(d, U&'HH24\003aMI'), :a2::text FROM t WHERE id = :a1 AND company = ANY (:a10) AND n <> U&'it''s\003a \\'` + ";\n"
	if script != want {
		t.Errorf("got\n%s\nwant\n%s", script, want)
	}
	if got := strings.Join(variables, " "); !strings.HasPrefix(got, "-D a2=en_US -D a3=3 ") || !strings.HasSuffix(got, "-D a10={1,2}") {
		t.Errorf("variables: %s", got)
	}
	if _, _, err := one.script(pg.Statement{Args: []any{0, struct{}{}}}, clones); err == nil {
		t.Error("a parameter of an unknown type is written")
	}
}

func TestEqual(t *testing.T) {
	fields := tree{{Name: "id"}, {Name: "name"}, {Name: "partner_id", Sub: tree{{Name: "id"}}}, {Name: "lines", List: true, Sub: tree{{Name: "qty"}}}}
	const odoo = `{"id": 1, "name": false, "partner_id": {"id": 2}, "lines": [{"qty": 5.0}]}`
	for ours, differs := range map[string]string{
		`{"id": 1, "name": null, "partner_id": {"id": 2}, "lines": [{"qty": 5}]}`:             "",
		`{"id": 1, "name": "x", "partner_id": {"id": 2}, "lines": [{"qty": 5}]}`:              ".name",
		`{"id": 1, "partner_id": {"id": 2}, "lines": [{"qty": 5}]}`:                           ".name",
		`{"id": 1, "name": null, "partner_id": null, "lines": [{"qty": 5}]}`:                  ".partner_id",
		`{"id": 1, "name": null, "partner_id": {"id": 2}, "lines": []}`:                       ".lines",
		`{"id": 1, "name": null, "partner_id": {"id": 2}, "lines": [{"qty": 5}, {"qty": 5}]}`: ".lines",
		`{"id": 1, "name": null, "partner_id": {"id": 2}, "lines": [{"qty": 6}]}`:             ".lines[0].qty",
	} {
		var a, b any
		if err := errors.Join(decode([]byte(ours), &a), decode([]byte(odoo), &b)); err != nil {
			t.Fatal(err)
		}
		err := fields.equal(a, b, "record")
		if differs == "" && err != nil || differs != "" && (err == nil || !strings.HasPrefix(err.Error(), "record"+differs+":")) {
			t.Errorf("%s: %v, want a difference in %q", ours, err, differs)
		}
	}
}

// countingClient takes a fixed time for each request.
type countingClient struct {
	n    *atomic.Int64
	stop bool
}

func (c countingClient) do(context.Context) error {
	c.n.Add(1)
	if c.stop {
		return errors.New("no more")
	}
	return nil
}

func (c countingClient) close() {}

func TestLoops(t *testing.T) {
	var n atomic.Int64
	m, err := closedLoop(t.Context(), []client{countingClient{n: &n}, countingClient{n: &n}}, time.Millisecond)
	if err != nil || int64(m.Requests) != n.Load() || m.Requests < 2 {
		t.Errorf("closed: %d of %d requests, %v", m.Requests, n.Load(), err)
	}
	n.Store(0)
	m, err = openLoop(t.Context(), []client{countingClient{n: &n}}, 10_000, 10*time.Millisecond)
	if err != nil || m.Requests != 100 || n.Load() != 100 {
		t.Errorf("open: %d of %d requests, want 100; %v", m.Requests, n.Load(), err)
	}
	if _, err := closedLoop(t.Context(), []client{countingClient{n: &n, stop: true}}, time.Minute); err == nil {
		t.Error("a failed request does not end a closed loop")
	}
	if _, err := openLoop(t.Context(), []client{countingClient{n: &n, stop: true}}, 1000, 5*time.Millisecond); err == nil {
		t.Error("a failed request does not fail an open loop")
	}
}

func TestFigures(t *testing.T) {
	if got := median([]float64{3, 1, 2}); got != 2 {
		t.Errorf("median of three: %v", got)
	}
	if got := median([]float64{4, 1, 2, 3}); got != 2.5 {
		t.Errorf("median of four: %v", got)
	}
	m := measured{Times: []time.Duration{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}
	if m.quantile(0.5) != 6 || m.quantile(0.99) != 10 || m.quantile(1) != 10 {
		t.Errorf("quantiles: %v %v %v", m.quantile(0.5), m.quantile(0.99), m.quantile(1))
	}
	r := Result{Title: "one order", Peers: map[string]*Peer{
		peerLateral: {Rounds: []float64{10, 90, 30}}, peerCeiling: {Rounds: []float64{20, 100, 60}},
		peerWeb: {Rounds: []float64{1}}, peerLevels: {Rounds: []float64{2}},
	}}
	r.finish()
	if got := r.ratio(peerCeiling); got != 0.5 {
		t.Errorf("ratio of rounds: %v", got)
	}
	if got := r.ratio(peerWeb); got != 30 {
		t.Errorf("ratio of medians: %v", got)
	}
}

func TestCurve(t *testing.T) {
	for name, test := range map[string]struct {
		points   []Point // amounts and costs
		exponent float64
		linear   bool
	}{
		"flat":         {[]Point{{Amount: 1, Cost: 2}, {Amount: 10, Cost: 2}, {Amount: 100, Cost: 1}}, 0, true},
		"linear":       {[]Point{{Amount: 1, Cost: 1}, {Amount: 4, Cost: 4}, {Amount: 16, Cost: 16}}, 1, true},
		"quadratic":    {[]Point{{Amount: 1, Cost: 1}, {Amount: 10, Cost: 100}}, 2, false},
		"late":         {[]Point{{Amount: 1, Cost: 10}, {Amount: 10, Cost: 10}, {Amount: 100, Cost: 1000}}, 2, false},
		"too near":     {[]Point{{Amount: 1, Cost: 1}, {Amount: 2, Cost: 8}}, 0, true},
		"amount of 0":  {[]Point{{Amount: 0, Cost: 1}, {Amount: 2, Cost: 8}}, 0, true},
		"single point": {[]Point{{Amount: 1, Cost: 1}}, 0, true},
	} {
		c := Curve{Points: test.points}
		c.judge()
		if math.Abs(c.Exponent-test.exponent) > 1e-9 || c.Linear != test.linear {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if got := objects([]any{map[string]any{"a": nil, "b": []any{map[string]any{}, 1.0}}, map[string]any{}}); got != 3 {
		t.Errorf("objects: %v", got)
	}
}

func TestReport(t *testing.T) {
	result := Result{Title: "one <order>", Peers: map[string]*Peer{}}
	for _, name := range peers {
		result.Peers[name] = &Peer{Rounds: []float64{1}}
	}
	result.finish()
	latency := &Latency{Rounds: []LatencyRound{
		{Saturated: 20, Rate: 10, Requests: 5, P50: 1, P90: 2, P99: 9},
		{Saturated: 30, Rate: 15, Requests: 6, P50: 4, P90: 5, P99: 12},
		{Saturated: 40, Rate: 20, Requests: 7, P50: 3, P90: 6, P99: 12},
	}}
	latency.finish()
	if want := (LatencyRound{Saturated: 30, Rate: 15, Requests: 18, P50: 3, P90: 5, P99: 12}); latency.LatencyRound != want || latency.Tail != 4 {
		t.Errorf("latency: %+v", latency)
	}
	report := Report{Results: []Result{result}, Latency: latency, Streams: []Stream{{Name: "fast"}}}
	report.add("depth", Point{X: 1, Amount: 1, Lateral: 3, Ceiling: 4, Cost: 1})
	report.add("lines", Point{X: 1, Amount: 1, Lateral: 3, Ceiling: 4, Cost: 1})
	report.add("depth", Point{X: 5, Amount: 5, Lateral: 1, Ceiling: 2, Cost: 25})
	var table, plain, page bytes.Buffer
	if err := errors.Join(report.WriteTable(&table), report.WriteJSON(&plain), report.WriteHTML(&page)); err != nil {
		t.Fatal(err)
	}
	if !json.Valid(plain.Bytes()) {
		t.Errorf("not JSON: %s", plain.Bytes())
	}
	for _, want := range []string{"one <order>", "0.75", "fast", "18 requests", "depth: WORSE THAN LINEAR", "power of 2.00", "lines: no worse"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table has no %q:\n%s", want, table.String())
		}
	}
	if !strings.Contains(page.String(), "one &lt;order&gt;") || strings.Contains(page.String(), "<pre>one <order>") {
		t.Errorf("the page has the table unescaped, or not at all")
	}
}
