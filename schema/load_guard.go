package schema

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"lateral/schema/facts"
)

// guardModels decides for each model how much of it is Odoo's business. Whatever is not known to
// be harmless is guarded.
func (l *loader) guardModels() {
	strangers := map[string]string{}
	for _, m := range l.models {
		if stranger := l.stranger(m); stranger != "" {
			strangers[m.Name] = stranger
		}
	}
	for _, m := range l.models {
		reason := l.unknownCode(m, strangers)
		m.Guard = l.guard(m, reason)
		// An add-on that nobody has read may have changed labels as well.
		if reason == "" {
			l.proveLabel(m)
		}
	}
}

// stranger returns the name of an add-on that has code for the model and that the sources read do
// not include, or nothing. base_import_module's imported add-ons have data only, hence no classes.
func (l *loader) stranger(m *Model) string {
	modules := slices.Clone(l.modulesOf[m])
	sort.Strings(modules)
	for _, module := range modules {
		if l.facts == nil || !l.facts.KnowsModule(module) && l.catalogue.Modules[module] {
			return module
		}
	}
	return ""
}

// unknownCode returns why the code behind a model is not known, or nothing: an unknown add-on
// touches the model itself, or one that it inherits from; all inherit from base.
func (l *loader) unknownCode(m *Model, strangers map[string]string) string {
	if l.facts == nil {
		return fmt.Sprintf("Odoo %s is not a known series", l.catalogue.Series)
	}
	if stranger := strangers[m.Name]; stranger != "" {
		return fmt.Sprintf("the add-on %s, which is not known, extends it", stranger)
	}
	for _, ancestor := range l.ancestors(m) {
		if stranger := strangers[ancestor]; stranger != "" {
			return fmt.Sprintf("the add-on %s, which is not known, extends %s, which it inherits from", stranger, ancestor)
		}
	}
	if !m.Manual && l.known(m) == nil {
		return "the known sources do not have it"
	}
	return ""
}

// ancestors lists the models a model inherits from: by ir_model_inherit where the database has it,
// by the sources, and by the mixins that a model of the user interface was given.
func (l *loader) ancestors(m *Model) []string {
	list := []string{"base"}
	if known := l.known(m); known != nil {
		list = append(list, known.Ancestors...)
	}
	list = append(list, l.mixins[m]...)
	// Parents of parents: the list grows while it is walked.
	list = append(list, l.parents[m.Name]...)
	seen := map[string]bool{}
	for i := 0; i < len(list); i++ {
		if !seen[list[i]] {
			seen[list[i]] = true
			list = append(list, l.parents[list[i]]...)
		}
	}
	return list
}

// access returns what the sources say about reading a model. Models made in the user interface
// have no code but that of base and of their mixins.
func (l *loader) access(m *Model) facts.Access {
	if !m.Manual {
		return l.facts.Access(m.Name)
	}
	for _, mixin := range l.mixins[m] {
		if !l.facts.Access(mixin).Harmless() {
			return facts.Access{Guarded: true, Reasons: []string{"it has the mixin " + mixin}}
		}
	}
	return l.facts.Access("base")
}

func (l *loader) guard(m *Model, unknown string) Guard {
	if unknown != "" {
		return Guard{Kind: Guarded, Reason: unknown}
	}
	access := l.access(m)
	m.SelfRead = access.SelfRead
	reason := strings.Join(access.Reasons, "; ")
	switch known := l.known(m); {
	case access.Guarded:
		return Guard{Kind: Guarded, Reason: reason}
	case known != nil && known.TableQuery:
		return Guard{Kind: Guarded, Reason: "its rows come from a query that Python writes (_table_query)"}
	case m.Relation == View:
		return Guard{Kind: Guarded, Reason: "a view, which may have several rows with one id"}
	case m.Relation == NoRelation:
		return Guard{Kind: Guarded, Reason: "no table"}
	case l.unreadable(m):
		return Guard{Kind: Guarded, Reason: "the database role may not read its table"}
	case len(access.Terms) > 0:
		return Guard{Kind: GuardedSearch, Terms: access.Terms, Reason: reason}
	}
	return Guard{}
}

// unreadable reports whether the role may not even read the ids of the model.
func (l *loader) unreadable(m *Model) bool {
	t := l.tables[m.Table]
	return t != nil && t.columns["id"].denied
}

// proveLabel sets what is proven about a model's labels.
func (l *loader) proveLabel(m *Model) {
	if m.Manual {
		m.LabelField = m.RecName
		if m.RecName != "" {
			m.LabelSearch = []string{m.RecName}
		}
	} else {
		if field, ok := l.facts.PlainDisplayName(m.Name); ok && m.Fields[field] != nil {
			m.LabelField = field
		}
		if fields, ok := l.facts.PlainLabelSearch(m.Name); ok {
			m.LabelSearch = fields
		}
	}
	m.PlainDisplayName = m.LabelField != "" && m.LabelField == m.RecName
}
