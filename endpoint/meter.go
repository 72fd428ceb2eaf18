package endpoint

import (
	"errors"
	"strings"
	"unicode"

	"go.starlark.net/starlark"

	"lateral/schema"
)

const (
	// Sizes in bytes that values are taken to have beside the texts in them.
	elementSize = 32
	entrySize   = 96
	// maxTuple bounds the values in a tuple, those of tuples in it included: hashing walks over all
	// of them, however often one stands there.
	maxTuple = 10_000
	// maxInteger bounds integers, in bytes: arithmetic of larger ones takes long within one step.
	maxInteger = 1 << 12
)

var (
	errMemory  = errors.New("the script takes more memory than it may (endpoints.memory)")
	errDepth   = errors.New("values nest too deep")
	errTuple   = errors.New("a tuple holds too many values")
	errInteger = errors.New("an integer is too large")
)

// meter bounds the memory that one run of a script takes: all that it makes counts, also what it has
// let go again. Steps alone do not bound it, since x + x doubles a text in one.
type meter struct{ left int64 }

const meterKey = "meter"

func meterOf(thread *starlark.Thread) *meter { return thread.Local(meterKey).(*meter) }

// spend counts n bytes.
func (m *meter) spend(n int64) error {
	if n < 0 || n > m.left {
		m.left = 0
		return errMemory
	}
	m.left -= n
	return nil
}

// product is n times size without overflow.
func product(n, size int64) int64 {
	if n > 0 && size > (1<<62)/n {
		return 1 << 62
	}
	return n * size
}

// shallow is how many bytes a copy of a value's own elements takes.
func shallow(v starlark.Value) int64 {
	switch v := v.(type) {
	case starlark.String:
		return int64(len(v))
	case starlark.Int:
		return intSize(v)
	}
	if n := starlark.Len(v); n > 0 {
		return product(int64(n), elementSize)
	}
	return elementSize
}

func intSize(v starlark.Int) int64 {
	if _, small := v.Int64(); small {
		return 8
	}
	return int64(v.BigInt().BitLen())/8 + 8
}

// deep counts the text that a value is written as. What stands in it twice counts twice, since that
// is how often it is written.
func (m *meter) deep(v starlark.Value, depth int) error {
	if depth > schema.MaxNesting {
		return errDepth
	}
	if err := m.spend(8); err != nil {
		return err
	}
	switch v := v.(type) {
	case starlark.String, starlark.Int:
		return m.spend(4 * shallow(v))
	case *starlark.Dict:
		for _, item := range v.Items() {
			if err := errors.Join(m.deep(item[0], depth+1), m.deep(item[1], depth+1)); err != nil {
				return err
			}
		}
	case starlark.Indexable:
		for i := range v.Len() {
			if err := m.deep(v.Index(i), depth+1); err != nil {
				return err
			}
		}
	default:
		return m.spend(shallow(v))
	}
	return nil
}

// made checks a value that an operation has made.
func made(v starlark.Value) error {
	switch v := v.(type) {
	case starlark.Tuple:
		count := maxTuple
		return countTuple(v, &count)
	case *starlark.List:
		for i := range v.Len() {
			if tuple, ok := v.Index(i).(starlark.Tuple); ok {
				if err := made(tuple); err != nil {
					return err
				}
			}
		}
	case starlark.Int:
		if intSize(v) > maxInteger {
			return errInteger
		}
	}
	return nil
}

func countTuple(t starlark.Tuple, left *int) error {
	if *left -= len(t); *left < 0 {
		return errTuple
	}
	for _, v := range t {
		if inner, ok := v.(starlark.Tuple); ok {
			if err := countTuple(inner, left); err != nil {
				return err
			}
		}
	}
	return nil
}

// method counts what a method of Starlark's own values is about to make.
func (m *meter) method(name string, receiver starlark.Value, args starlark.Tuple, kwargs []starlark.Tuple) error {
	total := int64(elementSize)
	for _, arg := range args {
		total += shallow(arg)
	}
	switch receiver := receiver.(type) {
	case starlark.String:
		return errors.Join(m.spend(total), m.text(name, string(receiver), args, kwargs))
	case *starlark.List:
		return m.spend(total)
	}
	return m.spend(product(3, total+shallow(receiver)))
}

// text counts what a method of a text is about to make.
func (m *meter) text(name, text string, args starlark.Tuple, kwargs []starlark.Tuple) error {
	length := int64(len(text))
	argument := func(i int) string {
		if i < len(args) {
			found, _ := starlark.AsString(args[i])
			return found
		}
		return ""
	}
	switch name {
	case "join":
		if len(args) == 0 {
			return nil
		}
		if err := m.spend(product(int64(max(0, starlark.Len(args[0]))), length)); err != nil {
			return err
		}
		return m.deep(args[0], 0)
	case "replace":
		grown := max(0, int64(len(argument(1))-len(argument(0))))
		return m.spend(length + product(int64(strings.Count(text, argument(0))), grown))
	case "format":
		return m.format(text, "{", args, kwargs)
	case "split", "rsplit", "splitlines":
		parts := int64(strings.Count(text, argument(0)))
		if argument(0) == "" {
			parts = 0
			for _, r := range text {
				if unicode.IsSpace(r) {
					parts++
				}
			}
		}
		return m.spend(product(parts+1, 2*elementSize))
	}
	return m.spend(length)
}

// format counts what a text becomes when values are put in the places that a mark begins.
func (m *meter) format(text, mark string, args starlark.Tuple, kwargs []starlark.Tuple) error {
	before := m.left
	if err := m.deep(args, 0); err != nil {
		return err
	}
	for _, pair := range kwargs {
		if err := m.deep(pair[1], 0); err != nil {
			return err
		}
	}
	return m.spend(int64(len(text)) + product(int64(strings.Count(text, mark)), before-m.left))
}
