package schema

// nested parses the second part of a nested item and decides its form. Of an item that is a tuple
// the brackets decide; JSON has no tuples, so that elsewhere the field's type has a say.
func (p *treeParser) nested(f *Field, comodel *Model, v any, inTuple bool, path []string) (Form, []Item, *TreeError) {
	form := byType(f)
	list, isList := v.([]any)
	switch _, isTuple := v.(Tuple); {
	case isTuple || inTuple && !isList:
		form = OneRecord
	case inTuple:
		form = List
		if len(list) == 1 {
			// These are the brackets of [('id', 'name')].
			v = list[0]
		}
	case isList && len(list) == 1:
		return p.brackets(f, comodel, list[0], path)
	}
	items, failure := p.schema(comodel, v, path)
	return form, items, failure
}

// byType is the form that a field's type asks for.
func byType(f *Field) Form {
	if f.Type == Many2one {
		return OneRecord
	}
	return List
}

// brackets parses what stands alone in a list: of ["name"] a field, of [("id", "name")] the fields
// of a list; [["categ_id", ["id"]]] is a nested item if its head is a relation and the rest can be
// read so, and else the fields of a list as well.
func (p *treeParser) brackets(f *Field, comodel *Model, inner any, path []string) (Form, []Item, *TreeError) {
	if list, ok := inner.([]any); ok && p.looksLikeItem(comodel, list) {
		if item, failure := p.item(comodel, list, path); failure == nil {
			return byType(f), []Item{item}, nil
		}
	}
	form := byType(f)
	if _, ok := sequence(inner); ok {
		form = List
	}
	items, failure := p.schema(comodel, inner, path)
	return form, items, failure
}
