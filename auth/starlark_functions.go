package auth

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// maxRange bounds range, which would otherwise make a list of any length in one step.
const maxRange = 10_000

type builtin = func(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error)

// functions returns what rules may call: those of Starlark that do what Python's do, and ours.
func (e *evaluator) functions() starlark.StringDict {
	env := starlark.StringDict{}
	for _, name := range []string{"None", "True", "False"} {
		env[name] = starlark.Universe[name]
	}
	for _, name := range []string{"abs", "all", "any", "bool", "int", "list", "tuple", "sorted", "min", "max"} {
		env[name] = e.metered(name, universal(name))
	}
	for name, function := range map[string]builtin{
		addFunction:       addBuiltin,
		attributeFunction: e.attributeBuiltin,
		compareFunction:   e.compareBuiltin,
		indexFunction:     e.indexBuiltin,
		"len":             lenBuiltin,
		"range":           rangeBuiltin,
		"set":             e.setBuiltin,
		"str":             strBuiltin,
		"sum":             sumBuiltin,
	} {
		env[name] = e.metered(name, function)
	}
	return env
}

func (e *evaluator) attributeBuiltin(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	name, _ := starlark.AsString(args[1])
	owner, ok := args[0].(interface {
		attribute(name string) (starlark.Value, error)
	})
	if !ok {
		return nil, fmt.Errorf("it asks a %s for %s", args[0].Type(), name)
	}
	return owner.attribute(name)
}

// indexBuiltin takes an element of a list or tuple by its position, as long as the positions are
// Odoo's.
func (e *evaluator) indexBuiltin(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	switch args[0].(type) {
	case *starlark.List, starlark.Tuple:
	default:
		return nil, fmt.Errorf("it takes an element of a %s", args[0].Type())
	}
	if e.unordered {
		return nil, errors.New("it depends on an order of records")
	}
	list := args[0].(starlark.Indexable)
	position, err := starlark.AsInt32(args[1])
	if err != nil {
		return nil, err
	}
	if position < 0 {
		position += list.Len()
	}
	if position < 0 || position >= list.Len() {
		return nil, errors.New("an index is out of range")
	}
	return list.Index(position), nil
}

// compareBuiltin compares as Python does.
func (e *evaluator) compareBuiltin(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	op, _ := starlark.AsString(args[0])
	x, y := args[1], args[2]
	switch op {
	case "==", "!=":
		equal, err := pythonEqual(x, y)
		return starlark.Bool(equal == (op == "==")), err
	case "in", "not in":
		found, err := pythonContains(y, x)
		return starlark.Bool(found == (op == "in")), err
	}
	order, err := pythonCompare(x, y)
	if err != nil {
		return nil, err
	}
	return starlark.Bool(map[string]bool{"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[op]), nil
}

// pythonNumber returns a number or boolean as a number: in Python True is 1 and False is 0.
func pythonNumber(v starlark.Value) (starlark.Value, bool) {
	switch v := v.(type) {
	case starlark.Bool:
		if v {
			return starlark.MakeInt(1), true
		}
		return starlark.MakeInt(0), true
	case starlark.Int, starlark.Float:
		return v, true
	}
	return nil, false
}

func pythonEqual(x, y starlark.Value) (bool, error) {
	if a, ok := pythonNumber(x); ok {
		b, ok := pythonNumber(y)
		if !ok {
			return false, nil
		}
		return starlark.Equal(a, b)
	}
	switch x := x.(type) {
	case starlark.NoneType:
		return y == starlark.None, nil
	case starlark.String:
		other, ok := y.(starlark.String)
		return ok && x == other, nil
	case *recordset:
		other, ok := y.(*recordset)
		return ok && x.equal(other), nil
	case *starlark.List:
		other, ok := y.(*starlark.List)
		if !ok {
			return false, nil
		}
		return equalElements(x, other)
	case starlark.Tuple:
		other, ok := y.(starlark.Tuple)
		if !ok {
			return false, nil
		}
		return equalElements(x, other)
	}
	return false, fmt.Errorf("it compares a %s", x.Type())
}

func equalElements(x, y starlark.Indexable) (bool, error) {
	if x.Len() != y.Len() {
		return false, nil
	}
	for i := range x.Len() {
		if equal, err := pythonEqual(x.Index(i), y.Index(i)); err != nil || !equal {
			return false, err
		}
	}
	return true, nil
}

func pythonContains(container, element starlark.Value) (bool, error) {
	switch c := container.(type) {
	case starlark.String:
		part, ok := element.(starlark.String)
		if !ok {
			return false, errors.New("it looks for something else than a text in a text")
		}
		return strings.Contains(string(c), string(part)), nil
	case *recordset:
		other, ok := element.(*recordset)
		if !ok || other.model != c.model || len(other.ids) != 1 {
			return false, errors.New("it looks for something else than a record in records")
		}
		return c.holds(other.ids[0]), nil
	case *starlark.List, starlark.Tuple, *starlark.Set:
		iterator := starlark.Iterate(c)
		defer iterator.Done()
		var candidate starlark.Value
		for iterator.Next(&candidate) {
			if equal, err := pythonEqual(candidate, element); err != nil || equal {
				return equal, err
			}
		}
		return false, nil
	}
	return false, fmt.Errorf("it looks for something in a %s", container.Type())
}

func pythonCompare(x, y starlark.Value) (int, error) {
	a, number := pythonNumber(x)
	b, otherNumber := pythonNumber(y)
	switch {
	case number && otherNumber:
		if less, err := starlark.Compare(syntax.LT, a, b); err != nil || less {
			return -1, err
		}
		equal, err := starlark.Equal(a, b)
		if equal {
			return 0, err
		}
		return 1, err
	default:
		first, ok := x.(starlark.String)
		second, otherOK := y.(starlark.String)
		if !ok || !otherOK {
			return 0, fmt.Errorf("it compares a %s with a %s", x.Type(), y.Type())
		}
		return cmp.Compare(first, second), nil
	}
}

func lenBuiltin(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var value starlark.Value
	if err := starlark.UnpackPositionalArgs(b.Name(), args, kwargs, 1, &value); err != nil {
		return nil, err
	}
	if text, ok := value.(starlark.String); ok {
		return starlark.MakeInt(utf8.RuneCountInString(string(text))), nil
	}
	length := starlark.Len(value)
	if length < 0 {
		return nil, fmt.Errorf("it asks for the length of a %s", value.Type())
	}
	return starlark.MakeInt(length), nil
}

func rangeBuiltin(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	value, err := starlark.Call(thread, starlark.Universe["range"], args, kwargs)
	if err == nil && starlark.Len(value) > maxRange {
		return nil, errors.New("its range is too long")
	}
	return value, err
}

// setBuiltin makes sets of numbers or of texts. Python's sets know no order, and take False for 0.
func (e *evaluator) setBuiltin(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var elements starlark.Iterable
	if err := starlark.UnpackPositionalArgs(b.Name(), args, kwargs, 0, &elements); err != nil {
		return nil, err
	}
	set := starlark.NewSet(0)
	if elements == nil {
		return set, nil
	}
	e.unordered = true
	kind := ""
	iterator := elements.Iterate()
	defer iterator.Done()
	var element starlark.Value
	for iterator.Next(&element) {
		if kind == "" {
			kind = element.Type()
		}
		if element.Type() != kind || (kind != "int" && kind != "string") {
			return nil, errors.New("it makes a set of mixed values")
		}
		if err := set.Insert(element); err != nil {
			return nil, err
		}
	}
	return set, nil
}

func strBuiltin(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var value starlark.Value
	if err := starlark.UnpackPositionalArgs(b.Name(), args, kwargs, 1, &value); err != nil {
		return nil, err
	}
	switch value.(type) {
	case starlark.String:
		return value, nil
	case starlark.Int, starlark.Bool, starlark.NoneType:
		return starlark.String(value.String()), nil
	}
	return nil, fmt.Errorf("it makes a text of a %s", value.Type())
}

func sumBuiltin(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var elements starlark.Iterable
	if err := starlark.UnpackPositionalArgs(b.Name(), args, kwargs, 1, &elements); err != nil {
		return nil, err
	}
	total := starlark.MakeInt(0)
	iterator := elements.Iterate()
	defer iterator.Done()
	var element starlark.Value
	for iterator.Next(&element) {
		number, ok := element.(starlark.Int)
		if !ok {
			return nil, errors.New("it sums up something else than integers")
		}
		total = total.Add(number)
	}
	return total, nil
}
