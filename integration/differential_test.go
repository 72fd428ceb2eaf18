package integration

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lateral/reader/verify"
	"lateral/schema"
)

// Defaults of the differential test; LATERAL_SEED, LATERAL_DIFF_READS and LATERAL_DIFF_ONLY
// (numbers of single requests) override them.
const (
	diffSeed    = 20260101
	diffTime    = 75 * time.Second
	diffReads   = 500 // of a version, at most, so that a fast machine reads what a slow one has proven
	diffWorkers = 3
	diffShrink  = 10 * time.Second // for one disagreement
	diffShown   = 60               // disagreements that are printed
	diffShrinks = 40 * time.Second // for all disagreements
	diffAgree   = 0.995            // the least share of reads that must agree
)

// TestDifferential compares random reads of every model, as six users, with what Odoo answers the
// same user: the same records in the same order, the same values, the same denials.
func TestDifferential(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		d := newDifferential(t, s)
		d.run(t)
		d.report(t)
	})
}

// differential is one run.
type differential struct {
	*stand
	generator *verify.Generator
	known     *schema.Catalogue
	seed      uint64
	t         *testing.T
	users     map[string]oracle
	own       []verify.User
	views     sync.Map // role and model → verify.View

	mu      sync.Mutex
	counts  map[string]*tally // by model
	byRole  map[string]*tally
	paths   map[string]int
	skipped int
	shown   int
	strict  map[string]int // reads that lateral is known to refuse where Odoo answers, by reason
	shrunk  time.Duration  // spent on shrinking
}

// tally counts comparisons.
type tally struct{ agree, differ, leak, direct int }

// verdict is the result of one comparison.
type verdict struct {
	skipped bool
	leak    bool
	text    string // "" where both agree
	path    string
	strict  string // why lateral may refuse what Odoo answers, where it does
}

func newDifferential(t *testing.T, s *stand) *differential {
	t.Helper()
	d := &differential{
		stand: s, t: t, users: map[string]oracle{}, known: s.catalogue(t), seed: setting("LATERAL_SEED", diffSeed),
		counts: map[string]*tally{}, byRole: map[string]*tally{}, paths: map[string]int{}, strict: map[string]int{},
	}
	for _, role := range roles() {
		d.users[role] = s.quickJudge(t, role)
	}
	var err error
	d.generator, err = verify.NewGenerator(t.Context(), verify.GeneratorConfig{
		Seed: d.seed, Catalogue: d.known, Database: s.pool, Users: d.companies(t), Viewer: d,
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// setting reads a number from the environment.
func setting(name string, fallback uint64) uint64 {
	if n, err := strconv.ParseUint(os.Getenv(name), 10, 64); err == nil {
		return n
	}
	return fallback
}

// companies tells of every user the companies, as Odoo does.
func (d *differential) companies(t *testing.T) []verify.User {
	t.Helper()
	users := make([]verify.User, 0, len(d.users))
	for _, role := range roles() {
		judge := d.users[role]
		rows := d.call(t, judge.who, "res.users", "read", []any{[]any{judge.who.UID}}, map[string]any{"fields": []any{"company_ids"}})
		ids, err := int64s(rows.([]any)[0].(map[string]any)["company_ids"])
		if err != nil {
			t.Fatal(err)
		}
		users = append(users, verify.User{Name: role, Companies: ids})
	}
	d.own = users
	return users
}

// View implements verify.Viewer by asking Odoo, once for a user and a model.
func (d *differential) View(ctx context.Context, role, model string) (verify.View, error) {
	key := role + " " + model
	if known, ok := d.views.Load(key); ok {
		return known.(verify.View), nil
	}
	asker := d.users[role]
	view := verify.View{}
	_, err := asker.search(ctx, model, []any{[]any{"id", "=", 0}}, "", 0, 1)
	if err == nil {
		var result any
		result, err = asker.odoo.Execute(ctx, asker.who, model, "fields_get", []any{}, map[string]any{"attributes": []any{"type"}})
		if err == nil {
			view = verify.View{Readable: true, Fields: map[string]bool{}}
			for name := range result.(map[string]any) {
				view.Fields[name] = true
			}
		}
	}
	if err != nil {
		if _, err := refusalOf(err); err != nil {
			return view, err
		}
	}
	d.views.Store(key, view)
	return view, nil
}

// run compares requests until the time or the number of reads is spent.
func (d *differential) run(t *testing.T) {
	t.Helper()
	t.Logf("LATERAL_SEED=%d", d.seed)
	if list := os.Getenv("LATERAL_DIFF_ONLY"); list != "" {
		for text := range strings.SplitSeq(list, ",") {
			number, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.compareNumber(t.Context(), number); err != nil {
				t.Error(err)
			}
		}
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), diffTime)
	if reads := os.Getenv("LATERAL_DIFF_READS"); reads != "" {
		ctx, cancel = context.WithCancel(t.Context())
	}
	defer cancel()
	limit := int64(setting("LATERAL_DIFF_READS", diffReads))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range diffWorkers {
		workers.Go(func() {
			for ctx.Err() == nil {
				number := next.Add(1) - 1
				if number >= limit {
					return
				}
				if err := d.compareNumber(ctx, int(number)); err != nil && ctx.Err() == nil {
					t.Errorf("request %d: %v", number, err)
				}
			}
		})
	}
	workers.Wait()
}

// compareNumber compares one request and shrinks it where the two sides disagree.
func (d *differential) compareNumber(ctx context.Context, number int) error {
	r, err := d.generator.Request(ctx, number)
	if err != nil {
		return err
	}
	v, err := d.compare(ctx, r)
	if err != nil {
		return fmt.Errorf("%s: %w", r, err)
	}
	d.count(r, v)
	if v.text == "" {
		return nil
	}
	d.mu.Lock()
	d.shown++
	show, left := d.shown <= diffShown, diffShrinks-d.shrunk
	d.mu.Unlock()
	if show {
		begin := time.Now()
		// Shrinking has a time of its own.
		d.shrink(context.WithoutCancel(ctx), number, r, v, min(diffShrink, left))
		d.mu.Lock()
		d.shrunk += time.Since(begin)
		d.mu.Unlock()
	}
	return nil
}

// shrink looks for the smallest request that still disagrees, and logs it.
func (d *differential) shrink(ctx context.Context, number int, r verify.Request, v verdict, during time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, during)
	defer cancel()
	r = verify.Shrink(ctx, r, func(smaller verify.Request) bool {
		sv, err := d.compareOnce(ctx, smaller)
		if err != nil || sv.text == "" || sv.leak != v.leak {
			return false
		}
		v = sv
		return true
	})
	kind := "DIFFER"
	if v.leak {
		kind = "LEAK"
	}
	d.t.Logf("%s #%d (%s) %s\n      %s", kind, number, cmp.Or(v.path, "refused"), r, v.text)
}

// compare asks both sides. A disagreement counts only if it is still there when asked again, so
// that values which depend on the clock do not.
func (d *differential) compare(ctx context.Context, r verify.Request) (verdict, error) {
	v, err := d.compareOnce(ctx, r)
	if err == nil && v.text != "" {
		v, err = d.compareOnce(ctx, r)
	}
	return v, err
}

func (d *differential) compareOnce(ctx context.Context, r verify.Request) (verdict, error) {
	judge := d.users[r.User]
	judge.context = maps.Clone(judge.context)
	maps.Copy(judge.context, r.Context)
	q, err := r.Query(d.known)
	if err != nil {
		return verdict{}, err
	}
	got, err := d.lateral(ctx, judge.who, q)
	if ctx.Err() != nil {
		return verdict{}, ctx.Err()
	}
	if err != nil {
		// What no request deserves, such as PostgreSQL's refusal of a statement.
		return verdict{text: "lateral failed: " + err.Error(), path: got.path}, nil
	}
	if r.One && got.refusal == "" && len(got.records) == 0 {
		got.refusal = refusedMissing
	}
	odoo, err := judge.ask(ctx, r, false)
	if errors.Is(err, errUnanswerable) {
		return verdict{skipped: true, path: got.path}, nil
	}
	if err != nil {
		return verdict{}, err
	}
	d.sortComputed(r, got.records)
	d.sortComputed(r, odoo.records)
	v := verdict{path: got.path, text: disagreement(got, odoo)}
	if got.refusal == refusedAccess && odoo.refusal == "" {
		if v.strict, err = d.stricter(ctx, judge, r, got, odoo); v.strict != "" {
			v.text = ""
		}
		return v, err
	}
	if v.text == "" || got.refusal != "" || odoo.refusal != "" {
		v.leak = got.refusal == "" && odoo.refusal == refusedAccess && len(got.records) > 0
		return v, nil
	}
	// Where an order leaves ties, Odoo's answer is one of many. With the id added it must be ours.
	total, err := judge.ask(ctx, r, true)
	if err != nil {
		return v, err
	}
	d.sortComputed(r, total.records)
	if text := disagreement(got, total); text != "" {
		v.text = text
	} else {
		err := d.checkTies(ctx, judge, r, odoo.ids, &v)
		return v, err
	}
	v.leak, err = d.leaks(ctx, judge, r, got, odoo)
	return v, err
}

// checkTies makes sure that Odoo's own answer differs from the total order in nothing but ties:
// record by record it must be from the same group of equals. Ordering by the id downwards as well
// tells which these are, since it turns every group around.
func (d *differential) checkTies(ctx context.Context, judge oracle, r verify.Request, plain []int64, v *verdict) error {
	domain, err := judge.rootDomain(r)
	if err != nil {
		return err
	}
	order := judge.totalOrder(r.Model, strings.Join(r.Order, ", "))
	if !strings.HasSuffix(order, ", id") {
		v.text = "" // The order was total; the ties were in nested lists.
		return nil
	}
	upwards, err := judge.search(ctx, r.Model, domain, order, 0, 0)
	if err != nil {
		return err
	}
	downwards, err := judge.search(ctx, r.Model, domain, order+" desc", 0, 0)
	if err != nil {
		return err
	}
	group := make(map[int64]int, len(upwards))
	groupAt := make([]int, len(upwards))
	place := make(map[int64]int, len(upwards))
	for i, id := range upwards {
		place[id] = i
	}
	for i := 0; i < len(upwards) && len(upwards) == len(downwards); {
		last := place[downwards[i]]
		for j := i; j <= last; j++ {
			group[upwards[j]], groupAt[j] = i, i
		}
		i = max(last, i) + 1
	}
	for i, id := range plain {
		at := int(r.Offset) + i
		if at >= len(upwards) || group[id] != groupAt[at] {
			v.text = fmt.Sprintf("order: Odoo's own order %v is not %q made total: %v", plain, order, upwards)
			return nil
		}
	}
	v.text = ""
	return nil
}

// disagreement describes how two outcomes differ.
func disagreement(got, odoo outcome) string {
	switch {
	case got.refusal != "" && odoo.refusal != "":
		// Of a request with several faults each side may find another one first.
		return ""
	case got.refusal != odoo.refusal:
		return fmt.Sprintf("lateral %s, Odoo %s", describeOutcome(got), describeOutcome(odoo))
	case !slices.Equal(got.ids, odoo.ids):
		return fmt.Sprintf("ids: lateral %v, Odoo %v", got.ids, odoo.ids)
	}
	for i := range odoo.records {
		if d := difference(fmt.Sprintf("record %d", odoo.ids[i]), got.records[i], odoo.records[i]); d != "" {
			return d
		}
	}
	return ""
}

func describeOutcome(o outcome) string {
	if o.refusal == "" {
		return fmt.Sprintf("answers %d records", len(o.records))
	}
	text := strings.ReplaceAll(o.text, "\n", " ")
	if len(text) > 300 {
		text = text[:300] + "…"
	}
	return o.refusal + " (" + text + ")"
}

// leaks reports whether an answer shows a record, at the top or nested, that Odoo would not show
// this user at all.
func (d *differential) leaks(ctx context.Context, judge oracle, r verify.Request, got, odoo outcome) (bool, error) {
	extra := map[string]map[int64]bool{}
	collect(d.known, r.Model, r.Wants, got.records, extra, true)
	seen := map[string]map[int64]bool{}
	collect(d.known, r.Model, r.Wants, odoo.records, seen, true)
	judge.context = maps.Clone(judge.context)
	judge.context["active_test"] = false
	for model, ids := range extra {
		var unknown []int64
		for id := range ids {
			if !seen[model][id] {
				unknown = append(unknown, id)
			}
		}
		if len(unknown) == 0 {
			continue
		}
		visible, err := judge.search(ctx, model, []any{[]any{"id", "in", unknown}}, "id", 0, 0)
		if refusal, err2 := refusalOf(err); err != nil && err2 == nil && refusal == refusedAccess {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		if len(visible) < len(unknown) {
			return true, nil
		}
	}
	return false, nil
}

// collect gathers the ids of all records that an answer shows, by model. The target of a many2one
// as a plain id is shown by Odoo whatever the rules say.
func collect(c *schema.Catalogue, model string, wants []verify.Want, records []object, into map[string]map[int64]bool, top bool) {
	add := func(model string, value any) {
		if id, ok := value.(float64); ok {
			if into[model] == nil {
				into[model] = map[int64]bool{}
			}
			into[model][int64(id)] = true
		}
	}
	forms := map[string]verify.Want{}
	for _, w := range wants {
		forms[w.Name] = w
	}
	for _, record := range records {
		for _, m := range record {
			f := c.Model(model).Field(m.key)
			switch {
			case m.key == "id" && top:
				add(model, m.value)
			case f == nil || !f.Type.Relational():
			case forms[m.key].Form == schema.Plain && f.Type.X2many():
				list, isList := m.value.([]any)
				if !isList {
					list = []any{m.value}
				}
				for _, id := range list {
					add(f.Comodel, id)
				}
			case forms[m.key].Form != schema.Plain:
				list, isList := m.value.([]any)
				if !isList {
					list = []any{m.value}
				}
				var nested []object
				for _, item := range list {
					if document, ok := item.(object); ok {
						nested = append(nested, document)
					}
				}
				collect(c, f.Comodel, forms[m.key].Sub, nested, into, true)
			}
		}
	}
}

// count files a verdict.
func (d *differential) count(r verify.Request, v verdict) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if v.skipped {
		d.skipped++
		return
	}
	path := v.path
	if path == "" {
		path = "refused"
	}
	d.paths[path]++
	if v.strict != "" {
		d.strict[v.strict]++
	}
	for _, file := range []struct {
		tallies map[string]*tally
		key     string
	}{{d.counts, r.Model}, {d.byRole, r.User}} {
		entry := file.tallies[file.key]
		if entry == nil {
			entry = &tally{}
			file.tallies[file.key] = entry
		}
		switch {
		case v.text == "":
			entry.agree++
			if v.path == "direct" || v.path == "hybrid" {
				entry.direct++
			}
		case v.leak:
			entry.leak++
		default:
			entry.differ++
		}
	}
}

// report prints the tables and fails the test where lateral is not good enough.
func (d *differential) report(t *testing.T) {
	t.Helper()
	var all tally
	direct := 0
	var b strings.Builder
	line := func(name string, c *tally) {
		share := 100 * float64(c.agree) / float64(max(c.agree+c.differ+c.leak, 1))
		fmt.Fprintf(&b, "  %-40s agree %5d  differ %4d  leak %3d  %6.2f %%  in SQL %d\n", name, c.agree, c.differ, c.leak, share, c.direct)
	}
	for _, name := range slices.Sorted(maps.Keys(d.counts)) {
		c := d.counts[name]
		all.agree, all.differ, all.leak, all.direct = all.agree+c.agree, all.differ+c.differ, all.leak+c.leak, all.direct+c.direct
		if c.direct > 0 {
			direct++
		}
		if c.differ+c.leak > 0 || testing.Verbose() && os.Getenv("LATERAL_DIFF_TABLE") != "" {
			line(name, c)
		}
	}
	for _, role := range roles() {
		if c := d.byRole[role]; c != nil {
			line(role, c)
		}
	}
	line("all", &all)
	total := all.agree + all.differ + all.leak
	t.Logf("seed %d: %d reads of %d models, %d read by SQL; paths %v; stricter than Odoo %v; %d not comparable\n%s",
		d.seed, total, len(d.counts), direct, d.paths, d.strict, d.skipped, b.String())
	switch {
	case all.leak > 0:
		t.Errorf("%d reads show what Odoo hides", all.leak)
	case total == 0:
		t.Error("nothing was compared")
	case float64(all.agree) < diffAgree*float64(total):
		t.Errorf("%d of %d reads agree, fewer than %g %%", all.agree, total, 100*diffAgree)
	}
	if os.Getenv("LATERAL_DIFF_ONLY") == "" && direct < 40 {
		t.Errorf("only %d models were read by SQL and agreed", direct)
	}
}
