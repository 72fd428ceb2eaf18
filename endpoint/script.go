// Package endpoint makes endpoints of scripts: files in Starlark, a dialect of Python that reaches
// nothing but what it is given, run as the user who asks, within limits of steps, time and memory.
package endpoint

import (
	"errors"
	"fmt"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"lateral/server"
)

// Limits bound one request of an endpoint. What a script does when it is loaded has the same.
type Limits struct {
	Steps  uint64 // of Starlark's interpreter
	Memory int64  // bytes of all values made, those let go again included, and of the answer
}

// File is a file of scripts.
type File struct {
	Name string // without a folder
	Text string
}

// Error is a mistake in a script, or where it failed.
type Error struct {
	File string
	Line int // 0 where it is not known
	Text string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Text
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text)
}

// declaration is one endpoint that a script declares.
type declaration struct {
	path, summary string
	verbs         []string
	handler       *starlark.Function
	line          int
}

// script is a file that was loaded.
type script struct {
	file         string
	declarations []declaration
}

// dialect is what scripts may use of Starlark beyond its core.
var dialect = &syntax.FileOptions{Set: true, TopLevelControl: true}

const declaringKey = "declaring"

// load parses a file and runs its top level, in which it declares endpoints. Errors are *Error.
func load(f File, limits Limits) (s *script, err error) {
	// The interpreter is not ours; a bug in it must cost a script, not the service.
	defer func() {
		if recovered := recover(); recovered != nil {
			s, err = nil, &Error{File: f.Name, Text: "the interpreter failed"}
		}
	}()
	parsed, err := dialect.Parse(f.Name, f.Text, 0)
	if err == nil {
		err = rewriteFile(parsed)
	}
	if err != nil {
		return nil, located(f.Name, err)
	}
	env := functions()
	env["endpoint"] = starlark.NewBuiltin("endpoint", declareBuiltin)
	program, err := starlark.FileProgram(parsed, env.Has)
	if err != nil {
		return nil, located(f.Name, err)
	}
	s = &script{file: f.Name}
	thread := newThread(limits)
	thread.SetLocal(declaringKey, s)
	globals, err := program.Init(thread, env)
	if err != nil {
		return nil, located(f.Name, err)
	}
	globals.Freeze()
	if len(s.declarations) == 0 {
		return nil, &Error{File: f.Name, Text: `it declares no endpoint: endpoint("/path", ["GET"], function)`}
	}
	return s, nil
}

func newThread(limits Limits) *starlark.Thread {
	thread := &starlark.Thread{Name: "endpoint", Print: func(*starlark.Thread, string) {}}
	thread.SetMaxExecutionSteps(limits.Steps)
	thread.OnMaxSteps = func(thread *starlark.Thread) {
		thread.Cancel("the script takes more steps than it may (endpoints.steps)")
	}
	thread.SetLocal(meterKey, &meter{left: limits.Memory})
	return thread
}

// declareBuiltin is endpoint(path, verbs, handler, summary).
func declareBuiltin(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	s, ok := thread.Local(declaringKey).(*script)
	if !ok {
		return nil, errors.New("endpoints are declared at the top level of a file")
	}
	d := declaration{line: lineOf(thread.CallStack(), s.file)}
	var verbs *starlark.List
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "path", &d.path, "verbs", &verbs, "handler", &d.handler, "summary?", &d.summary); err != nil {
		return nil, err
	}
	for i := range verbs.Len() {
		verb, ok := starlark.AsString(verbs.Index(i))
		if !ok {
			return nil, errors.New("verbs are texts")
		}
		d.verbs = append(d.verbs, verb)
	}
	if err := server.CheckEndpoint(d.path, d.verbs); err != nil {
		return nil, err
	}
	s.declarations = append(s.declarations, d)
	return starlark.None, nil
}

// lineOf returns the line of the innermost call that stands in a file.
func lineOf(stack starlark.CallStack, file string) int {
	for i := range stack {
		if at := stack.At(i).Pos; at.Line > 0 && at.Filename() == file {
			return int(at.Line)
		}
	}
	return 0
}

// located returns an error with its place in a file.
func located(file string, err error) *Error {
	e := &Error{File: file, Text: firstLine(err.Error())}
	var syntactic syntax.Error
	var unresolved resolve.ErrorList
	var found *mistake
	var failed *starlark.EvalError
	switch {
	case errors.As(err, &syntactic):
		e.Line, e.Text = int(syntactic.Pos.Line), syntactic.Msg
	case errors.As(err, &unresolved):
		e.Line, e.Text = int(unresolved[0].Pos.Line), unresolved[0].Msg
	case errors.As(err, &found):
		e.Line, e.Text = int(found.at.Line), found.msg
	case errors.As(err, &failed):
		e.Line, e.Text = lineOf(failed.CallStack, file), firstLine(failed.Msg)
	}
	e.Text = strings.TrimPrefix(e.Text, "Starlark computation cancelled: ")
	return e
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
