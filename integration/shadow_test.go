package integration

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lateral/auth"
	"lateral/integration/stack"
	"lateral/pg"
	"lateral/reader"
	"lateral/schema"
)

// eventually waits until what is said holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in 30 s it did not come to this: %s", what)
		}
	}
}

// metric returns the value of a metric with its labels as they are written, 0 where it is not there.
func (v *service) metric(t testing.TB, name string) float64 {
	t.Helper()
	got := v.send("GET", "/metrics", "", "")
	require.NoError(t, got.err)
	for line := range strings.Lines(string(got.body)) {
		if rest, found := strings.CutPrefix(line, name+" "); found {
			var value float64
			_, err := fmt.Sscan(rest, &value)
			require.NoError(t, err)
			return value
		}
	}
	return 0
}

// ids returns the ids of a page in their order.
func (a answer) ids() []string {
	var ids []string
	for _, found := range regexp.MustCompile(`"id": ?([0-9]+)`).FindAllStringSubmatch(string(a.body), -1) {
		ids = append(ids, found[1])
	}
	return ids
}

// Ensure that a fault planted in the compiler, the record rules of sale.order forgotten, is caught in
// service: the model goes over to Odoo, also after a restart, until a verification clears it.
func TestShadowCatchesPlantedFault(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		judge := s.judge(t, stack.RoleSalesman)
		own, err := judge.search(t.Context(), "sale.order", nil, "id", 0, 0)
		require.NoError(t, err)
		want := make([]string, len(own))
		for i, id := range own {
			want[i] = fmt.Sprint(id)
		}
		verification := filepath.Join(t.TempDir(), "verification.json")
		settings := []string{"LATERAL_SHADOW_SHARE=1", "LATERAL_SHADOW_RATE=1000", "LATERAL_VERIFICATION=" + verification}
		v := s.run(t, &planted, nil, settings...)
		salesman := s.User(stack.RoleSalesman)
		v.login(t, salesman.Login, salesman.Password)
		secret := "S0mebody Se2ret"
		page := "/api/sale.order?exclude_fields=*&order=id&filters=" + url.QueryEscape(`[("name", "!=", "`+secret+`")]`)
		read := func() answer { return v.send("GET", page, v.token, "") }

		first := read()
		require.Equal(t, "direct", first.header.Get("X-Read-Path"))
		require.Greater(t, len(first.ids()), len(want), "the planted fault shows nothing")
		eventually(t, "sale.order is tripped", func() bool { return v.metric(t, "lateral_models_tripped") == 1 })
		require.Equal(t, 1.0, v.metric(t, `lateral_shadow_checks_total{outcome="leaks"}`))
		second := read()
		require.Equal(t, "odoo", second.header.Get("X-Read-Path"))
		require.Equal(t, want, second.ids())
		log := v.log.String()
		require.Contains(t, log, "sale.order(id) where name !=")
		require.Contains(t, log, "a record is shown that Odoo does not show")
		require.Contains(t, log, fmt.Sprintf("uid=%d", judge.who.UID))
		require.NotContains(t, log, secret)
		require.NotContains(t, log, v.token)
		v.end()

		v = s.run(t, &planted, nil, settings...)
		v.login(t, salesman.Login, salesman.Password)
		restarted := read()
		require.Equal(t, "odoo", restarted.header.Get("X-Read-Path"))
		require.Equal(t, want, restarted.ids())

		state, err := reader.RegistryState(t.Context(), s.pool)
		require.NoError(t, err)
		clearing := reader.Verification{
			Registry: state, Database: s.Database, Finished: time.Now(),
			Models: map[string]reader.ModelVerdict{"sale.order": {Reads: 100, Agree: 100}},
		}
		require.NoError(t, clearing.Save(verification))
		eventually(t, "sale.order is cleared", func() bool { return v.metric(t, "lateral_models_tripped") == 0 })
		require.Equal(t, "direct", read().header.Get("X-Read-Path"))
	})
}

// outcomes counts what became of shadow checks.
type outcomes struct {
	mu     sync.Mutex
	counts map[string]int
}

func (*outcomes) Planned(bool) {}
func (*outcomes) Renewed()     {}
func (*outcomes) Together(int) {}

func (o *outcomes) Shadowed(outcome string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.counts[outcome]++
}

func (o *outcomes) of(names ...string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, name := range names {
		n += o.counts[name]
	}
	return n
}

// checkedReader reads like the stand's reader, and checks every read.
func (s *stand) checkedReader(t testing.TB) (*reader.Reader, *outcomes, *reader.Trust) {
	t.Helper()
	trust, err := reader.NewTrust(reader.TrustConfig{})
	require.NoError(t, err)
	seen := &outcomes{counts: map[string]int{}}
	pool, err := pg.Open(t.Context(), pg.Config{DSN: s.DSN, MaxConns: 4})
	require.NoError(t, err)
	load := func(ctx context.Context) (c *schema.Catalogue, err error) {
		err = pool.Snapshot(ctx, func(q pg.Querier) error {
			c, err = schema.Load(ctx, q)
			return err
		})
		return c, err
	}
	r := reader.New(reader.Deps{
		Pool: pool, Catalogues: schema.NewHolder(load, time.Minute), Odoo: s.odoo, Filestore: s.Filestore,
		Directory: auth.NewDirectory(auth.DirectoryConfig{}),
		Log:       slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
		Observe:   seen, Trust: trust, Shadow: reader.ShadowConfig{Share: 1, Rate: 1000, Trip: 1},
	})
	t.Cleanup(func() {
		r.Close()
		pool.Close()
	})
	return r, seen, trust
}

// Ensure that right answers agree, whatever is in them, and trip nothing.
func TestShadowAgreesWithRightReads(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		r, seen, trust := s.checkedReader(t)
		checked := *s
		checked.reader = r
		reads := 0
		for _, role := range []string{stack.RoleAdmin, stack.RoleSalesman, stack.RoleSecond} {
			who := s.login(t, role)
			for _, q := range []reader.Query{
				{Model: "res.partner", Limit: 40, Order: "city"},
				{Model: "res.partner", Limit: 5, Offset: 3, Count: true, Include: []any{
					"child_ids", "category_id", "active", "write_date", "display_name", schema.Tuple{"country_id", schema.Tuple{"id", "name"}},
				}},
				{Model: "product.product", Limit: 20, Include: []any{"default_code", "categ_id", "list_price", "product_tag_ids"}},
				{Model: "res.currency", One: true, ID: 1},
				{Model: "res.country", One: true, SearchField: "code", SearchValue: "BE"},
			} {
				if q.Model == "product.product" && s.Version == "14.0" {
					q.Include = []any{"default_code", "categ_id", "list_price", "attribute_line_ids"}
				}
				q.Profile = reader.Classic()
				got, err := checked.lateral(t.Context(), who, q)
				require.NoError(t, err)
				if got.Path != reader.PathDirect && got.Path != reader.PathHybrid {
					continue
				}
				reads++
				eventually(t, "the read is checked", func() bool { return seen.of("agreed", "differs", "leaks", "changed", "failed", "dropped") == reads })
			}
		}
		require.GreaterOrEqual(t, reads, 12)
		require.Equal(t, reads, seen.of("agreed"), "%v", seen.counts)
		require.Zero(t, trust.Tripped())
	})
}

// Ensure that what changes while it is checked is no difference.
func TestShadowDiscardsWhatChanged(t *testing.T) {
	eachFork(t, func(t *testing.T, s *stand) {
		r, seen, trust := s.checkedReader(t)
		who := s.login(t, stack.RoleAdmin)
		owner := s.owner(t)
		ctx, stop := context.WithCancel(t.Context())
		var writing sync.WaitGroup
		writing.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				_, _ = owner.Exec(ctx, "UPDATE res_partner SET ref = $1, active = NOT active WHERE id % 3 = 0", fmt.Sprint(n))
			}
		})
		checked := *s
		checked.reader = r
		for read := 1; read <= 10; read++ {
			_, err := checked.lateral(t.Context(), who, reader.Query{
				Model: "res.partner", Limit: 20, Order: "ref, id", Include: []any{"ref", "child_ids"}, Profile: reader.Classic(),
			})
			require.NoError(t, err)
			eventually(t, "the read is checked", func() bool { return seen.of("agreed", "differs", "leaks", "changed", "failed", "dropped") == read })
		}
		stop()
		writing.Wait()
		require.Zero(t, seen.of("differs", "leaks", "failed", "dropped"), "%v", seen.counts)
		require.Positive(t, seen.of("changed"))
		require.Zero(t, trust.Tripped())
		t.Logf("%v", seen.counts)
	})
}
