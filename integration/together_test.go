package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"lateral/auth"
	"lateral/integration/stack"
	"lateral/reader"
	"lateral/schema"
)

// togetherReads is how many random reads TestTogether makes of a version, each of several records.
const togetherReads = 200

// gathered counts the reads that were made together.
type gathered struct{ reads atomic.Int64 }

func (*gathered) Planned(bool)         {}
func (*gathered) Renewed()             {}
func (*gathered) Shadowed(string)      {}
func (g *gathered) Together(reads int) { g.reads.Add(int64(reads)) }

// gatherer returns a reader of which no two reads go abreast, so that those that come at the same time are read together.
func (s *stand) gatherer() (*reader.Reader, *gathered) {
	count := &gathered{}
	return reader.New(reader.Deps{
		Pool: s.pool, Catalogues: s.catalogues, Directory: s.directory, Odoo: s.odoo, Filestore: s.Filestore, Observe: count, Abreast: 1,
	}), count
}

// someIDs are ids of a model's records, one of them twice, and some that are none.
func someIDs(t *testing.T, owner *pgx.Conn, m *schema.Model) []int64 {
	t.Helper()
	ids := []int64{1 << 40, 0, 1}
	rows, err := owner.Query(t.Context(), "SELECT id::int8 FROM "+pgx.Identifier{m.Table}.Sanitize()+" ORDER BY id DESC LIMIT 7")
	require.NoError(t, err)
	found, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	require.NoError(t, err)
	if len(found) > 0 {
		ids = append(ids, found[0])
	}
	return append(ids, found...)
}

// orderPreset is of fields that SQL reads, with the lines.
func (s *stand) orderPreset(t *testing.T) *schema.Preset {
	t.Helper()
	value, err := schema.ParseLiteral("('id', 'name', 'client_order_ref', ('order_line', [('id', 'name')]))")
	require.NoError(t, err)
	fields, err := schema.ParseTree(s.catalogue(t), "sale.order", value)
	require.NoError(t, err)
	return &schema.Preset{Model: "sale.order", ReadAll: fields, ReadOne: fields, Available: true}
}

// atOnce makes a query for several records at once, and returns the transcripts.
func atOnce(ctx context.Context, r *reader.Reader, who auth.Credentials, q reader.Query, ids []int64) [][]byte {
	answers := make([][]byte, len(ids))
	var all sync.WaitGroup
	for i, id := range ids {
		one := q
		one.ID = id
		all.Go(func() { answers[i] = transcript(ctx, r, who, one) })
	}
	all.Wait()
	return answers
}

// TestTogether makes random reads of one record of all models as six users, each of several records at once: what is read together
// is answered and refused as what is read alone, byte by byte, records that are not there, or not for the user, among them. What
// reads of one record answer is compared with Odoo elsewhere.
func TestTogether(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		read, catalogue := s.randomReads(t), s.catalogue(t)
		owner := s.owner(t)
		whole, _ := s.renderers()
		together, count := s.gatherer()
		found := map[string]int{}
		for n := range int(setting("LATERAL_TOGETHER_READS", togetherReads)) {
			r, who, q := read(n)
			// Whatever is asked for of a page can be asked for of one record.
			q.One, q.SearchField, q.SearchValue = true, "", ""
			q.Filters, q.Order, q.Offset, q.Limit, q.Count, q.Keyset = nil, "", 0, 0, false, false
			ids := someIDs(t, owner, catalogue.Model(q.Model))
			if q.ID = ids[0]; s.way(t, whole, who, q) != reader.PathDirect {
				continue
			}
			got := atOnce(t.Context(), together, who, q, ids)
			for i, id := range ids {
				q.ID = id
				want := transcript(t.Context(), whole, who, q)
				if !bytes.Equal(want, got[i]) {
					t.Errorf("%d as %s, %v, id %d:\nalone: %.2000s\ntogether: %.2000s", n, r.User, r, id, want, got[i])
				}
				switch {
				case bytes.HasPrefix(want, []byte(refusedMark)):
					found["refused"]++
				case len(want) == 0:
					found["not there"]++
				default:
					found["answered"]++
				}
			}
		}
		t.Logf("LATERAL_SEED=%d: %v, %d together", setting("LATERAL_SEED", diffSeed), found, count.reads.Load())
		if count.reads.Load() < togetherReads/2 || found["answered"] < togetherReads/2 || found["not there"] < togetherReads/2 {
			t.Error("too few reads were made together to prove anything")
		}
	})
}

// TestTogetherFresh changes a record again and again while it is read all the time: no read answers what was before it was asked
// for.
func TestTogetherFresh(t *testing.T) {
	eachFork(t, func(t *testing.T, s *stand) { s.togetherIsFresh(t) })
}

func (s *stand) togetherIsFresh(t *testing.T) {
	owner, who := s.owner(t), s.login(t, stack.RoleAdmin)
	r, count := s.gatherer()
	var id int64
	require.NoError(t, owner.QueryRow(t.Context(), "SELECT min(id) FROM sale_order").Scan(&id))
	q := reader.Query{Model: "sale.order", Profile: reader.Classic(), One: true, ID: id, Preset: s.orderPreset(t)}

	ctx, stop := context.WithCancel(t.Context())
	var hammers sync.WaitGroup
	defer hammers.Wait()
	defer stop()
	for range 8 {
		hammers.Go(func() {
			for ctx.Err() == nil {
				transcript(ctx, r, who, q)
			}
		})
	}
	ids := slices.Repeat([]int64{id}, 6)
	for n := range 100 {
		written := fmt.Sprint("written ", n)
		_, err := owner.Exec(t.Context(), "UPDATE sale_order SET client_order_ref = $1 WHERE id = $2", written, id)
		require.NoError(t, err)
		for _, answer := range atOnce(t.Context(), r, who, q, ids) {
			var order struct {
				Ref string `json:"client_order_ref"`
			}
			require.NoError(t, json.Unmarshal(answer, &order), "%s", answer)
			require.Equal(t, written, order.Ref)
		}
	}
	require.NotZero(t, count.reads.Load())
}

// TestTogetherRights takes an order away from its salesman and gives it back, again and again: what is read together is hidden as soon as it
// is not the user's.
func TestTogetherRights(t *testing.T) {
	eachFork(t, func(t *testing.T, s *stand) { s.togetherHides(t) })
}

func (s *stand) togetherHides(t *testing.T) {
	owner, salesman := s.owner(t), s.login(t, stack.RoleSalesman)
	r, count := s.gatherer()
	var id int64
	require.NoError(t, owner.QueryRow(t.Context(), "SELECT min(id) FROM sale_order WHERE user_id = $1", salesman.UID).Scan(&id))
	q := reader.Query{Model: "sale.order", Profile: reader.Classic(), One: true, ID: id, Preset: s.orderPreset(t)}
	ids := slices.Repeat([]int64{id}, 8)
	for range 5 {
		for _, answer := range atOnce(t.Context(), r, salesman, q, ids) {
			require.Contains(t, string(answer), `"name"`)
		}
		_, err := owner.Exec(t.Context(), "UPDATE sale_order SET user_id = 1 WHERE id = $1", id)
		require.NoError(t, err)
		for _, answer := range atOnce(t.Context(), r, salesman, q, ids) {
			require.Empty(t, string(answer), "a record is shown that Odoo hides")
		}
		_, err = owner.Exec(t.Context(), "UPDATE sale_order SET user_id = $1 WHERE id = $2", salesman.UID, id)
		require.NoError(t, err)
	}
	require.NotZero(t, count.reads.Load())
}

// TestTogetherBlocked holds a table that all reads need: each gives up when its own time is over, whether it waits for its turn
// or is being read, and when the table is free again, all is as before.
func TestTogetherBlocked(t *testing.T) {
	eachFork(t, func(t *testing.T, s *stand) {
		owner, who := s.owner(t), s.login(t, stack.RoleAdmin)
		r, _ := s.gatherer()
		ids := someIDs(t, owner, s.catalogue(t).Model("sale.order"))
		q := reader.Query{Model: "sale.order", Profile: reader.Classic(), One: true, Preset: s.orderPreset(t)}
		before := atOnce(t.Context(), r, who, q, ids)

		held, err := owner.Begin(t.Context())
		require.NoError(t, err)
		_, err = held.Exec(t.Context(), "LOCK TABLE sale_order IN ACCESS EXCLUSIVE MODE")
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		begun := time.Now()
		for _, answer := range atOnce(ctx, r, who, q, ids) {
			require.Contains(t, string(answer), refusedMark)
		}
		require.Less(t, time.Since(begun), 3*time.Second)
		require.NoError(t, held.Rollback(t.Context()))

		after := atOnce(t.Context(), r, who, q, ids)
		for i := range before {
			require.Equal(t, string(before[i]), string(after[i]))
		}
	})
}
