package integration

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lateral/auth"
	"lateral/integration/stack"
	"lateral/reader"
	"lateral/reader/verify"
	"lateral/schema"
)

// example3 is the schema of the seed's Example #3, as its page has it.
const example3 = `(
  # simple fields (non relational):
  'id', 'name', 'date_order', 'create_date', 'amount_tax', 'amount_total', 'state',
  # many2one fields:
  ('partner_id', ( 'id', 'name', 'city', )),
  ('user_id', ( 'id', 'name', )),
  ('payment_term_id', ( 'id', 'name', )),
  # one2many fields:
  ('order_line', [(
    'id',
    ('product_id', ( # many2one
      'id', 'name', 'type', 'barcode',
      ('categ_id', ( # many2one
        'id', 'name', )),
      ('attribute_line_ids', [( # one2many
        'id', 'display_name', )]), )),
    'name', 'product_uom_qty', 'price_unit',
    ('tax_id', [( # many2many
      'id', 'name', )]),
    'price_subtotal', )]),
)`

// example3Preset is Example #3 as the preset of sale.order. 19.0 has renamed tax_id.
func example3Preset(t testing.TB, s *stand) *schema.Preset {
	t.Helper()
	c := s.catalogue(t)
	text := example3
	if c.Model("sale.order.line").Field("tax_id") == nil {
		text = strings.ReplaceAll(text, "'tax_id'", "'tax_ids'")
	}
	value, err := schema.ParseLiteral(text)
	require.NoError(t, err)
	tree, err := schema.ParseTree(c, "sale.order", value)
	require.NoError(t, err)
	return &schema.Preset{Model: "sale.order", ReadAll: tree, ReadOne: tree, Available: true}
}

// wantsOf makes a parsed tree the oracle's.
func wantsOf(tree *schema.Tree) []verify.Want {
	wants := make([]verify.Want, len(tree.Items))
	for i, item := range tree.Items {
		wants[i] = verify.Want{Name: item.Name, Form: item.Form}
		if item.Sub != nil {
			wants[i].Sub = wantsOf(item.Sub)
		}
	}
	return wants
}

// TestExample3 reads every sale order with the seed's Example #3 as the preset, all at once and one
// by one, and compares value by value with what Odoo answers the same user: by web_read on 19.0,
// by read level by level on 14.0.
func TestExample3(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		preset := example3Preset(t, s)
		wants := wantsOf(preset.ReadAll)
		seen := map[string]int{}
		for _, role := range roles() {
			judge := s.judge(t, role)
			kind := odooRefusal(t, func() error {
				_, err := judge.search(t.Context(), "sale.order", nil, "", 0, 0)
				return err
			})
			query := reader.Query{Model: "sale.order", Profile: reader.Classic(), Preset: preset}
			got, err := s.lateral(t.Context(), judge.who, query)
			require.NoError(t, err, role)
			if kind != "" {
				require.Equal(t, kind, got.Refusal, role)
				continue
			}
			ids, err := judge.search(t.Context(), "sale.order", nil, judge.totalOrder("sale.order", ""), 0, 0)
			require.NoError(t, err, role)
			odoo, err := judge.nested(t.Context(), "sale.order", ids, wants)
			if err != nil {
				refusal, err := refusalOf(err)
				require.NoError(t, err, role)
				require.Equal(t, refusal, got.Refusal, role)
				continue
			}
			require.Empty(t, got.Refusal, "%s: %s", role, got.Text)
			require.Equal(t, ids, got.IDs, role)
			for i, id := range ids {
				name := fmt.Sprintf("sale order %d as %s", id, role)
				require.Empty(t, verify.Difference(name, got.Records[i], odoo[id]))
				query.One, query.ID = true, id
				one, err := s.lateral(t.Context(), judge.who, query)
				require.NoError(t, err, name)
				require.Len(t, one.Records, 1, name)
				require.Empty(t, verify.Difference(name, one.Records[0], odoo[id]))
			}
			seen[role] = len(ids)
		}
		t.Logf("orders compared: %v", seen)
		require.NotZero(t, seen[stack.RoleAdmin])
		require.NotZero(t, seen[stack.RoleDemo])
		require.NotZero(t, seen[stack.RoleSalesman])
		require.Less(t, seen[stack.RoleSalesman], seen[stack.RoleAdmin], "the salesman sees only own orders")
	})
}

// TestOneStatement counts, in PostgreSQL, what a read of nested orders executes: the statement of
// the data, and in the same batch and transaction the row of Odoo's change signals, which tells
// whether what the statement was made from still holds. For a long page it is a statement for the orders and one for each
// relation, however many orders there are, and what makes these a transaction.
func TestOneStatement(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		preset := example3Preset(t, s)
		who := s.login(t, stack.RoleDemo)
		ids, err := s.judge(t, stack.RoleDemo).search(t.Context(), "sale.order", nil, "", 0, 1)
		require.NoError(t, err)
		// A directory that does not look at the clock reads nothing of its own accord.
		quiet := reader.New(reader.Deps{
			Pool: s.pool, Catalogues: s.catalogues, Odoo: s.odoo, Filestore: s.Filestore,
			Directory: auth.NewDirectory(auth.DirectoryConfig{MaxAge: time.Hour}),
		})
		counting := *s
		counting.reader = quiet
		owner := s.owner(t)
		// Not every PostgreSQL counts these.
		transaction := []string{"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "SET LOCAL plan_cache_mode = force_generic_plan", "COMMIT"}
		for name, test := range map[string]struct {
			query reader.Query
			data  int // statements of the data, at most: one that nothing leads to is not sent
		}{
			"read one":   {reader.Query{Model: "sale.order", Profile: reader.Classic(), Preset: preset, One: true, ID: ids[0]}, 1},
			"short page": {reader.Query{Model: "sale.order", Profile: reader.Classic(), Preset: preset, Limit: 3}, 1},
			"read all":   {reader.Query{Model: "sale.order", Profile: reader.Classic(), Preset: preset, Limit: 15}, 1 + relations(preset.ReadAll)},
		} {
			query := test.query
			read := func() {
				got, err := counting.lateral(t.Context(), who, query)
				require.NoError(t, err)
				require.Empty(t, got.Refusal, got.Text)
				require.NotEmpty(t, got.Records)
				require.Equal(t, reader.PathDirect, got.Path)
			}
			read()
			_, err := owner.Exec(t.Context(), "SELECT pg_stat_statements_reset()")
			require.NoError(t, err)
			read()
			rows, err := owner.Query(t.Context(), `
				SELECT s.query, s.calls FROM pg_stat_statements s
				JOIN pg_roles r ON r.oid = s.userid JOIN pg_database d ON d.oid = s.dbid
				WHERE NOT r.rolsuper AND d.datname = current_database()`)
			require.NoError(t, err)
			executed := map[string]int64{}
			for rows.Next() {
				var text string
				var calls int64
				require.NoError(t, rows.Scan(&text, &calls))
				executed[text] += calls
			}
			require.NoError(t, rows.Err())
			orders, other := int64(0), 0
			for text, calls := range executed {
				require.EqualValues(t, 1, calls, text)
				if strings.Contains(text, `"sale_order"`) {
					orders += calls
				}
				if slices.Contains(transaction, text) {
					other++
				}
			}
			require.EqualValues(t, 1, orders, "%s: %v", name, executed)
			require.LessOrEqual(t, len(executed), test.data+1+other, "%s: the data and the signals: %v", name, executed)
		}
	})
}

// relations is how many relational fields of a tree lead to records.
func relations(tree *schema.Tree) int {
	n := 0
	for _, item := range tree.Items {
		if item.Sub != nil {
			n += 1 + relations(item.Sub)
		}
	}
	return n
}

// judge returns the oracle of a role's user.
func (s *stand) judge(t testing.TB, role string) oracle {
	t.Helper()
	who := s.login(t, role)
	rows := s.call(t, who, "res.users", "read", []any{[]any{who.UID}, []any{"lang", "tz"}}, nil).([]any)
	own := rows[0].(map[string]any)
	return oracle{odoo: s.odoo, catalogue: s.catalogue(t), who: who, context: map[string]any{"lang": own["lang"], "tz": own["tz"]}}
}

// odooRefusal runs a call and returns what Odoo refuses it with.
func odooRefusal(t testing.TB, call func() error) string {
	t.Helper()
	err := call()
	if err == nil {
		return ""
	}
	refusal, err := refusalOf(err)
	require.NoError(t, err)
	return refusal
}

// nested reads records with what is nested in them: by web_read where Odoo has it.
func (o oracle) nested(ctx context.Context, model string, ids []int64, wants []verify.Want) (map[any]verify.Object, error) {
	if !o.catalogue.Features.ModernDomains {
		return o.objects(ctx, model, anyIDs(ids), wants, false)
	}
	kwargs := map[string]any{"specification": specification(wants), "context": o.context}
	result, err := o.odoo.Execute(ctx, o.who, model, "web_read", []any{ids}, kwargs)
	if err != nil {
		return nil, err
	}
	rows, ok := result.([]any)
	if !ok {
		return nil, fmt.Errorf("web_read of %s returned a %T", model, result)
	}
	documents := make(map[any]verify.Object, len(rows))
	for _, row := range rows {
		values := row.(map[string]any)
		document, err := o.fromWebRead(model, wants, values)
		if err != nil {
			return nil, err
		}
		documents[values["id"]] = document
	}
	return documents, nil
}

// specification is a tree in web_read's form.
func specification(wants []verify.Want) map[string]any {
	fields := map[string]any{}
	for _, w := range wants {
		entry := map[string]any{}
		if w.Form != schema.Plain {
			entry["fields"] = specification(w.Sub)
		}
		fields[w.Name] = entry
	}
	return fields
}

// fromWebRead encodes a record of web_read's answer as contract.md has it.
func (o oracle) fromWebRead(model string, wants []verify.Want, row map[string]any) (verify.Object, error) {
	document := make(verify.Object, 0, len(wants))
	for _, w := range wants {
		f := o.catalogue.Model(model).Field(w.Name)
		value := row[w.Name]
		if w.Form == schema.Plain {
			encoded, err := encodePlain(f, false, value)
			if err != nil {
				return nil, err
			}
			document = append(document, verify.Member{Key: w.Name, Value: encoded})
			continue
		}
		list, isList := value.([]any)
		if !isList && value != false {
			list = []any{value}
		}
		nested := make([]any, 0, len(list))
		for _, item := range list {
			inner, err := o.fromWebRead(f.Comodel, w.Sub, maps.Clone(item.(map[string]any)))
			if err != nil {
				return nil, err
			}
			nested = append(nested, inner)
		}
		var encoded any
		switch {
		case w.Form == schema.List:
			encoded = nested
		case len(nested) > 0:
			encoded = nested[0]
		}
		document = append(document, verify.Member{Key: w.Name, Value: encoded})
	}
	return document, nil
}
