package auth

import (
	"fmt"

	"lateral/schema"
)

// maxDelegation bounds the depth of _inherits; a model that delegates to itself is a broken one.
const maxDelegation = 16

// evaluateRule returns the domain of one rule's text or why it cannot be told. An error means that
// the question could not be asked.
type evaluateRule func(text string) (domain schema.Domain, opaque string, err error)

// combinedRule returns the domain that all record rules make for the principal on a model, those of
// the parents it delegates to included.
func (p *Principal) combinedRule(e *evaluator, c *schema.Catalogue, m *schema.Model) (schema.Domain, string, error) {
	if p.UID == superuser {
		return schema.True{}, "", nil
	}
	combination := ruleCombination{
		rules: p.policy.rules, holds: p.holdsAny, evaluate: e.domain, catalogue: c,
	}
	domain, opaque, err := combination.of(m, 0)
	if err != nil || opaque != "" {
		return schema.False{}, opaque, err
	}
	return schema.Normalize(domain), "", nil
}

// ruleCombination is Odoo's way of combining rules (14.0–16.0: addons/base/models/ir_rule.py,
// _compute_domain with models.py, _apply_ir_rules; 17.0–19.0: _compute_domain alone): all rules
// without groups hold, and one of those for the user's groups, if there is any. Where no rule is
// for the user's groups, group rules restrict nothing.
type ruleCombination struct {
	rules     map[string][]rule
	holds     func(groups []int64) bool
	evaluate  evaluateRule
	catalogue *schema.Catalogue
}

func (r *ruleCombination) of(m *schema.Model, depth int) (schema.Domain, string, error) {
	if depth > maxDelegation {
		return nil, "its delegations do not end", nil
	}
	all, opaque, err := r.parents(m, depth)
	if err != nil || opaque != "" {
		return nil, opaque, err
	}
	var granted schema.Or
	for _, rule := range r.rules[m.Name] {
		mine := r.holds(rule.groups)
		// The flag selects, the groups decide. They differ only where somebody wrote to the tables.
		if !rule.global && !mine || len(rule.groups) > 0 && !mine {
			continue
		}
		domain, opaque, err := r.ruleDomain(rule)
		if err != nil || opaque != "" {
			return nil, opaque, err
		}
		if len(rule.groups) == 0 {
			all = append(all, domain)
		} else {
			granted = append(granted, domain)
		}
	}
	if len(granted) > 0 {
		all = append(all, granted)
	}
	return all, "", nil
}

func (r *ruleCombination) ruleDomain(rule rule) (schema.Domain, string, error) {
	if rule.domain == "" {
		return schema.True{}, "", nil
	}
	domain, opaque, err := r.evaluate(rule.domain)
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("record rule %d: %w", rule.id, err)
	case opaque != "":
		return nil, fmt.Sprintf("record rule %d: %s", rule.id, opaque), nil
	}
	return domain, "", nil
}

// parents returns one condition for each parent with rules. Before 17.0 a parent's own parents are
// not asked; in 19.0 a link that is not stored is skipped.
func (r *ruleCombination) parents(m *schema.Model, depth int) (schema.And, string, error) {
	var conditions schema.And
	features := r.catalogue.Features
	if !features.AnyOperator && depth > 0 {
		return nil, "", nil
	}
	for _, delegation := range m.Inherits {
		link, parent := m.Field(delegation.Link), r.catalogue.Model(delegation.Parent)
		if link == nil || parent == nil {
			return nil, "it delegates to " + delegation.Parent + ", which is unknown", nil
		}
		if features.ModernDomains && !link.Stored {
			continue
		}
		domain, opaque, err := r.of(parent, depth+1)
		if err != nil || opaque != "" {
			return nil, opaque, err
		}
		if domain = schema.Normalize(domain); domain == (schema.True{}) {
			continue
		}
		conditions = append(conditions, schema.Condition{Path: delegation.Link, Op: "any", Value: domain})
	}
	return conditions, "", nil
}
