package auth

import (
	"errors"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"lateral/schema"
)

// maxRuleWork bounds what one rule may hand to operators and functions, in values and bytes of
// texts. Steps alone do not bound it: [x + x for x in …] doubles a text in one, and [x, x] a list
// that is then walked over element by element.
const maxRuleWork = 2_000_000

var (
	errRuleWork  = errors.New("it takes too much work")
	errRuleDepth = errors.New("its lists nest too deep")
)

// spend counts a value towards the rule's work, what it holds included. What stands in it twice
// counts twice, since that is how often it will be looked at.
func (e *evaluator) spend(v starlark.Value, depth int) error {
	if depth > schema.MaxNesting {
		return errRuleDepth
	}
	if e.work++; e.work > maxRuleWork {
		return errRuleWork
	}
	switch v := v.(type) {
	case *starlark.List:
		return e.spendElements(v, depth)
	case starlark.Tuple:
		return e.spendElements(v, depth)
	case starlark.String:
		e.work += len(v)
	default:
		e.work += max(0, starlark.Len(v))
	}
	return nil
}

func (e *evaluator) spendElements(list starlark.Indexable, depth int) error {
	for i := range list.Len() {
		if err := e.spend(list.Index(i), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// metered returns a function that counts its arguments before it looks at them.
func (e *evaluator) metered(name string, function builtin) *starlark.Builtin {
	return starlark.NewBuiltin(name, func(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		if err := e.spend(args, -1); err != nil {
			return nil, err
		}
		for _, pair := range kwargs {
			if err := e.spend(pair[1], 0); err != nil {
				return nil, err
			}
		}
		return function(thread, b, args, kwargs)
	})
}

// universal returns a function of Starlark's own.
func universal(name string) builtin {
	function := starlark.Universe[name].(*starlark.Builtin)
	return func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		return function.CallInternal(thread, args, kwargs)
	}
}

func addBuiltin(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	return starlark.Binary(syntax.PLUS, args[0], args[1])
}
