package integration

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lateral/integration/stack"
	"lateral/reader"
	"lateral/reader/verify"
	"lateral/schema"
)

// oddConditions is how many conditions TestOddConstants draws for a version, unless LATERAL_ODD_READS says otherwise.
const oddConditions = 500

// oddFields has stored fields of every type that both series have, by model.
var oddFields = map[string][]string{
	"res.partner": {
		"id", "name", "active", "color", "comment", "partner_latitude", "country_id", "category_id", "child_ids", "type", "create_date",
		"lang", "parent_id", "ref", "is_company",
	},
	"sale.order":       {"date_order", "amount_total", "validity_date", "state", "order_line", "team_id", "note"},
	"sale.order.line":  {"price_unit", "product_uom_qty", "sequence", "discount"},
	"product.template": {"name", "list_price", "description_sale", "sale_ok", "categ_id", "attribute_line_ids"},
	"res.country":      {"code", "name", "phone_code"},
	"product.category": {"parent_id", "complete_name", "child_id"},
	"ir.model.fields":  {"ttype", "help", "size", "index"},
}

var oddOperators = []string{
	"=", "!=", "<", ">", "<=", ">=", "=?", "in", "not in", "like", "ilike", "not like", "not ilike", "=like", "=ilike", "<>", "child_of", "parent_of",
}

// oddConstants are of any type, whatever they are compared with.
var oddConstants = []any{
	false, true, int64(0), int64(1), int64(-1), 1.5, 0.0, 2.0, -0.5, "", "x", "1", "0", "%", "_", "a", "False", "2024-02-29", "2024-02-29 12:00:00",
	int64(99_999_999), nil,
}

// TestOddConstants compares conditions of every operator with constants that make no sense with the records that Odoo
// finds: what a client gets wrong is to go wrong in Odoo's way. Only what SQL answers is of interest.
func TestOddConstants(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		// XML-RPC, unlike JSON, tells a whole number from an integer.
		judge := s.judge(t, stack.RoleAdmin)
		catalogue := s.catalogue(t)
		var models []string
		for _, name := range catalogue.ModelNames() {
			if oddFields[name] != nil {
				models = append(models, name)
			}
		}
		require.Len(t, models, len(oddFields))
		seed := setting("LATERAL_SEED", diffSeed)
		draw := rand.New(rand.NewPCG(uint64(seed), 2))
		one := func(list []any) any { return list[draw.IntN(len(list))] }
		asked := 0
		for range int(setting("LATERAL_ODD_READS", oddConditions)) {
			model := models[draw.IntN(len(models))]
			names := oddFields[model]
			name, operator := names[draw.IntN(len(names))], oddOperators[draw.IntN(len(oddOperators))]
			require.NotNil(t, catalogue.Model(model).Field(name), "%s.%s", model, name)
			constant := one(oddConstants)
			if strings.HasSuffix(operator, "in") || draw.IntN(5) == 0 {
				list := make([]any, draw.IntN(4))
				for i := range list {
					list[i] = one(oddConstants[:len(oddConstants)-1])
				}
				constant = list
			}
			domain := []any{[]any{name, operator, constant}}
			if draw.IntN(4) == 0 {
				domain = append([]any{"!"}, domain...)
			}
			tree, err := schema.ParseTree(catalogue, model, verify.Items([]verify.Want{{Name: "id"}}))
			require.NoError(t, err)
			got, err := s.lateral(t.Context(), judge.who, reader.Query{
				Model: model, Filters: domain, Order: "id", Profile: reader.Classic(), Preset: &schema.Preset{Model: model, ReadAll: tree, Available: true},
			})
			require.NoError(t, err, "%s %v", model, domain)
			if got.Refusal == "" && got.Path != reader.PathDirect {
				continue
			}
			asked++
			want, err := judge.search(t.Context(), model, domain, "id", 0, 0)
			refusal := ""
			if err != nil {
				refusal, err = refusalOf(err)
				require.NoError(t, err, "%s %v", model, domain)
			}
			switch {
			case (got.Refusal == "") != (refusal == ""):
				t.Errorf("%s %s: lateral %v, Odoo %q with %d records", model, verify.Python(domain), got, refusal, len(want))
			case refusal == "" && !slices.Equal(got.IDs, want):
				t.Errorf("%s %s: lateral finds %d records, Odoo %d", model, verify.Python(domain), len(got.IDs), len(want))
			}
		}
		t.Logf("LATERAL_SEED=%d: %d conditions compared", seed, asked)
		require.Greater(t, asked, int(setting("LATERAL_ODD_READS", oddConditions))/4)
	})
}
