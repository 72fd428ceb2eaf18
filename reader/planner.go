package reader

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"lateral/auth"
	"lateral/schema"
	"lateral/writer"
)

// allFields are the names that exclude_fields takes for "every field".
var allFields = map[string]bool{"*": true, "__all_fields__": true}

// planner resolves a query against the catalogue and the user's access.
type planner struct {
	ctx       context.Context
	catalogue *schema.Catalogue
	principal *auth.Principal
	policy    *auth.Policy
	access    accessor
	gate      gate
	profile   Profile
}

// plan returns the plan of a query. It fails with an *Error where Odoo would refuse the read
// whatever the records.
func (p *planner) plan(q Query, readContext Context) (*Plan, error) {
	model := p.catalogue.Model(q.Model)
	if model == nil {
		return nil, &Error{Kind: ModelNotFound, Message: fmt.Sprintf("there is no model %q", q.Model)}
	}
	access, err := p.access(q.Model)
	if err != nil {
		return nil, err
	}
	if err := p.gate.model(access); err != nil {
		return nil, err
	}
	items, flat, err := p.items(model, access, q)
	if err != nil {
		return nil, err
	}
	root, err := p.level(model, access, items, flat, "")
	if err != nil {
		return nil, err
	}
	root.place(q.Content)
	plan := &Plan{
		Catalogue: p.catalogue, Principal: p.principal, Root: root, Context: readContext,
		Order: q.Order, Offset: q.Offset, Limit: q.Limit,
	}
	if plan.Domain, err = p.domain(model, q); err != nil {
		return nil, err
	}
	plan.RawDomain = rawDomain(plan.Domain, q)
	if q.One {
		plan.Limit = 1
	}
	plan.Delegate = p.delegation(plan, q)
	return plan, nil
}

// delegation returns why a plan as a whole is Odoo's business, empty where it is not.
func (p *planner) delegation(plan *Plan, q Query) string {
	lang := plan.Context.Lang
	switch {
	case p.catalogue.Upgrading:
		return "modules are being installed or upgraded"
	case q.written, q.Created && p.catalogue.Standby:
		return "the database is a standby, which may not have what was written yet"
	case !p.catalogue.Features.AnyOperator && negatesApart(plan.Root.Model, plan.RawDomain):
		return "a negation of <>"
	case len(plan.Context.Extra) > 0:
		return "the context has keys that may change anything"
	case plan.Root.Model.Guard.Kind == schema.Guarded:
		return plan.Root.Model.Name + ": " + plan.Root.Model.Guard.Reason
	case plan.Root.Access.Opaque != "":
		return "the rules of " + plan.Root.Model.Name + ": " + plan.Root.Access.Opaque
	case p.catalogue.Features.JSONTranslations && lang != "" && lang != "en_US" && !p.policy.Languages[lang]:
		return "the language " + lang + " is not active"
	}
	return ""
}

// domain returns the domain of the root records: the preset's and the client's, or the identity of
// one record.
func (p *planner) domain(model *schema.Model, q Query) (schema.Domain, error) {
	if q.One {
		return p.identity(model, q)
	}
	var terms schema.And
	if q.Preset != nil && q.Preset.DefaultDomain != nil {
		terms = append(terms, q.Preset.DefaultDomain)
	}
	if q.Filters != nil {
		domain, err := schema.ParseDomain(q.Filters)
		if err != nil {
			return nil, invalid("filters: %v", err)
		}
		terms = append(terms, domain)
	}
	switch len(terms) {
	case 0:
		return schema.True{}, nil
	case 1:
		return terms[0], nil
	}
	return terms, nil
}

// rawDomain is the domain as the client wrote it: what Odoo makes of its own spellings is its own
// affair. Two complete domains, one behind the other, are ANDed.
func rawDomain(parsed schema.Domain, q Query) []any {
	if q.One || q.Filters == nil {
		return schema.DomainList(parsed)
	}
	var raw []any
	if q.Preset != nil {
		raw = append(raw, q.Preset.RawDomain...)
	}
	filters, _ := plainLists(q.Filters).([]any)
	return append(raw, filters...)
}

// plainLists turns tuples into lists, which is all that RPC knows.
func plainLists(v any) any {
	if !isList(v) {
		return v
	}
	list := make([]any, 0, len(listOf(v)))
	for _, element := range listOf(v) {
		list = append(list, plainLists(element))
	}
	return list
}

// holdsText reports whether a text stands anywhere in nested lists.
func holdsText(v any, text string) bool {
	for _, element := range listOf(v) {
		if element == text || isList(element) && holdsText(element, text) {
			return true
		}
	}
	return false
}

// negatesApart reports whether a domain negates a comparison by <> that must not be taken for one by !=.
// Up to 17.0 only != has an opposite, so that of <> the whole predicate is negated (14.0:
// odoo/osv/expression.py, distribute_not). Of a stored field and one constant or id that selects the same
// records; along a path or by a name, which are looked for first, it does not.
func negatesApart(model *schema.Model, domain []any) bool {
	var negations []bool // of the terms that the operators so far are still to get
	return slices.ContainsFunc(domain, func(term any) bool {
		negated := false
		if n := len(negations); n > 0 {
			negated, negations = negations[n-1], negations[:n-1]
		}
		switch term {
		case "!":
			negations = append(negations, !negated)
		case "&", "|":
			negations = append(negations, negated, negated)
		}
		leaf := listOf(term)
		if !negated {
			return false
		}
		if len(leaf) != 3 || leaf[1] != "<>" {
			return isList(term) && holdsText(term, "<>")
		}
		name, _ := leaf[0].(string)
		f := model.Field(name)
		_, isID := leaf[2].(int64)
		return f == nil || !f.Stored || isList(leaf[2]) || !slices.Contains(directTypes, f.Type) && !(f.Type.Relational() && (isID || leaf[2] == false))
	})
}

// directTypes are the types of fields whose comparison with a constant takes nothing but the column.
var directTypes = []schema.FieldType{
	schema.Boolean, schema.Integer, schema.Float, schema.Monetary, schema.Char, schema.Text, schema.Selection,
	schema.Date, schema.Datetime,
}

func (p *planner) identity(model *schema.Model, q Query) (schema.Domain, error) {
	if q.SearchField == "" {
		return byID(model, q), nil
	}
	f := model.Field(q.SearchField)
	if f == nil {
		e := invalid("search_field: %s has no field %q", model.Name, q.SearchField)
		e.Field = q.SearchField
		return nil, e
	}
	var constant any = q.SearchValue
	switch f.Type {
	case schema.Integer, schema.Many2one, schema.Many2oneReference:
		n, err := strconv.ParseInt(q.SearchValue, 10, 64)
		if err != nil {
			e := invalid("search_field: %s is a whole number, %q is not", q.SearchField, q.SearchValue)
			e.Field = q.SearchField
			return nil, e
		}
		constant = n
	}
	return schema.Condition{Path: q.SearchField, Op: "=", Value: constant}, nil
}

// byID is the domain of the record of a query's id: And with the id in front where there is more to it.
func byID(model *schema.Model, q Query) schema.Domain {
	identity := schema.Condition{Path: "id", Op: "=", Value: q.ID}
	if !q.Created || model.ActiveName == "" {
		return identity
	}
	// A domain that speaks of the flag finds archived records too.
	return schema.And{identity, schema.Condition{Path: model.ActiveName, Op: "in", Value: []any{true, false}}}
}

// items returns the fields to read at the top level, and whether they are in flat mode
// (contract, section 5).
func (p *planner) items(model *schema.Model, access *auth.ModelAccess, q Query) ([]schema.Item, bool, error) {
	if q.Content != "" {
		items, err := contentItems(model, access, q.Content)
		return items, false, err
	}
	items, flat := p.preset(q), false
	if items == nil {
		items, flat = p.defaultItems(model, access, q.One), true
	}
	excluded, err := schema.ParseNames(q.Exclude)
	if err != nil {
		return nil, false, invalid("exclude_fields: %v", err)
	}
	for _, name := range excluded {
		if allFields[name] {
			items = []schema.Item{{Name: "id"}}
			continue
		}
		if model.Field(name) == nil {
			e := invalid("exclude_fields: %s has no field %q", model.Name, name)
			e.Field = name
			return nil, false, e
		}
		items = remove(items, name)
	}
	included, err := schema.ParseItems(p.catalogue, model.Name, q.Include)
	if err != nil {
		return nil, false, invalid("include_fields: %v", err)
	}
	for _, item := range included {
		items = append(remove(items, item.Name), item)
	}
	return items, flat, nil
}

func (p *planner) preset(q Query) []schema.Item {
	if q.Preset == nil {
		return nil
	}
	tree := q.Preset.ReadAll
	switch {
	case q.Created:
		tree = q.Preset.CreateOne
	case q.One:
		tree = q.Preset.ReadOne
	}
	if tree == nil {
		return nil
	}
	return tree.Items
}

// defaultItems are the fields of a read without a preset: every field the user may read of one
// record, id and name of the records of a page.
func (p *planner) defaultItems(model *schema.Model, access *auth.ModelAccess, one bool) []schema.Item {
	names := []string{"id", "name"}
	if one {
		names = model.FieldNames()
	}
	items := make([]schema.Item, 0, len(names))
	for _, name := range names {
		if _, visible := access.Fields[name]; visible && model.Field(name) != nil {
			items = append(items, schema.Item{Name: name})
		}
	}
	return items
}

func remove(items []schema.Item, name string) []schema.Item {
	kept := make([]schema.Item, 0, len(items))
	for _, item := range items {
		if item.Name != name {
			kept = append(kept, item)
		}
	}
	return kept
}

// level resolves the fields of one model.
func (p *planner) level(model *schema.Model, access *auth.ModelAccess, items []schema.Item, flat bool, path string) (*Level, error) {
	level := &Level{Model: model, Access: access, Nodes: make([]*Node, 0, len(items))}
	for _, item := range items {
		node, err := p.node(model, access, item, flat, join(path, item.Name))
		if err != nil {
			return nil, at(err, join(path, item.Name), item.Name)
		}
		level.Nodes = append(level.Nodes, node)
	}
	return level, nil
}

func (p *planner) node(model *schema.Model, access *auth.ModelAccess, item schema.Item, flat bool, path string) (*Node, error) {
	f := model.Field(item.Name)
	if f == nil {
		return nil, invalid("%s has no field %q", model.Name, item.Name)
	}
	if err := p.gate.field(access, f); err != nil {
		return nil, err
	}
	node := &Node{Key: f.Name, Field: f, View: access.Fields[item.Name], Null: p.profile.Null}
	switch {
	case model.SelfRead && groupRestricted(p.catalogue, f):
		// fields_get shows users what they may read of themselves, which is more than of others
		// (Odoo 14.0–19.0: addons/base/models/res_users.py, SELF_READABLE_FIELDS).
		node.Computed = "some users may read it of themselves alone"
	case model.SelfRead && f.Type.X2many():
		// The rules of res.users look at company_ids as superuser, and what Odoo then has in its cache
		// decides whether a user with companies of others can be read at all.
		node.Computed = "what Odoo shows of it depends on its cache"
	}
	plain := p.profile.Nested
	if flat {
		plain = p.profile.Flat
	}
	switch {
	case item.Form != schema.Plain:
		return node, p.nest(node, item, path)
	case f.Type == schema.Many2one:
		node.Shape = plain.Many2one
		if node.Shape == NamedID {
			return node, p.name(node, path)
		}
	case f.Type.X2many():
		node.Shape = plain.X2many
	case f.Type == schema.Reference:
		node.Shape = plain.Reference
	}
	return node, nil
}

// nest resolves a field with nested fields.
func (p *planner) nest(node *Node, item schema.Item, path string) error {
	f := node.Field
	switch {
	case !f.Type.Relational():
		return invalid("%s is a %s field and has no nested fields", path, f.Type)
	case f.Type == schema.Many2one && item.Form == schema.List:
		node.Shape = ObjectList
	case f.Type == schema.Many2one:
		node.Shape = Object
	case item.Form == schema.List:
		node.Shape = Objects
	default:
		node.Shape = SingleObject
	}
	var err error
	node.Sub, err = p.comodel(f, item.Sub.Items, path)
	return err
}

// name makes a plain many2one the object of its target's id and name. Where the comodel has no
// such field, or the user may not see it, the id stands alone.
func (p *planner) name(node *Node, path string) error {
	comodel := p.catalogue.Model(node.Field.Comodel)
	if comodel == nil {
		node.Shape = ID
		return nil
	}
	access, err := p.access(comodel.Name)
	if err != nil {
		return err
	}
	items := []schema.Item{{Name: "id"}}
	// Of a model that the user may not read no name is shown, whatever its fields.
	if _, visible := access.Fields["name"]; (visible || !access.Readable) && comodel.Field("name") != nil {
		items = append(items, schema.Item{Name: "name"})
	}
	named := *p
	named.gate = openGate{}
	node.Sub, err = named.level(comodel, access, items, false, path)
	return err
}

func (p *planner) comodel(f *schema.Field, items []schema.Item, path string) (*Level, error) {
	comodel := p.catalogue.Model(f.Comodel)
	if comodel == nil {
		return nil, invalid("%s leads to %q, which is no model", path, f.Comodel)
	}
	access, err := p.access(comodel.Name)
	if err != nil {
		return nil, err
	}
	return p.level(comodel, access, items, false, path)
}

// parseContext reads __context__ over the user's own language and time zone; these are known only
// with the principal, see withUser.
func parseContext(raw map[string]any) (Context, error) {
	var c Context
	for key, v := range raw {
		ok := true
		switch key {
		case "lang":
			c.Lang, ok = contextText(v)
			c.langSet = true
		case "tz":
			c.Tz, ok = contextText(v)
			c.tzSet = true
		case "active_test":
			flag := truthy(v)
			c.ActiveTest = &flag
		case "allowed_company_ids":
			c.Companies, ok = contextIDs(v)
		default:
			if c.Extra == nil {
				c.Extra = map[string]any{}
			}
			c.Extra[key] = v
		}
		if !ok {
			return Context{}, invalid("__context__: %s cannot be %v", key, v)
		}
	}
	return c, nil
}

// withUser fills in what the request does not say.
func (c Context) withUser(p *auth.Principal) Context {
	if !c.langSet {
		c.Lang = p.Lang
	}
	if !c.tzSet {
		c.Tz = p.Tz
	}
	return c
}

func contextText(v any) (string, bool) {
	if none(v) {
		return "", true
	}
	text, ok := v.(string)
	return text, ok && !strings.ContainsRune(text, 0)
}

func contextIDs(v any) ([]int64, bool) {
	if none(v) {
		return nil, true
	}
	if id, ok := v.(int64); ok {
		return []int64{id}, true
	}
	if !isList(v) {
		return nil, false
	}
	ids, empty, err := recordIDs(listOf(v))
	return ids, err == nil && !empty
}

// asError makes an *Error of what access and principal may fail with.
func asError(err error) error {
	var already *Error
	var company *auth.CompanyError
	var fault *writer.Fault
	switch {
	case err == nil, errors.As(err, &already):
		return err
	case errors.As(err, &company):
		return &Error{Kind: Denied, Field: "allowed_company_ids", Message: company.Error(), Err: err}
	case errors.As(err, &fault):
		return odooError("asking Odoo what the user may read", "", err)
	case errors.Is(err, auth.ErrUserGone):
		return &Error{Kind: InvalidToken, Message: "the user of this token is gone", Err: err}
	}
	return err
}
