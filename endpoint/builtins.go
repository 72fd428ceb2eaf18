package endpoint

import (
	"errors"
	"fmt"
	"strconv"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

type builtin = func(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error)

// longestNumber is the longest text, in bytes, that int reads: reading takes more than linear time.
const longestNumber = 4096

// functions are what scripts may call, beside what is given to a single request: Starlark's own,
// those that walk over their arguments counting them first.
func functions() starlark.StringDict {
	env := starlark.StringDict{}
	for _, name := range []string{"all", "any", "dict", "enumerate", "list", "max", "min", "reversed", "set", "sorted", "tuple", "zip"} {
		env[name] = counted(name, walksArguments)
	}
	for _, name := range []string{"fail", "print", "repr", "str"} {
		env[name] = counted(name, writesArguments)
	}
	env["int"] = counted("int", func(_ *meter, args starlark.Tuple) error {
		if len(args) > 0 && shallow(args[0]) > longestNumber {
			return errInteger
		}
		return nil
	})
	for name, function := range map[string]builtin{
		operatorFunction:  operatorBuiltin,
		inPlaceFunction:   inPlaceBuiltin,
		elementFunction:   elementBuiltin,
		attributeFunction: attributeBuiltin,
		sliceFunction:     sliceBuiltin,
		spreadFunction:    sliceBuiltin,
		tupleFunction:     tupleBuiltin,
		"getattr":         getattrBuiltin,
		"refuse":          refuseBuiltin,
		"reply":           replyBuiltin,
	} {
		env[name] = starlark.NewBuiltin(name, function)
	}
	return env
}

// counted returns a function of Starlark's own that counts its arguments first.
func counted(name string, count func(*meter, starlark.Tuple) error) *starlark.Builtin {
	own := starlark.Universe[name].(*starlark.Builtin)
	return starlark.NewBuiltin(name, func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		if err := count(meterOf(thread), args); err != nil {
			return nil, err
		}
		value, err := own.CallInternal(thread, args, kwargs)
		if err != nil {
			return nil, err
		}
		return value, made(value)
	})
}

func walksArguments(m *meter, args starlark.Tuple) error {
	for _, arg := range args {
		if err := m.spend(2 * shallow(arg)); err != nil {
			return err
		}
	}
	return nil
}

func writesArguments(m *meter, args starlark.Tuple) error { return m.deep(args, 0) }

// tokens are the operators that are counted, by their text.
var tokens = map[string]syntax.Token{"+": syntax.PLUS, "*": syntax.STAR, "%": syntax.PERCENT, "|": syntax.PIPE}

func operatorBuiltin(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	op, _ := starlark.AsString(args[0])
	return operate(meterOf(thread), op, args[1], args[2])
}

// operate counts and makes x op y.
func operate(m *meter, op string, x, y starlark.Value) (starlark.Value, error) {
	var err error
	first, isText := x.(starlark.String)
	switch op {
	case "+", "|":
		err = m.spend(shallow(x) + shallow(y))
	case "*":
		err = m.spend(productSize(x, y))
	case "%":
		if isText {
			err = m.format(string(first), "%", starlark.Tuple{y}, nil)
		}
	}
	if err != nil {
		return nil, err
	}
	value, err := starlark.Binary(tokens[op], x, y)
	if err != nil {
		return nil, err
	}
	return value, made(value)
}

// productSize is how many bytes x * y takes: that of integers, or of a sequence repeated.
func productSize(x, y starlark.Value) int64 {
	if n, ok := x.(starlark.Int); ok {
		if _, both := y.(starlark.Int); !both {
			return productSize(y, n)
		}
		return shallow(x) + shallow(y)
	}
	n, ok := y.(starlark.Int)
	if !ok {
		return shallow(x) + shallow(y)
	}
	times, ok := n.Int64()
	if !ok {
		times = 1 << 62
	}
	return product(max(0, times), shallow(x))
}

// inPlaceBuiltin is x op= y for a name: lists and dictionaries grow where they are.
func inPlaceBuiltin(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	op, _ := starlark.AsString(args[0])
	method := ""
	switch args[1].(type) {
	case *starlark.List:
		if op == "+" {
			method = "extend"
		}
	case *starlark.Dict:
		if op == "|" {
			method = "update"
		}
	}
	if method == "" {
		return operatorBuiltin(thread, b, args, kwargs)
	}
	if _, ok := args[2].(starlark.Iterable); !ok {
		return operatorBuiltin(thread, b, args, kwargs)
	}
	grow, err := attributeOf(args[1], method)
	if err != nil {
		return nil, err
	}
	_, err = starlark.Call(thread, grow, args[2:], nil)
	return args[1], err
}

// elementBuiltin is x[i] op= y.
func elementBuiltin(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	var old starlark.Value
	var set func(starlark.Value) error
	switch x := args[1].(type) {
	case *starlark.Dict:
		found, ok, err := x.Get(args[2])
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, errors.New("the key is not in the dictionary")
		}
		old, set = found, func(v starlark.Value) error { return x.SetKey(args[2], v) }
	case *starlark.List:
		i, err := starlark.AsInt32(args[2])
		if err != nil {
			return nil, err
		}
		if i < 0 {
			i += x.Len()
		}
		if i < 0 || i >= x.Len() {
			return nil, errors.New("the index is out of range")
		}
		old, set = x.Index(i), func(v starlark.Value) error { return x.SetIndex(i, v) }
	default:
		return nil, fmt.Errorf("an element of a %s cannot be set", args[1].Type())
	}
	value, err := inPlaceBuiltin(thread, b, starlark.Tuple{args[0], old, args[3]}, nil)
	if err != nil {
		return nil, err
	}
	return starlark.None, set(value)
}

func attributeBuiltin(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	name, _ := starlark.AsString(args[1])
	return attributeOf(args[0], name)
}

// attributeOf returns an attribute; methods of Starlark's own values count what they make.
func attributeOf(x starlark.Value, name string) (starlark.Value, error) {
	owner, ok := x.(starlark.HasAttrs)
	if !ok {
		return nil, fmt.Errorf("a %s has no attribute %s", x.Type(), name)
	}
	value, err := owner.Attr(name)
	if err != nil {
		return nil, err
	}
	if value == nil {
		return nil, fmt.Errorf("a %s has no attribute %s", x.Type(), name)
	}
	method, ok := value.(*starlark.Builtin)
	if !ok || method.Receiver() == nil {
		return value, nil
	}
	return starlark.NewBuiltin(name, func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		if err := meterOf(thread).method(name, x, args, kwargs); err != nil {
			return nil, err
		}
		value, err := method.CallInternal(thread, args, kwargs)
		if err != nil {
			return nil, err
		}
		return value, made(value)
	}), nil
}

func getattrBuiltin(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var x, missing starlark.Value
	var name string
	if err := starlark.UnpackPositionalArgs(b.Name(), args, kwargs, 2, &x, &name, &missing); err != nil {
		return nil, err
	}
	value, err := attributeOf(x, name)
	if err != nil && missing != nil {
		return missing, nil
	}
	return value, err
}

// sliceBuiltin counts what a slice or a spread copies.
func sliceBuiltin(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	return args[0], meterOf(thread).spend(shallow(args[0]))
}

func tupleBuiltin(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	if err := meterOf(thread).spend(shallow(args)); err != nil {
		return nil, err
	}
	return args, made(args)
}

// response is what reply makes: an answer with a status of its own.
type response struct {
	status int
	body   starlark.Value
}

func (r *response) String() string        { return "reply " + strconv.Itoa(r.status) }
func (r *response) Type() string          { return "reply" }
func (r *response) Freeze()               { r.body.Freeze() }
func (r *response) Truth() starlark.Bool  { return true }
func (r *response) Hash() (uint32, error) { return 0, errors.New("a reply cannot be a key") }

func replyBuiltin(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	r := &response{status: 200}
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "body", &r.body, "status?", &r.status); err != nil {
		return nil, err
	}
	if r.status < 200 || r.status > 299 {
		return nil, errors.New("the status of a reply is from 200 to 299; refuse is for others")
	}
	return r, nil
}
