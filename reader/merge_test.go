package reader

import (
	"context"
	"testing"

	"lateral/auth"
	"lateral/schema"
)

// Ensure that domains whose conditions Odoo may merge into one search are left to it, where the
// merging would change which archived records they see, and no others.
func TestMergesArchived(t *testing.T) {
	for _, test := range []struct {
		domain string
		merges bool
	}{
		{"['|', ('child_ids.active', '=', False), ('child_ids.name', '=', 'x')]", true},
		{"['!', '|', ('child_ids.active', '=', False), ('child_ids.name', '=', 'x')]", true},
		{"['|', ('parent_id.child_ids.active', '=', False), ('parent_id.child_ids.name', '=', 'x')]", true},
		{"['|', ('child_ids', 'any', [('active', '=', True), ('name', '=', 'x')]), ('child_ids', 'any', [('city', '=', 'x')])]", true},
		{"['|', ('child_ids.active', '=', False), ('tag_ids.name', '=', 'x')]", false},
		{"['|', ('child_ids.active', '=', False), ('parent_id.child_ids.name', '=', 'x')]", false},
		{"['|', ('child_ids.name', '=', 'y'), ('child_ids.name', '=', 'x')]", false},
		{"['|', ('parent_id.active', '=', False), ('parent_id.name', '=', 'x')]", false},
	} {
		value, err := schema.ParseLiteral(test.domain)
		if err != nil {
			t.Fatal(err)
		}
		domain, err := schema.ParseDomain(value)
		if err != nil {
			t.Fatal(err)
		}
		access := fixtureAccess{catalogue: fixture("19.0")}
		c := &compiler{ctx: context.Background(), catalogue: access.catalogue, access: access.access, principal: &auth.Principal{}, policy: &auth.Policy{}}
		root := table{scope: c.newScope(), model: access.catalogue.Model("partner"), alias: c.alias()}
		_, err = root.domain(domain, c.userMode())
		if _, left := delegated(err); left != test.merges || !left && err != nil {
			t.Errorf("%s: %v", test.domain, err)
		}
		if _, err := root.domain(domain, c.ruleMode()); err != nil {
			t.Errorf("%s as a rule, which no active filter touches: %v", test.domain, err)
		}
	}
}
