package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"lateral/auth"
	"lateral/integration/stack"
	"lateral/reader"
	"lateral/reader/verify"
)

// layersReads is how many reads TestLayers makes of a version, unless LATERAL_LAYERS_READS says otherwise.
const layersReads = 700

// TestLayers makes random reads of all models as six users twice, each page by one statement and rendered
// level by level: both answer the same, byte by byte, and refuse the same. What they answer is
// compared with Odoo elsewhere.
func TestLayers(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		read := s.randomReads(t)
		whole, layered := s.renderers()
		found := map[string]int{}
		for n := range int(setting("LATERAL_LAYERS_READS", layersReads)) {
			r, who, q := read(n)
			if path := s.way(t, whole, who, q); path != reader.PathDirect {
				// Odoo has part of it, or all: that takes long, and is the same for both.
				found[path]++
				continue
			}
			if q.One {
				found["one"]++
				continue
			}
			want, got := transcript(t.Context(), whole, who, q), transcript(t.Context(), layered, who, q)
			if !bytes.Equal(want, got) {
				t.Errorf("%d as %s, %v:\none statement: %.2000s\nlevel by level: %.2000s", n, r.User, r, want, got)
			}
			switch {
			case bytes.HasPrefix(want, []byte(refusedMark)):
				found["refused"]++
			case len(want) == 0:
				found["empty"]++
			default:
				found["answered"]++
			}
		}
		t.Logf("LATERAL_SEED=%d: %v", setting("LATERAL_SEED", diffSeed), found)
		if found["answered"] < layersReads/20 && os.Getenv("LATERAL_LAYERS_READS") == "" {
			t.Error("too few reads were answered to prove anything")
		}
	})
}

// randomReads returns random reads of all models as six users, by their numbers.
func (s *stand) randomReads(t *testing.T) func(n int) (r verify.Request, who auth.Credentials, q reader.Query) {
	t.Helper()
	users, _ := s.readings(t)
	catalogue := s.catalogue(t)
	credentials := map[string]auth.Credentials{}
	var plain []verify.User
	for _, u := range users {
		plain = append(plain, u.User)
		credentials[u.Name] = u.Credentials
	}
	generator, err := verify.NewGenerator(t.Context(), verify.GeneratorConfig{
		Seed: uint64(setting("LATERAL_SEED", diffSeed)), Catalogue: catalogue, Database: s.pool, Users: plain,
		Viewer: verify.NewAccessViewer(s.directory, s.pool, catalogue, s.odoo, users),
	})
	require.NoError(t, err)
	return func(n int) (verify.Request, auth.Credentials, reader.Query) {
		r, err := generator.Request(t.Context(), n)
		require.NoError(t, err)
		q, err := r.Query(catalogue)
		require.NoError(t, err)
		return r, credentials[r.User], q
	}
}

// way is the way by which a query is read; refusals are as good as direct.
func (s *stand) way(t *testing.T, r *reader.Reader, who auth.Credentials, q reader.Query) string {
	t.Helper()
	inspected, err := r.Inspect(t.Context(), who, q)
	if err != nil {
		return reader.PathDirect
	}
	return inspected.Path
}

// refusedMark begins what a transcript has of a refusal.
const refusedMark = "refused: "

// transcript is a whole answer, or its refusal.
func transcript(ctx context.Context, r *reader.Reader, who auth.Credentials, q reader.Query) []byte {
	result, err := r.Read(ctx, who, q)
	if err != nil {
		return fmt.Append(nil, refusedMark, err)
	}
	defer result.Close()
	var text []byte
	for {
		document, err := result.Next(ctx)
		if errors.Is(err, io.EOF) {
			return text
		}
		if err != nil {
			return fmt.Append(nil, refusedMark, err)
		}
		text = append(append(text, document...), '\n')
	}
}

// oddValues are values that are hard to write: those of one order after the other. No text of an Odoo holds a NUL.
var oddValues = []struct{ column, value string }{
	{"note", "E'a\\x01\\x02\\x1f\\x7f\\t\\n\\r\\b\\f\\v\"\\\\/\u2028😀'"},
	{"note", "''"},
	{"note", "NULL"},
	{"note", "repeat('<p>\"</p>', 20000)"},
	{"date_order", "'0001-01-01 00:00:00.999999'"},
	{"date_order", "'9999-12-31 23:59:59.5'"},
	{"amount_total", "NULL"},
	{"amount_total", "'NaN'"},
	{"amount_total", "0.00001"},
	{"amount_total", "-0.00010"},
	{"amount_total", "0.05"},
	{"amount_total", "33.330000000000005"},
	{"amount_total", "999999999999999.9"},
	{"amount_total", "1e15"},
	{"amount_total", "123456789012345678901234567890"},
	{"amount_total", "1e-300"},
	{"amount_total", "1e305"},
	{"currency_rate", "'-0.1'"},
	{"validity_date", "'0044-03-15'"},
	{"require_signature", "NULL"},
}

// TestLayersOddValues writes odd values into orders, past Odoo, and reads them by one statement and level by level.
func TestLayersOddValues(t *testing.T) {
	eachFork(t, func(t *testing.T, s *stand) {
		owner := s.owner(t)
		var first int64
		require.NoError(t, owner.QueryRow(t.Context(), "SELECT min(id) FROM sale_order").Scan(&first))
		for i, odd := range oddValues {
			sql := "UPDATE sale_order SET " + odd.column + " = " + odd.value + " WHERE id = (SELECT id FROM sale_order ORDER BY id OFFSET $1 LIMIT 1)"
			_, err := owner.Exec(t.Context(), sql, i)
			require.NoError(t, err, "%v", odd)
		}
		whole, layered := s.renderers()
		who := s.login(t, stack.RoleAdmin)
		for _, profile := range []reader.Profile{reader.Classic(), reader.Typed()} {
			q := reader.Query{
				Model: "sale.order", Order: "id", Profile: profile,
				Include: []any{"id", "note", "date_order", "amount_total", "currency_rate", "validity_date", "require_signature", "order_line", "partner_id"},
			}
			want, got := transcript(t.Context(), whole, who, q), transcript(t.Context(), layered, who, q)
			require.Equal(t, string(want), string(got))
			require.GreaterOrEqual(t, bytes.Count(got, []byte{'\n'}), len(oddValues))
			for line := range bytes.Lines(got) {
				require.True(t, json.Valid(line), "%s", line)
			}
		}
	})
}

// renderers returns two readers: one reads each page by one statement, one renders each level by level.
func (s *stand) renderers() (whole, layered *reader.Reader) {
	deps := reader.Deps{Pool: s.pool, Catalogues: s.catalogues, Directory: s.directory, Odoo: s.odoo, Filestore: s.Filestore}
	deps.LayersFrom = -1
	whole = reader.New(deps)
	deps.LayersFrom = 1
	return whole, reader.New(deps)
}
