package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"lateral/integration/stack"
	"lateral/pg"
	"lateral/reader"
)

// madeByEndpoint writes, and reads what it has written.
const madeByEndpoint = `
def made(request, env):
    before = env["res.partner"].search_read([("name", "=", "by an endpoint")], ["name"])
    id = env["res.partner"].create({"name": "by an endpoint"})
    after = env["res.partner"].search_read([("name", "=", "by an endpoint")], ["name"])
    return {"before": len(before), "after": len(after), "read": env["res.partner"].read([id], ["name"])}

endpoint("/made", ["POST"], made)
`

// followed starts a stack of a version with a standby, both of the test alone.
func followed(t *testing.T, version string) (*stand, *stack.Standby) {
	t.Helper()
	ctx := context.Background()
	own, err := stack.Start(ctx, stack.Options{Version: version, Followed: true, Progress: os.Stderr})
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := own.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	standby, err := own.StartStandby(ctx, os.Stderr)
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := standby.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	s, err := newStand(ctx, own)
	require.NoError(t, err)
	t.Cleanup(s.close)
	require.NoError(t, standby.CatchUp(ctx))
	return s, standby
}

// dsn is where a standby answers as a stand's server does.
func (s *stand) dsn(t *testing.T, of *stack.Standby, as string) string {
	t.Helper()
	at, err := of.DSN(as)
	require.NoError(t, err)
	return at
}

// TestStandby reads from a standby of Odoo 19.0's server: it answers what the server answers, as of an instant that is a little
// earlier, and nothing of one that is earlier than what the standby has: neither values, nor rights, nor what a client has already.
func TestStandby(t *testing.T) {
	t.Parallel()
	s, standby := followed(t, "19.0")
	at := s.dsn(t, standby, s.DSN)
	f := s.on(t, pg.Config{DSN: at})
	require.True(t, f.catalogue(t).Standby)
	f.answersLike(t, s)
	v := s.serve(t, map[string]string{"res.partner.schema": "{'create_one': ('id', 'name', 'active')}"}, "LATERAL_DATABASE_DSN="+at, "LATERAL_SHADOW_SHARE=1",
		"LATERAL_ENDPOINTS_FOLDER="+scripts(t, map[string]string{"made.star": madeByEndpoint}))
	t.Run("rights", func(t *testing.T) { f.followsRights(t, s, standby) })
	t.Run("tags", func(t *testing.T) { v.followsTags(t, s, standby) })
	t.Run("created", func(t *testing.T) { v.answersCreates(t, s, standby) })
	t.Run("given up", func(t *testing.T) { f.readsOn(t, s, standby) })
	t.Run("promoted", func(t *testing.T) { f.isPromoted(t, standby) })
}

// followsRights takes an order away from its salesman, and then the right to read orders, and gives both back.
func (s *stand) followsRights(t *testing.T, first *stand, standby *stack.Standby) {
	admin, salesman := first.login(t, stack.RoleAdmin), first.login(t, stack.RoleSalesman)
	var id int64
	require.NoError(t, first.owner(t).QueryRow(t.Context(), "SELECT min(id) FROM sale_order WHERE user_id = $1", salesman.UID).Scan(&id))
	rows, err := first.owner(t).Query(t.Context(), "SELECT a.id::int8 FROM ir_model_access a JOIN ir_model m ON m.id = a.model_id WHERE m.model = 'sale.order' AND a.perm_read AND a.active")
	require.NoError(t, err)
	rights, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	require.NoError(t, err)
	q := reader.Query{Model: "sale.order", Profile: reader.Classic(), One: true, ID: id, Preset: first.orderPreset(t)}
	answer := func() string {
		require.NoError(t, standby.CatchUp(t.Context()))
		return string(transcript(t.Context(), s.reader, salesman, q))
	}
	for range 3 {
		first.call(t, admin, "sale.order", "write", []any{[]any{id}, map[string]any{"user_id": admin.UID}}, nil)
		require.Empty(t, answer(), "a record is shown that Odoo hides")
		first.call(t, admin, "sale.order", "write", []any{[]any{id}, map[string]any{"user_id": salesman.UID}}, nil)
		require.Contains(t, answer(), `"name"`)
	}
	for range 3 {
		first.call(t, admin, "ir.model.access", "write", []any{rights, map[string]any{"active": false}}, nil)
		require.Contains(t, answer(), refusedMark, "a model is shown that Odoo hides")
		first.call(t, admin, "ir.model.access", "write", []any{rights, map[string]any{"active": true}}, nil)
		require.Contains(t, answer(), `"name"`)
	}
}

// followsTags counts a record up: what the standby has is never called unchanged.
func (v *service) followsTags(t *testing.T, s *stand, standby *stack.Standby) {
	token, admin := v.admin(t, s), s.login(t, stack.RoleAdmin)
	id := s.call(t, admin, "res.partner", "create", []any{map[string]any{"name": "tags", "color": int64(0)}}, nil)
	require.NoError(t, standby.CatchUp(t.Context()))
	path := fmt.Sprintf("/v2/res.partner/%v?exclude_fields=*&include_fields=color", id)
	tag := v.send("GET", path, token, "").header.Get("ETag")
	for n := int64(1); n <= 20; n++ {
		for range 2 * 8 { // more than a connection takes to trust that nothing happens, were it not a standby
			require.Equal(t, 304, v.send("GET", path, token, "", "If-None-Match", tag).status)
		}
		s.call(t, admin, "res.partner", "write", []any{[]any{id}, map[string]any{"color": n}}, nil)
		require.NoError(t, standby.CatchUp(t.Context()))
		got := v.send("GET", path, token, "", "If-None-Match", tag)
		require.Equal(t, 200, got.status, "%d is not seen", n)
		require.JSONEq(t, fmt.Sprintf(`{"id": %v, "color": %d}`, id, n), string(got.body))
		tag = got.header.Get("ETag")
	}
}

// answersCreates creates a record while the standby stands still: the answer has it all the same, by Odoo.
func (v *service) answersCreates(t *testing.T, s *stand, standby *stack.Standby) {
	token := v.admin(t, s)
	owner, err := pgx.Connect(t.Context(), s.dsn(t, standby, s.OwnerDSN))
	require.NoError(t, err)
	defer owner.Close(context.Background())
	// Stopped in the midst of something, it could hold a lock.
	require.NoError(t, standby.CatchUp(t.Context()))
	_, err = owner.Exec(t.Context(), "SELECT pg_wal_replay_pause()")
	require.NoError(t, err)
	made := v.send("POST", "/v2/res.partner", token, `{"name": "not there yet"}`)
	require.Equal(t, 201, made.status, "%s", made.body)
	require.Equal(t, reader.PathOdoo, made.header.Get("X-Read-Path"))
	var record struct {
		ID     int64
		Name   string
		Active *bool
	}
	require.NoError(t, json.Unmarshal(made.body, &record), "%s", made.body)
	require.Equal(t, "not there yet", record.Name)
	require.NotNil(t, record.Active)
	by := v.send("POST", "/v2/made", token, "")
	require.Equal(t, 200, by.status, "%s", by.body)
	require.Contains(t, string(by.body), `"before": 0, "after": 1, "read": [{"id": `, "%s", by.body)
	path := fmt.Sprintf("/v2/res.partner/%d", record.ID)
	require.Equal(t, 404, v.send("GET", path, token, "").status)
	_, err = owner.Exec(t.Context(), "SELECT pg_wal_replay_resume()")
	require.NoError(t, err)
	require.NoError(t, standby.CatchUp(t.Context()))
	got := v.send("GET", path, token, "")
	require.Equal(t, 200, got.status, "%s", got.body)
	require.NotContains(t, string(v.send("GET", "/metrics", "", "").body), `lateral_shadow_checks_total{outcome="agreed"}`, "reads are compared with another instant")
}

// readsOn cleans up behind updates on the server all the time, for which the standby gives up reads that see the old rows: none
// of them fails for that.
func (s *stand) readsOn(t *testing.T, first *stand, standby *stack.Standby) {
	owner, err := pgx.Connect(t.Context(), s.dsn(t, standby, s.OwnerDSN))
	require.NoError(t, err)
	defer owner.Close(context.Background())
	for _, setting := range []string{"max_standby_streaming_delay = 0", "hot_standby_feedback = off"} {
		_, err := owner.Exec(t.Context(), "ALTER SYSTEM SET "+setting)
		require.NoError(t, err)
	}
	_, err = owner.Exec(t.Context(), "SELECT pg_reload_conf()")
	require.NoError(t, err)
	who, preset := first.login(t, stack.RoleAdmin), first.orderPreset(t)
	var ended atomic.Bool
	var reads atomic.Int64
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			for n := int64(1); !ended.Load(); n++ {
				q := reader.Query{Model: "sale.order", Profile: reader.Classic(), Preset: preset, Limit: 50}
				if i == 0 {
					q = reader.Query{Model: "sale.order", Profile: reader.Classic(), Preset: preset, One: true, ID: 1 + n%20}
				}
				if answer := transcript(t.Context(), s.reader, who, q); i > 0 && len(answer) < 1000 {
					t.Errorf("%s", answer)
					return
				}
				reads.Add(1)
			}
		})
	}
	given := func() (n int64) {
		require.NoError(t, owner.QueryRow(t.Context(), "SELECT confl_snapshot FROM pg_stat_database_conflicts WHERE datname = $1", s.Database).Scan(&n))
		return n
	}
	const enough = 5
	on := first.owner(t)
	// Where it came without a pause, a read could be given up however often it was made anew.
	pause := time.NewTicker(200 * time.Millisecond)
	defer pause.Stop()
	for end := time.Now().Add(time.Minute); given() < enough && time.Now().Before(end) && !t.Failed(); <-pause.C {
		_, err := on.Exec(t.Context(), "UPDATE sale_order SET note = coalesce(note, '') || 'x'")
		require.NoError(t, err)
		_, err = on.Exec(t.Context(), "VACUUM sale_order")
		require.NoError(t, err)
	}
	ended.Store(true)
	all.Wait()
	t.Logf("%d reads, %d of them given up by the standby and made anew", reads.Load(), given())
	if given() < enough {
		t.Error("the standby gave too few reads up to prove anything")
	}
}

// isPromoted makes the standby a server of its own: what is known of it is read anew.
func (s *stand) isPromoted(t *testing.T, standby *stack.Standby) {
	require.NoError(t, standby.Promote(t.Context()))
	who := s.login(t, stack.RoleAdmin)
	eventually(t, "the catalogue is that of a server", func() bool {
		_, err := readDocuments(t, s, who, reader.Query{Model: "res.country", Limit: 1})
		require.NoError(t, err)
		return !s.catalogue(t).Standby
	})
}

// TestStandbyOfSequences is why nothing is read from a standby of Odoo 14.0 to 18.0: of the sequences by which these signal changes
// it is told ahead, 32 values at once, so that it does not see the next ones.
func TestStandbyOfSequences(t *testing.T) {
	t.Parallel()
	s, standby := followed(t, "14.0")
	value := func(dsn string) (n int64) {
		conn, err := pgx.Connect(t.Context(), dsn)
		require.NoError(t, err)
		defer conn.Close(context.Background())
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT last_value FROM base_registry_signaling").Scan(&n))
		return n
	}
	signal := func() (here, there int64) {
		_, err := s.owner(t).Exec(t.Context(), "SELECT nextval('base_registry_signaling')")
		require.NoError(t, err)
		require.NoError(t, standby.CatchUp(t.Context()))
		return value(s.OwnerDSN), value(s.dsn(t, standby, s.OwnerDSN))
	}
	here, there := signal()
	laterHere, laterThere := signal()
	require.Equal(t, here+1, laterHere)
	require.Equal(t, there, laterThere, "the standby sees each signal, so that it could be read from")

	f := s.on(t, pg.Config{DSN: s.dsn(t, standby, s.DSN)})
	_, err := f.catalogues.Refresh(t.Context(), "")
	require.ErrorIs(t, err, pg.ErrUnfit)
	_, err = f.reader.Read(t.Context(), s.login(t, stack.RoleAdmin), reader.Query{Model: "res.partner", Profile: reader.Classic()})
	require.Equal(t, reader.DatabaseUnavailable, kindOf(err), "%v", err)
	var known *reader.Error
	require.True(t, errors.As(err, &known))
	require.NotContains(t, known.Message, "sequence")
}
