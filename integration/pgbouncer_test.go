package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"lateral/integration/stack"
	"lateral/pg"
	"lateral/reader"
)

// pgBouncer starts a PgBouncer before a stand's server, until the test ends.
func (s *stand) pgBouncer(t *testing.T) *stack.PgBouncer {
	t.Helper()
	b, err := s.StartPgBouncer(t.Context(), os.Stderr)
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

// documentedDefaults are the settings that the documents give lateral's role behind a PgBouncer, for the role of a stand and in
// its database alone.
func (s *stand) documentedDefaults(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)## Behind PgBouncer.*?<<'SQL'\n(.*?)SQL\n```").FindSubmatch(text)
	require.NotNil(t, block, "the documents have no settings for PgBouncer")
	role, err := pgx.ParseConfig(s.DSN)
	require.NoError(t, err)
	to := pgx.Identifier{role.User}.Sanitize() + " IN DATABASE " + pgx.Identifier{s.Database}.Sanitize()
	settings := strings.ReplaceAll(string(block[1]), `ROLE "lateral" SET`, "ROLE "+to+" SET")
	require.Contains(t, settings, to)
	return settings
}

// TestPgBouncer reads through a PgBouncer in transaction mode, which gives each transaction another connection: without the role's
// settings nothing is read; with them the answers are those of the server itself, byte by byte, as of one instant, never of one
// before they were asked for, and without what the user may not see.
func TestPgBouncer(t *testing.T) {
	eachFork(t, func(t *testing.T, s *stand) {
		unfit := s.on(t, s.pooled(t, s.pgBouncer(t)))
		_, err := unfit.reader.Read(t.Context(), s.login(t, stack.RoleAdmin), reader.Query{Model: "res.partner", Profile: reader.Classic()})
		require.Equal(t, reader.DatabaseUnavailable, kindOf(err), "%v", err)
		require.ErrorIs(t, err, pg.ErrUnfit)
		require.ErrorContains(t, err, "default_transaction_isolation")

		_, err = s.owner(t).Exec(t.Context(), s.documentedDefaults(t), pgx.QueryExecModeSimpleProtocol)
		require.NoError(t, err)
		// The connections to the server that are there have what was in force when they began.
		bouncer := s.pgBouncer(t)
		p := s.on(t, s.pooled(t, bouncer))
		p.answersLike(t, s)
		t.Run("torn", func(t *testing.T) { p.isNeverTorn(t, 4*time.Second) })
		t.Run("together", func(t *testing.T) {
			p.togetherIsFresh(t)
			p.togetherHides(t)
		})
		t.Run("service", func(t *testing.T) { p.servesPooled(t, bouncer) })
	})
}

// pooled is a connection through a PgBouncer.
func (s *stand) pooled(t *testing.T, b *stack.PgBouncer) pg.Config {
	t.Helper()
	at, err := b.DSN(s.DSN)
	require.NoError(t, err)
	return pg.Config{DSN: at, TransactionPooling: true}
}

// answersLike reads a page and a record of every model here and there, but for what Odoo has a part in: the answers and refusals
// are the same, byte by byte.
func (s *stand) answersLike(t *testing.T, there *stand) {
	t.Helper()
	compared, answered := 0, 0
	who := there.login(t, stack.RoleDemo)
	for _, model := range there.catalogue(t).ModelNames() {
		for _, q := range []reader.Query{
			{Model: model, Profile: reader.Classic(), Limit: 20},
			{Model: model, Profile: reader.Typed(), One: true, ID: 1},
		} {
			if there.way(t, there.reader, who, q) != reader.PathDirect {
				continue
			}
			compared++
			want, got := transcript(t.Context(), there.reader, who, q), transcript(t.Context(), s.reader, who, q)
			if !bytes.Equal(want, got) {
				t.Errorf("%v:\nthere: %.2000s\nhere: %.2000s", q, want, got)
			}
			if len(want) > 0 && !bytes.HasPrefix(want, []byte(refusedMark)) {
				answered++
			}
		}
	}
	t.Logf("%d reads compared, %d answered", compared, answered)
	if answered < 100 {
		t.Error("too few reads were answered to prove anything")
	}
}

// servesPooled has lateral itself behind a PgBouncer: it writes, reads what it has written, streams and knows what is unchanged.
func (s *stand) servesPooled(t *testing.T, b *stack.PgBouncer) {
	v := s.serve(t, nil, "LATERAL_DATABASE_DSN="+s.pooled(t, b).DSN, "LATERAL_DATABASE_TRANSACTION_POOLING=true", "LATERAL_DATABASE_MAX_CONNS=8")
	token := v.admin(t, s)
	made := v.send("POST", "/v2/res.partner", token, `{"name": "pooled"}`)
	require.Equal(t, 201, made.status, "%s", made.body)
	var id int64
	require.NoError(t, s.owner(t).QueryRow(t.Context(), "SELECT id::int8 FROM res_partner WHERE name = 'pooled'").Scan(&id))
	path := fmt.Sprintf("/v2/res.partner/%d?exclude_fields=*&include_fields=name", id)
	first := v.send("GET", path, token, "")
	require.Equal(t, 200, first.status, "%s", first.body)
	require.Contains(t, string(first.body), "pooled")
	tag := first.header.Get("ETag")
	for range 20 {
		require.Equal(t, 304, v.send("GET", path, token, "", "If-None-Match", tag).status)
	}
	require.Equal(t, 200, v.send("PUT", fmt.Sprintf("/v2/res.partner/%d", id), token, `{"name": "pooled again"}`).status)
	require.Contains(t, string(v.send("GET", path, token, "", "If-None-Match", tag).body), "pooled again")
	const long = "/v2/ir.model.fields?exclude_fields=*&include_fields=[('id'),('name'),('field_description'),('ttype'),('model_id',('model',))]&count=true"
	streamed := v.send("GET", long, token, "")
	require.NoError(t, streamed.err)
	require.Equal(t, 200, streamed.status)
	require.Greater(t, len(streamed.body), 300<<10)
}
