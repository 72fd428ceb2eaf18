package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"lateral/schema"
)

// noOneGroup is held by nobody outside of a browser's debug mode, but Odoo caches what a rule made
// of it for both.
const noOneGroup = "base.group_no_one"

// errNotRead ends the evaluation after an error of the database or of Odoo, which is kept aside.
var errNotRead = errors.New("a value could not be read")

func (e *evaluator) fail(err error) error {
	e.fault = err
	return errNotRead
}

// plainX2many are fields known to have neither a domain nor a context of their own, in all series;
// rules use them so often that asking Odoo for their description would be a waste.
var plainX2many = map[string]bool{
	"res.users.company_ids": true,
	"res.users.group_ids":   true,
	"res.users.groups_id":   true,
}

// openToRules are the models whose guard concerns reading as a user; as superuser their fields are
// what the columns hold.
var openToRules = map[string]bool{"res.users": true, "res.partner": true, "res.company": true, "res.groups": true}

// scalars returns the values of a field by record, nil for NULL.
func (e *evaluator) scalars(f *schema.Field, ids []int64) (map[int64]any, error) {
	if f.Name == "id" {
		return nil, errors.New("it maps to id")
	}
	if err := e.readable(f); err != nil {
		return nil, err
	}
	if path := relatedPath(f); path != nil {
		ends, last, err := e.follow(f, path, ids)
		if err != nil {
			return nil, err
		}
		values, err := e.scalars(last, distinct(ends))
		if err != nil {
			return nil, err
		}
		found := make(map[int64]any, len(ids))
		for id, end := range ends {
			found[id] = values[end]
		}
		return found, nil
	}
	if _, ok := scalarColumn(e.catalogue, f); !ok || f.Column == "" {
		return nil, fmt.Errorf("it reads %s.%s, which is no plain column", f.Model.Name, f.Name)
	}
	cached := e.scalarCache[f]
	if cached == nil {
		cached = map[int64]any{}
		e.scalarCache[f] = cached
	}
	missing := slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { _, ok := cached[id]; return ok })
	if len(missing) > 0 {
		if err := e.count(len(missing)); err != nil {
			return nil, err
		}
		values, err := e.records.scalars(e.ctx, f, missing)
		if err != nil {
			return nil, e.fail(err)
		}
		for _, id := range missing {
			cached[id] = values[id]
		}
	}
	return cached, nil
}

// links returns the records behind a relational field, by record.
func (e *evaluator) links(f *schema.Field, ids []int64) (map[int64][]int64, error) {
	if own, ok := e.ownLinks(f, ids); ok {
		return own, nil
	}
	if err := e.readable(f); err != nil {
		return nil, err
	}
	if path := relatedPath(f); path != nil {
		return e.relatedLinks(f, path, ids)
	}
	if f.Type == schema.Many2one {
		values, err := e.scalars(f, ids)
		if err != nil {
			return nil, err
		}
		links := make(map[int64][]int64, len(ids))
		for _, id := range ids {
			if target, ok := values[id].(int64); ok {
				links[id] = []int64{target}
			}
		}
		return links, nil
	}
	return e.manyLinks(f, ids)
}

// ownLinks answers from the principal what it knows of its user.
func (e *evaluator) ownLinks(f *schema.Field, ids []int64) (map[int64][]int64, bool) {
	p := e.principal
	if f.Model == nil || f.Model.Name != "res.users" || len(ids) != 1 || ids[0] != p.UID {
		return nil, false
	}
	var targets []int64
	switch {
	case f.Name == "partner_id" && p.PartnerID != 0:
		targets = []int64{p.PartnerID}
	case f.Name == "company_id" && p.DefaultCompany != 0:
		targets = []int64{p.DefaultCompany}
	case f.Name == "company_ids":
		targets = p.userCompanies
	case f.Name == "all_group_ids" && e.catalogue.Features.ClosedGroups,
		f.Name == "groups_id" && !e.catalogue.Features.ClosedGroups:
		e.unordered = true
		for id := range p.Groups {
			targets = append(targets, id)
		}
		slices.Sort(targets)
	default:
		return nil, false
	}
	return map[int64][]int64{p.UID: targets}, true
}

func (e *evaluator) relatedLinks(f *schema.Field, path []string, ids []int64) (map[int64][]int64, error) {
	ends, last, err := e.follow(f, path, ids)
	if err != nil {
		return nil, err
	}
	if !last.Type.Relational() || last.Comodel != f.Comodel {
		return nil, fmt.Errorf("it follows %s.%s, which leads elsewhere", f.Model.Name, f.Name)
	}
	targets, err := e.links(last, distinct(ends))
	if err != nil {
		return nil, err
	}
	links := make(map[int64][]int64, len(ids))
	for id, end := range ends {
		links[id] = targets[end]
	}
	return links, nil
}

func (e *evaluator) manyLinks(f *schema.Field, ids []int64) (map[int64][]int64, error) {
	onlyActive, err := e.checkX2many(f)
	if err != nil {
		return nil, err
	}
	cached := e.linkCache[f]
	if cached == nil {
		cached = map[int64][]int64{}
		e.linkCache[f] = cached
	}
	missing := slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { _, ok := cached[id]; return ok })
	if len(missing) == 0 {
		return cached, nil
	}
	if err := e.count(len(missing)); err != nil {
		return nil, err
	}
	links, ordered, err := e.records.many(e.ctx, f, missing, onlyActive)
	if err != nil {
		return nil, e.fail(err)
	}
	if !ordered {
		e.unordered = true
	}
	for _, id := range missing {
		cached[id] = links[id]
		if err := e.count(len(links[id])); err != nil {
			return nil, err
		}
	}
	return cached, nil
}

// checkX2many refuses x2many fields that are not plainly the linked records, archived ones left out.
func (e *evaluator) checkX2many(f *schema.Field) (onlyActive bool, err error) {
	name := f.Model.Name + "." + f.Name
	comodel := e.catalogue.Model(f.Comodel)
	switch {
	case comodel == nil || comodel.Relation == schema.NoRelation || !f.Stored:
		return false, fmt.Errorf("it follows %s, which is computed", name)
	case comodel.Guard.Kind != schema.Open && !openToRules[comodel.Name]:
		return false, fmt.Errorf("it follows %s to a guarded model", name)
	case f.Type == schema.Many2many && (f.RelTable == "" || f.RelColumn1 == "" || f.RelColumn2 == ""):
		return false, fmt.Errorf("it follows %s, whose table is unknown", name)
	}
	if f.Type == schema.One2many {
		inverse := comodel.Field(f.Inverse)
		if inverse == nil || inverse.Type != schema.Many2one || inverse.Column == "" {
			return false, fmt.Errorf("it follows %s, whose inverse is no column", name)
		}
	}
	onlyActive = comodel.ActiveName != ""
	if active := comodel.Field(comodel.ActiveName); onlyActive && (active == nil || active.Column == "" || active.Static.Python != "") {
		return false, fmt.Errorf("it follows %s, whose archive flag is no column", name)
	}
	if plainX2many[name] {
		return onlyActive, nil
	}
	views, err := e.views(e.ctx, f.Model)
	if err != nil {
		return false, e.fail(err)
	}
	view, known := views[f.Name]
	switch {
	case !known:
		return false, fmt.Errorf("it follows %s, whose domain is unknown", name)
	case view.Opaque != "" || view.Domain != nil:
		return false, fmt.Errorf("it follows %s, which is filtered", name)
	}
	if view.ActiveTest != nil {
		onlyActive = onlyActive && *view.ActiveTest
	}
	return onlyActive, nil
}

// readable refuses fields whose value is not what the database holds.
func (e *evaluator) readable(f *schema.Field) error {
	name := f.Model.Name + "." + f.Name
	switch {
	case f.Static.Python != "" || f.CompanyDependent:
		return fmt.Errorf("it reads %s, which is computed", name)
	case f.Model.Relation == schema.NoRelation:
		return fmt.Errorf("it reads %s, which is no table", f.Model.Name)
	case f.Model.Guard.Kind == schema.Guarded && !openToRules[f.Model.Name]:
		return fmt.Errorf("it reads the guarded model %s", f.Model.Name)
	case relatedPath(f) != nil:
		if f.Static.AsUser {
			return fmt.Errorf("it reads %s, which is computed with the user's rights", name)
		}
	case f.Type.X2many():
	case f.Column == "":
		return fmt.Errorf("it reads %s, which is computed", name)
	}
	return nil
}

// relatedPath returns the path of a related field whose value is not stored itself.
func relatedPath(f *schema.Field) []string {
	if len(f.Related) == 0 || f.Column != "" || f.Stored {
		return nil
	}
	return f.Related
}

// follow walks all but the last field of a related field's path, taking the first record at each
// step, and returns the record it ends at by record, and the last field.
func (e *evaluator) follow(f *schema.Field, path []string, ids []int64) (map[int64]int64, *schema.Field, error) {
	ends := make(map[int64]int64, len(ids))
	for _, id := range ids {
		ends[id] = id
	}
	model := f.Model
	for i, name := range path {
		hop := model.Field(name)
		if hop == nil {
			return nil, nil, fmt.Errorf("it reads %s.%s, whose path is unknown", f.Model.Name, f.Name)
		}
		if i == len(path)-1 {
			return ends, hop, nil
		}
		links, err := e.links(hop, distinct(ends))
		if err != nil {
			return nil, nil, err
		}
		for id, end := range ends {
			targets := links[end]
			switch {
			case len(targets) == 0:
				delete(ends, id)
			case len(targets) > 1 && e.unordered:
				return nil, nil, fmt.Errorf("it reads %s.%s, which depends on an order of records", f.Model.Name, f.Name)
			default:
				ends[id] = targets[0]
			}
		}
		if model = e.catalogue.Model(hop.Comodel); model == nil {
			break
		}
	}
	return nil, nil, fmt.Errorf("it reads %s.%s, whose path is unknown", f.Model.Name, f.Name)
}

// count notes that records are read, which makes the rule dependent on them, and limits it.
func (e *evaluator) count(records int) error {
	e.dependent = true
	e.read += records
	if e.read > maxRuleRecords {
		return errors.New("it looks at too many records")
	}
	return nil
}

// reference is env.ref: the record of an external id.
func (e *evaluator) reference(xmlid string) (starlark.Value, error) {
	module, name, ok := strings.Cut(xmlid, ".")
	if !ok {
		return nil, errors.New("it uses a malformed external id")
	}
	if err := e.count(1); err != nil {
		return nil, err
	}
	modelName, id, err := e.records.reference(e.ctx, module, name)
	if err != nil {
		return nil, e.fail(err)
	}
	model := e.catalogue.Model(modelName)
	if id == 0 || model == nil {
		return nil, errors.New("it uses an unknown external id")
	}
	return e.recordset(model, id), nil
}

// groupMethod returns a method that asks for the groups of the principal.
func (r *recordset) groupMethod(name string) (starlark.Value, error) {
	e := r.e
	if r.model.Name != "res.users" || len(r.ids) != 1 || r.ids[0] != e.principal.UID {
		return nil, errors.New("it asks for the groups of another user")
	}
	switch name {
	case "has_group":
		return r.method(name, func(group string) (starlark.Value, error) {
			held, err := e.holds(group)
			return starlark.Bool(held), err
		}), nil
	case "has_groups":
		if !e.catalogue.Features.FalsyValues {
			return nil, errors.New("it calls has_groups, which this series does not have")
		}
		return r.method(name, func(spec string) (starlark.Value, error) {
			held, err := e.holdsSpec(spec)
			return starlark.Bool(held), err
		}), nil
	}
	if !e.catalogue.Features.AnyOperator && name != "_is_public" && name != "_is_system" {
		return nil, fmt.Errorf("it calls %s, which this series may not have", name)
	}
	group := map[string]string{
		"_is_internal": "base.group_user", "_is_portal": "base.group_portal",
		"_is_public": "base.group_public", "_is_system": "base.group_system",
	}[name]
	return starlark.NewBuiltin(name, func(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		if err := starlark.UnpackPositionalArgs(b.Name(), args, kwargs, 0); err != nil {
			return nil, err
		}
		held, err := e.holds(group)
		return starlark.Bool(held), err
	}), nil
}

// holds is has_group. Names that are not plainly one group's are left to Odoo.
func (e *evaluator) holds(group string) (bool, error) {
	id, known := e.principal.policy.GroupIDs[group]
	if !known || group == noOneGroup || e.principal.policy.aliased[id] {
		return false, fmt.Errorf("it asks for the group %q", group)
	}
	return e.principal.Groups[id], nil
}

// holdsSpec is has_groups (18.0+: addons/base/models/res_users.py): one of the groups, and none of
// those after an exclamation mark; only the latter if no others are named.
func (e *evaluator) holdsSpec(spec string) (bool, error) {
	if spec == "." {
		return false, nil
	}
	positives, granted := 0, false
	denied := false
	for name := range strings.SplitSeq(spec, ",") {
		name, negative := strings.CutPrefix(strings.TrimSpace(name), "!")
		held, err := e.holds(name)
		if err != nil {
			return false, err
		}
		if negative {
			denied = denied || held
			continue
		}
		positives++
		granted = granted || held
	}
	return !denied && (granted || positives == 0), nil
}

func splitPath(path string) []string { return strings.Split(path, ".") }

// distinct returns the values of a map, each once and sorted.
func distinct(ends map[int64]int64) []int64 {
	values := make([]int64, 0, len(ends))
	for _, end := range ends {
		values = append(values, end)
	}
	slices.Sort(values)
	return slices.Compact(values)
}
