package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"lateral/pg"
	"lateral/schema"
)

// The parts of the policy, each one JSON value. All are read by one statement, so that they agree
// with each other even where no transaction surrounds it.
const (
	aclSQL = `(SELECT json_object_agg(model, json_build_object('Everyone', everyone, 'Groups', groups) ORDER BY model)
	FROM (
		SELECT m.model, bool_or(a.group_id IS NULL) AS everyone,
			coalesce(json_agg(DISTINCT a.group_id) FILTER (WHERE a.group_id IS NOT NULL), '[]') AS groups
		FROM ir_model_access a JOIN ir_model m ON m.id = a.model_id
		WHERE a.active AND a.perm_read
		GROUP BY m.model
	) AS lines)`

	rulesSQL = `(SELECT json_agg(json_build_object(
		'ID', r.id, 'Model', m.model, 'Global', coalesce(r.global, false), 'Domain', coalesce(r.domain_force, ''),
		'Groups', coalesce((SELECT json_agg(g.group_id ORDER BY g.group_id) FROM rule_group_rel g WHERE g.rule_group_id = r.id), '[]')
	) ORDER BY r.id)
	FROM ir_rule r JOIN ir_model m ON m.id = r.model_id
	WHERE r.active AND r.perm_read)`

	groupNamesSQL = `(SELECT json_agg(json_build_object('Name', d.module || '.' || d.name, 'ID', d.res_id) ORDER BY d.module, d.name)
	FROM ir_model_data d
	WHERE d.model = 'res.groups' AND d.res_id IS NOT NULL)`

	languagesSQL = `(SELECT json_agg(code ORDER BY name) FROM res_lang WHERE active)`

	// A change of a precision moves the cache signal, in 19.0 that of "stable"
	// (addons/base/models/decimal_precision.py, write).
	precisionsSQL = `(SELECT json_object_agg(name, digits ORDER BY name) FROM decimal_precision WHERE name IS NOT NULL)`

	impliedSQL = `(SELECT json_object_agg(gid, hids ORDER BY gid)
	FROM (SELECT gid, json_agg(hid ORDER BY hid) AS hids FROM res_groups_implied_rel GROUP BY gid) AS edges)`

	// The order puts rows for a user and for a company first, since NULLs sort last (18.0+:
	// addons/base/models/ir_default.py, _get_field_column_fallbacks).
	fallbacksSQL = `(SELECT json_agg(json_build_object(
		'Model', f.model, 'Field', f.name, 'Company', coalesce(d.company_id, 0), 'Value', d.json_value
	) ORDER BY d.user_id, d.company_id, d.id)
	FROM ir_default d JOIN ir_model_fields f ON f.id = d.field_id
	WHERE f.company_dependent AND d.condition IS NULL AND (d.user_id IS NULL OR d.user_id = 1))`
)

// presetsSQL reads the presets kept in Odoo. A change of a parameter moves the cache signal: in
// 19.0 that of "stable" (addons/base/models/ir_config_parameter.py, clear_cache), before the only
// one there is or "default" (14.0: clear_caches).
var presetsSQL = fmt.Sprintf(`(SELECT json_object_agg(substr(key, %d), value ORDER BY key)
	FROM ir_config_parameter WHERE starts_with(key, '%s'))`, len(schema.PresetParameter)+1, schema.PresetParameter)

// policyRows is the statement's answer.
type policyRows struct {
	ACL map[string]struct {
		Everyone bool
		Groups   []int64
	}
	Rules []struct {
		ID     int64
		Model  string
		Global bool
		Domain string
		Groups []int64
	}
	GroupNames []struct {
		Name string
		ID   int64
	}
	Languages []string
	Presets   map[string]string
	// Precisions is what decimal.precision says.
	Precisions map[string]int
	Implied    map[int64][]int64
	Fallbacks  []struct {
		Model, Field string
		Company      int64
		Value        string
	}
}

// LoadPolicy reads the policy of the database that the catalogue describes, in one statement. The
// caller sets its Stamp. Errors are those of the database, see pg.Classify.
func LoadPolicy(ctx context.Context, q pg.Querier, c *schema.Catalogue) (*Policy, error) {
	var text []byte
	if err := q.QueryRow(ctx, policySQL(c.Features)).Scan(&text); err != nil {
		return nil, fmt.Errorf("load the access policy: %w", err)
	}
	var rows policyRows
	if err := json.Unmarshal(text, &rows); err != nil {
		return nil, fmt.Errorf("load the access policy: %w", err)
	}
	policy := newPolicy(rows)
	sum := sha256.Sum256(text)
	policy.digest = hex.EncodeToString(sum[:])
	names, err := json.Marshal(rows.GroupNames)
	if err != nil {
		return nil, fmt.Errorf("load the access policy: %w", err)
	}
	sum = sha256.Sum256(names)
	policy.groupDigest = hex.EncodeToString(sum[:])
	return policy, nil
}

func policySQL(f schema.Features) string {
	parts := []string{
		"'ACL', " + aclSQL, "'Rules', " + rulesSQL, "'GroupNames', " + groupNamesSQL, "'Languages', " + languagesSQL,
		"'Presets', " + presetsSQL, "'Precisions', " + precisionsSQL,
	}
	if f.ClosedGroups {
		parts = append(parts, "'Implied', "+impliedSQL)
	}
	if f.JSONCompanyValues {
		parts = append(parts, "'Fallbacks', "+fallbacksSQL)
	}
	return "SELECT json_build_object(" + strings.Join(parts, ", ") + ")::text"
}

func newPolicy(rows policyRows) *Policy {
	p := &Policy{
		Languages:       make(map[string]bool, len(rows.Languages)),
		GroupIDs:        make(map[string]int64, len(rows.GroupNames)),
		Fallbacks:       map[string]map[string][]Fallback{},
		Presets:         rows.Presets,
		Precisions:      rows.Precisions,
		languagesByName: rows.Languages,
		acl:             make(map[string]acl, len(rows.ACL)),
		rules:           map[string][]rule{},
		implied:         rows.Implied,
		aliased:         map[int64]bool{},
	}
	for _, code := range rows.Languages {
		p.Languages[code] = true
	}
	named := make(map[int64]bool, len(rows.GroupNames))
	for _, group := range rows.GroupNames {
		p.GroupIDs[group.Name] = group.ID
		if named[group.ID] {
			p.aliased[group.ID] = true
		}
		named[group.ID] = true
	}
	for model, lines := range rows.ACL {
		p.acl[model] = acl{everyone: lines.Everyone, groups: lines.Groups}
	}
	for _, r := range rows.Rules {
		p.rules[r.Model] = append(p.rules[r.Model], rule{id: r.ID, global: r.Global, groups: r.Groups, domain: r.Domain})
	}
	for _, f := range rows.Fallbacks {
		if p.Fallbacks[f.Model] == nil {
			p.Fallbacks[f.Model] = map[string][]Fallback{}
		}
		p.Fallbacks[f.Model][f.Field] = append(p.Fallbacks[f.Model][f.Field], Fallback{CompanyID: f.Company, JSON: f.Value})
	}
	return p
}
