package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lateral/integration/stack"
	"lateral/pg"
	"lateral/reader"
)

// Ensure no answer is called unchanged that has changed: while Odoo counts a record up, a client that asks with the
// tag of its last answer never is behind what was written before it asked.
func TestTagsUnderWrites(t *testing.T) {
	s := shared(t, versions()[0]).fork(t)
	v := s.serve(t, nil)
	token := v.admin(t, s)
	admin := s.login(t, stack.RoleAdmin)
	id := s.call(t, admin, "res.partner", "create", []any{map[string]any{"name": "tags", "color": int64(0)}}, nil)
	// It goes on until enough of what it has written was seen, however the machine divides its time.
	const enough = 40
	var written, unchanged, changed atomic.Int64
	var ended atomic.Bool
	var writing, reading sync.WaitGroup
	deadline := time.Now().Add(5 * time.Minute)
	writing.Go(func() {
		defer ended.Store(true)
		for n := int64(1); changed.Load() < enough && time.Now().Before(deadline); n++ {
			if _, err := s.odoo.Execute(t.Context(), admin, "res.partner", "write", []any{[]any{id}, map[string]any{"color": n}}, nil); err != nil {
				t.Errorf("write %d: %v", n, err)
				return
			}
			written.Store(n)
		}
	})
	for _, path := range []string{
		fmt.Sprintf("/v2/res.partner/%v?exclude_fields=*&include_fields=color", id),
		fmt.Sprintf("/v2/res.partner?filters=[('id','=',%v)]&include_fields=color&after=&count=true", id),
	} {
		reading.Go(func() {
			for tag, seen, last := "", int64(-1), false; !last; {
				last = ended.Load()
				before := written.Load()
				got := v.send("GET", path, token, "", "If-None-Match", tag)
				switch got.status {
				case 304:
					unchanged.Add(1)
				case 200:
					changed.Add(1)
					tag = got.header.Get("ETag")
					var record struct {
						Color   int64
						Results []struct{ Color int64 }
					}
					if err := json.Unmarshal(got.body, &record); err != nil {
						t.Errorf("%s: %v", got.body, err)
						return
					}
					seen = record.Color
					for _, one := range record.Results {
						seen = one.Color
					}
				default:
					t.Errorf("%d %s %v", got.status, got.body, got.err)
					return
				}
				if seen < before {
					t.Errorf("%s: %d is called the present state after %d was written", path, seen, before)
					return
				}
			}
		})
	}
	writing.Wait()
	reading.Wait()
	if unchanged.Load() == 0 || changed.Load() < enough {
		t.Errorf("%d unchanged and %d changed answers", unchanged.Load(), changed.Load())
	}
}

// Ensure an answer that the client has is told as such without being read while nothing is written, on 19.0, and never once
// anything is: by Odoo or past it, to the record or to one behind it, to a right or to the user.
func TestTagsWithoutReading(t *testing.T) {
	s := shared(t, "19.0").fork(t)
	v := s.serve(t, nil, "LATERAL_DATABASE_MAX_CONNS=2")
	v.login(t, s.User(stack.RoleDemo).Login, s.User(stack.RoleDemo).Password)
	demo := v.token
	token, admin, owner := v.admin(t, s), s.login(t, stack.RoleAdmin), s.owner(t)
	parent := s.call(t, admin, "res.partner", "create", []any{map[string]any{"name": "parent"}}, nil)
	id := s.call(t, admin, "res.partner", "create", []any{map[string]any{"name": "tags", "parent_id": parent}}, nil)
	paths := []string{
		fmt.Sprintf("/v2/res.partner/%v?exclude_fields=*&include_fields=[('id'),('name'),('parent_id',('name',))]", id),
		fmt.Sprintf("/v2/res.partner?filters=[('id','=',%v)]&exclude_fields=*&include_fields=[('id'),('name'),('parent_id',('name',))]", id),
	}
	executed := func() (n int64) {
		err := owner.QueryRow(t.Context(), `SELECT coalesce(sum(s.calls), 0) FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
			WHERE d.datname = current_database() AND s.query LIKE '%"res_partner"%' AND s.query LIKE '%"name"%' AND s.query NOT LIKE '%pg_stat_statements%'`).Scan(&n)
		require.NoError(t, err)
		return n
	}
	// calm asks until nothing of the record is read to answer.
	calm := func(path, tag string) {
		t.Helper()
		for end := time.Now().Add(time.Minute); time.Now().Before(end); {
			before := executed()
			for range 5 {
				got := v.send("GET", path, token, "", "If-None-Match", tag)
				require.Equal(t, 304, got.status, "%s: %s", path, got.body)
				require.Equal(t, tag, got.header.Get("ETag"))
			}
			if executed() == before {
				return
			}
		}
		t.Fatalf("%s: it is read however often it is asked for", path)
	}
	read := func(path string) (tag, body string) {
		t.Helper()
		got := v.send("GET", path, token, "")
		require.Equal(t, 200, got.status, "%s", got.body)
		return got.header.Get("ETag"), string(got.body)
	}
	for _, path := range paths {
		for n, change := range []func(){
			func() {
				s.call(t, admin, "res.partner", "write", []any{[]any{id}, map[string]any{"name": "by Odoo"}}, nil)
			},
			func() {
				_, err := owner.Exec(t.Context(), "UPDATE res_partner SET name = 'past it ' || $2 WHERE id = $1", id, path)
				require.NoError(t, err)
			},
			func() {
				s.call(t, admin, "res.partner", "write", []any{[]any{parent}, map[string]any{"name": fmt.Sprint("behind it ", len(path))}}, nil)
			},
		} {
			tag, body := read(path)
			calm(path, tag)
			change()
			got := v.send("GET", path, token, "", "If-None-Match", tag)
			require.Equal(t, 200, got.status, "change %d of %s is not seen", n, path)
			require.NotEqual(t, body, string(got.body))
		}
		// Another user, and another form of the same, are other answers.
		tag, _ := read(path)
		calm(path, tag)
		other := v.send("GET", path, demo, "", "If-None-Match", `W/"`+"x"+`"`)
		require.Equal(t, 200, other.status)
		if path == paths[1] {
			other = v.send("GET", path+"&format=ndjson", token, "", "If-None-Match", tag)
			require.Equal(t, 200, other.status, "%s", other.body)
		}
	}
	tag, _ := read(paths[0])
	calm(paths[0], tag)
	_, err := owner.Exec(t.Context(), "DELETE FROM res_partner WHERE id = $1", id)
	require.NoError(t, err)
	got := v.send("GET", paths[0], token, "", "If-None-Match", tag)
	require.Equal(t, 404, got.status, "%s", got.body)
}

// Ensure a long page, which is sent before all of it is read, is told unchanged while nothing is written, not once anything is,
// and not to a client that was sent a part of it.
func TestTagsOfStreams(t *testing.T) {
	s := shared(t, "19.0").fork(t)
	v := s.serve(t, nil, "LATERAL_DATABASE_MAX_CONNS=2")
	token, owner := v.admin(t, s), s.owner(t)
	const path = "/v2/ir.model.fields?exclude_fields=*&include_fields=[('id'),('name'),('field_description'),('ttype'),('model_id',('model',))]"
	first := v.send("GET", path, token, "")
	require.Equal(t, 200, first.status, "%s", first.body)
	t.Logf("%d bytes", len(first.body))
	require.Greater(t, len(first.body), 300<<10)
	unchanged := func(tag string) {
		t.Helper()
		for end := time.Now().Add(3 * time.Minute); ; {
			got := v.send("GET", path, token, "", "If-None-Match", tag)
			if got.status == 304 {
				require.Empty(t, got.body)
				require.Equal(t, tag, got.header.Get("ETag"))
				return
			}
			require.Equal(t, 200, got.status)
			require.Equal(t, string(first.body), string(got.body))
			require.NotEqual(t, tag, got.header.Get("ETag"))
			require.True(t, time.Now().Before(end), "it is read however often it is asked for")
			tag = got.header.Get("ETag")
		}
	}
	require.NotEmpty(t, first.header.Get("ETag"))
	unchanged(first.header.Get("ETag"))
	before := v.send("GET", path, token, "")
	tag := before.header.Get("ETag")
	unchanged(tag)
	_, err := owner.Exec(t.Context(), `UPDATE ir_model SET model = model || '.x' WHERE id = (SELECT max(id) FROM ir_model)`)
	require.NoError(t, err)
	after := v.send("GET", path, token, "", "If-None-Match", tag)
	require.Equal(t, 200, after.status)
	require.NotEqual(t, string(before.body), string(after.body))

	// The client reads a little and leaves, more than once, since the service may have sent all by then, although
	// little fits between the two.
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if tcp, ok := conn.(*net.TCPConn); ok {
			err = tcp.SetReadBuffer(4 << 10)
		}
		return conn, err
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	for range 5 {
		response, err := v.open(t.Context(), client, path, token, "identity")
		require.NoError(t, err)
		torn := response.Header.Get("ETag")
		require.NotEmpty(t, torn)
		_, err = io.CopyN(io.Discard, response.Body, 1<<10)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		got := v.send("GET", path, token, "", "If-None-Match", torn)
		if got.status == 200 {
			require.Equal(t, string(after.body), string(got.body))
			return
		}
	}
	t.Error("a part of an answer is taken for the whole")
}

// Ensure what one connection knows to be unchanged is read by another, which has not seen it.
func TestTagsOfConnections(t *testing.T) {
	s := shared(t, "19.0").fork(t)
	pool, err := pg.Open(t.Context(), pg.Config{DSN: s.DSN, MaxConns: 2})
	require.NoError(t, err)
	defer pool.Close()
	r := reader.New(reader.Deps{Pool: pool, Catalogues: s.catalogues, Directory: s.directory, Odoo: s.odoo, Filestore: s.Filestore})
	who := s.login(t, stack.RoleAdmin)
	const tag = "the tag"
	q := reader.Query{
		Model: "sale.order", Profile: reader.Classic(), Limit: 5, Preset: s.orderPreset(t),
		Asker: &reader.Asker{Asks: "the page", Has: func(one string) bool { return one == tag }},
	}
	unchanged := func() bool {
		result, err := r.Read(t.Context(), who, q)
		require.NoError(t, err)
		defer func() { require.NoError(t, result.Close()) }()
		if result.Unchanged != "" {
			require.Equal(t, tag, result.Unchanged)
			return true
		}
		for err == nil {
			_, err = result.Next(t.Context())
		}
		require.ErrorIs(t, err, io.EOF)
		return false
	}
	remember := func() {
		asked := q.Asker
		defer func() { q.Asker = asked }()
		q.Asker = &reader.Asker{Asks: asked.Asks, Has: func(string) bool { return false }}
		result, err := r.Read(t.Context(), who, q)
		require.NoError(t, err)
		for err == nil {
			_, err = result.Next(t.Context())
		}
		require.ErrorIs(t, err, io.EOF)
		result.Remember(tag)
		require.NoError(t, result.Close())
	}
	// Odoo may write something at any moment, and then nothing is known.
	eventually(t, "one connection knows that the page is unchanged", func() bool {
		remember()
		if !unchanged() {
			return false
		}
		// The connection that was used last is used next; the snapshot holds it.
		held := r.Snapshot(who)
		result, err := held.Read(t.Context(), reader.Query{Model: "sale.order", Profile: reader.Classic(), Limit: 1, Preset: q.Preset})
		require.NoError(t, err)
		require.NoError(t, result.Close())
		require.False(t, unchanged(), "another connection takes for unchanged what it has not seen")
		require.NoError(t, held.Close(t.Context()))
		return unchanged()
	})
}
