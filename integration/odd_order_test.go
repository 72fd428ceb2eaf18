package integration

import (
	"testing"

	"github.com/stretchr/testify/require"

	"lateral/integration/stack"
	"lateral/reader"
)

// TestOddOrderOfNothing orders by a field that is not for the user: Odoo 19.0 refuses that, but not where the domain is false whatever the
// records, before it looks at the order; 14.0 refuses neither.
func TestOddOrderOfNothing(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		who := s.login(t, stack.RolePortal)
		for _, filters := range []any{
			[]any{[]any{"create_date", "<=", false}},
			[]any{[]any{"id", "in", []any{}}},
			[]any{[]any{"id", ">", int64(0)}},
		} {
			for _, by := range []struct{ model, order string }{{"res.users", "share, create_date"}, {"auth.passkey.key", "sign_count asc"}, {"res.partner", "signup_type"}} {
				if s.catalogue(t).Model(by.model) == nil {
					continue
				}
				ids, refused := s.odoo.Execute(t.Context(), who, by.model, "search", []any{filters}, map[string]any{"order": by.order})
				documents, err := readDocuments(t, s, who, reader.Query{Model: by.model, Filters: filters, Order: by.order})
				t.Logf("%s by %s, %v: Odoo %v %v, lateral %d %v", by.model, by.order, filters, ids, refused, len(documents), err)
				require.Equal(t, refused == nil, err == nil, "%s by %s, %v: Odoo %v, lateral %v", by.model, by.order, filters, refused, err)
				if err == nil {
					require.Len(t, documents, len(ids.([]any)))
				}
			}
		}
	})
}
