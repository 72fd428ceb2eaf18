package integration

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"lateral/reader"
)

// TestFormats reads the same as JSON, in lines and as CSV, in each way that a read can go.
func TestFormats(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		v := s.serve(t, nil)
		token := v.admin(t, s)
		paths := map[string]bool{}
		for _, q := range []url.Values{
			{"model": {"sale.order"}, "include_fields": {`['date_order', 'amount_total', 'require_signature', 'note', 'user_id', 'order_line', 'tag_ids',
				('partner_id', ('id', 'name', 'active', ('country_id', ('code', 'name')))), ('order_line', [('id', 'name', ('product_id', ('id', 'default_code')))]),
				('team_id', [('id', 'name')])]`}},
			{"model": {"sale.order"}, "include_fields": {`['type_name', ('partner_id', ('display_name', 'email_formatted'))]`}},
			{"model": {"res.partner"}, "include_fields": {`['create_date', 'street', 'comment', 'parent_id', 'child_ids', 'category_id', 'color', 'image_128', ('user_ids', ('id', 'login'))]`}, "filters": {"[('user_ids', '!=', False)]"}},
			{"model": {"res.partner"}, "__context__": {"{'some_key': 1}"}, "include_fields": {`['is_company', ('country_id', ('id', ('currency_id', ('name', 'rounding')))), ('child_ids', [('id', 'name')])]`}},
			{"model": {"res.partner"}, "filters": {"[('id', '=', 0)]"}, "include_fields": {"[('parent_id', ('id', 'name'))]"}},
		} {
			for _, base := range []string{"/api", "/v2"} {
				query := url.Values{"limit": {"60"}, "order": {"id"}, "count": {"true"}}
				for name := range q {
					query.Set(name, q.Get(name))
				}
				query.Del("model")
				path := base + "/" + q.Get("model")
				formatted := func(format string) answer {
					query.Set("format", format)
					got := v.send("GET", path+"?"+query.Encode(), token, "")
					require.Equal(t, 200, got.status, "%s as %s: %s", path, format, got.body)
					return got
				}
				whole, lines, table := formatted("json"), formatted("ndjson"), formatted("csv")
				paths[whole.header.Get("X-Read-Path")] = true
				var page struct {
					Total   *int64
					Results []json.RawMessage
				}
				require.NoError(t, json.Unmarshal(whole.body, &page))
				total := ""
				if page.Total != nil {
					total = fmt.Sprint(*page.Total)
				}
				for _, got := range []answer{lines, table} {
					require.Equal(t, whole.header.Get("X-Read-Path"), got.header.Get("X-Read-Path"))
					require.Equal(t, total, got.header.Get("X-Total-Count"))
				}
				text := ""
				for _, record := range page.Results {
					text += string(record) + "\n"
				}
				require.Equal(t, text, string(lines.body))
				sameTable(t, table.body, page.Results)
			}
		}
		require.Equal(t, map[string]bool{reader.PathDirect: true, reader.PathHybrid: true, reader.PathOdoo: true}, paths)
	})
}

// sameTable compares CSV with the records of which it should be the table.
func sameTable(t *testing.T, text []byte, records []json.RawMessage) {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, len(records)+1)
	names := rows[0]
	for i, document := range records {
		decoder := json.NewDecoder(bytes.NewReader(document))
		decoder.UseNumber()
		var record map[string]any
		require.NoError(t, decoder.Decode(&record))
		want := map[string]any{}
		flatten(record, "", want)
		got := map[string]any{}
		for column, name := range names {
			cell := rows[i+1][column]
			if cell == "" {
				continue
			}
			got[name] = cell
			if _, list := want[name].([]any); list {
				decoder := json.NewDecoder(strings.NewReader(cell))
				decoder.UseNumber()
				var value any
				require.NoError(t, decoder.Decode(&value))
				got[name] = value
			}
		}
		require.Empty(t, cmp.Diff(want, got), "record %d: %s", i, document)
	}
}

// flatten adds the values of a record by their columns: lists as they are, all else as text.
func flatten(record map[string]any, prefix string, values map[string]any) {
	for key, value := range record {
		switch value := value.(type) {
		case nil:
		case map[string]any:
			flatten(value, prefix+key+".", values)
		case []any:
			values[prefix+key] = value
		default:
			// encoding/csv reads a line's end as Unix writes it.
			if text := strings.ReplaceAll(fmt.Sprint(value), "\r\n", "\n"); text != "" {
				values[prefix+key] = text
			}
		}
	}
}
