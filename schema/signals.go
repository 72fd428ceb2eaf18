package schema

import "strings"

// SignalStatement returns the statement that reads Signals: one row of two texts, registry and
// cache. It takes no parameters. Odoo 14.0 to 18.0 signal through sequences, whose last value is
// the newest whatever the snapshot; 19.0 through tables, which obey it (odoo/modules/registry.py,
// setup_signaling; 19.0: odoo/orm/registry.py).
//
// The object ids of the signalling relations tell a restored or replaced database from the one
// before, at no cost: PostgreSQL resolves them when it plans. A module in transition shows in the
// registry text as "!", since then tables and models may not match, and a standby as "standby", so that one that is promoted has
// the catalogue read anew.
func SignalStatement(f Features) string {
	registry, caches := "base_registry_signaling", f.CacheSequences
	value := func(sequence string) string { return "(SELECT last_value FROM " + quoteIdent(sequence) + ")" }
	if f.SignalTables {
		registry, caches = "orm_signaling_registry", nil
		for _, table := range f.SignalTableNames {
			if table != registry {
				caches = append(caches, table)
			}
		}
		value = func(table string) string { return "(SELECT max(id) FROM " + quoteIdent(table) + ")" }
	}
	// concat_ws leaves out the NULL of an empty table, which an inequality can bear.
	parts := make([]string, 0, len(caches))
	for _, name := range caches {
		parts = append(parts, value(name))
	}
	cache := "''"
	if len(parts) > 0 {
		cache = "concat_ws('.', " + strings.Join(parts, ", ") + ")"
	}
	return "SELECT concat_ws('.', '" + registry + "'::regclass::oid, " + value(registry) +
		", CASE WHEN EXISTS (SELECT FROM ir_module_module WHERE state IN ('to install', 'to upgrade', 'to remove')) THEN '!' END" +
		", CASE WHEN pg_is_in_recovery() THEN 'standby' END), " +
		cache
}
