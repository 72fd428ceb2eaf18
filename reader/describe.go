package reader

import (
	"strings"

	"lateral/schema"
)

// describeRead writes a plan for the log: the model, the fields and the shape of domain and order, but
// no value that the client has sent, since these may be anybody's names and numbers.
func describeRead(p *Plan) string {
	var b strings.Builder
	b.WriteString(p.Root.Model.Name)
	describeLevel(&b, p.Root)
	b.WriteString(" where ")
	describeDomain(&b, p.Domain)
	if p.Order != "" {
		b.WriteString(" order by " + p.Order)
	}
	return b.String()
}

func describeLevel(b *strings.Builder, level *Level) {
	for i, n := range level.Nodes {
		if i == 0 {
			b.WriteByte('(')
		} else {
			b.WriteByte(',')
		}
		b.WriteString(n.Key)
		if n.Sub != nil {
			describeLevel(b, n.Sub)
		}
	}
	if len(level.Nodes) > 0 {
		b.WriteByte(')')
	}
}

func describeDomain(b *strings.Builder, d schema.Domain) {
	list := func(op string, terms []schema.Domain) {
		b.WriteString(op + "(")
		for i, term := range terms {
			if i > 0 {
				b.WriteByte(' ')
			}
			describeDomain(b, term)
		}
		b.WriteByte(')')
	}
	switch d := d.(type) {
	case schema.False:
		b.WriteString("false")
	case schema.And:
		list("and", d)
	case schema.Or:
		list("or", d)
	case schema.Not:
		list("not", []schema.Domain{d.Term})
	case schema.Condition:
		b.WriteString(d.Path + " " + d.Op)
		if sub, ok := d.Value.(schema.Domain); ok {
			list(" ", []schema.Domain{sub})
		}
	default:
		b.WriteString("true")
	}
}

// pathModels returns the models of the levels from the root down to a path of keys.
func pathModels(level *Level, path string) []string {
	models := []string{level.Model.Name}
	for key := range strings.SplitSeq(path, ".") {
		for _, n := range level.Nodes {
			if n.Key == key && n.Sub != nil {
				level = n.Sub
				models = append(models, level.Model.Name)
				break
			}
		}
	}
	return models
}
