package endpoint

import (
	"fmt"

	"go.starlark.net/syntax"
)

// Names of the functions that stand for operators. Names of Starlark cannot hold a point, so that no
// script can name them.
const (
	operatorFunction  = "metered.operator"
	inPlaceFunction   = "metered.inplace"
	elementFunction   = "metered.element"
	attributeFunction = "metered.attribute"
	sliceFunction     = "metered.slice"
	tupleFunction     = "metered.tuple"
	spreadFunction    = "metered.spread"
)

// withheld are functions of Starlark that scripts do not have.
var withheld = map[string]bool{"bytes": true, "dir": true, "hash": true}

// mistake is an error at a place of a script.
type mistake struct {
	at  syntax.Position
	msg string
}

func (e *mistake) Error() string { return e.msg }

func wrong(at syntax.Position, format string, args ...any) error {
	return &mistake{at, fmt.Sprintf(format, args...)}
}

// rewriteFile makes calls of functions that count memory of all operations that can make a value
// larger than what it is made of: sums, products, formats, slices, tuples and methods.
func rewriteFile(f *syntax.File) error { return rewriteStatements(f.Stmts) }

func rewriteStatements(list []syntax.Stmt) error {
	for i := range list {
		if err := rewriteStatement(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

func rewriteStatement(place *syntax.Stmt) error {
	switch s := (*place).(type) {
	case *syntax.AssignStmt:
		return rewriteAssignment(place, s)
	case *syntax.DefStmt:
		if err := rewriteParameters(s.Params); err != nil {
			return err
		}
		return rewriteStatements(s.Body)
	case *syntax.ExprStmt:
		return rewriteAll(&s.X)
	case *syntax.IfStmt:
		if err := rewriteAll(&s.Cond); err != nil {
			return err
		}
		if err := rewriteStatements(s.True); err != nil {
			return err
		}
		return rewriteStatements(s.False)
	case *syntax.ForStmt:
		if err := rewriteTarget(s.Vars); err != nil {
			return err
		}
		if err := rewriteAll(&s.X); err != nil {
			return err
		}
		return rewriteStatements(s.Body)
	case *syntax.WhileStmt:
		if err := rewriteAll(&s.Cond); err != nil {
			return err
		}
		return rewriteStatements(s.Body)
	case *syntax.ReturnStmt:
		if s.Result == nil {
			return nil
		}
		return rewriteAll(&s.Result)
	case *syntax.BranchStmt:
		return nil
	}
	at, _ := (*place).Span()
	return wrong(at, "scripts load no other files")
}

// metered are the operators that can make large values.
var metered = map[syntax.Token]syntax.Token{
	syntax.PLUS_EQ: syntax.PLUS, syntax.STAR_EQ: syntax.STAR, syntax.PERCENT_EQ: syntax.PERCENT, syntax.PIPE_EQ: syntax.PIPE,
}

func rewriteAssignment(place *syntax.Stmt, s *syntax.AssignStmt) error {
	if err := rewriteAll(&s.RHS); err != nil {
		return err
	}
	op, large := metered[s.Op]
	if !large {
		return rewriteTarget(s.LHS)
	}
	switch target := s.LHS.(type) {
	case *syntax.Ident:
		s.RHS = call(s.OpPos, inPlaceFunction, text(s.OpPos, op.String()), &syntax.Ident{NamePos: target.NamePos, Name: target.Name}, s.RHS)
		s.Op = syntax.EQ
		return nil
	case *syntax.IndexExpr:
		if err := rewriteAll(&target.X, &target.Y); err != nil {
			return err
		}
		*place = &syntax.ExprStmt{X: call(s.OpPos, elementFunction, text(s.OpPos, op.String()), target.X, target.Y, s.RHS)}
		return nil
	}
	return wrong(s.OpPos, "%s= wants a name or an element on its left", op)
}

// rewriteTarget rewrites what stands in the place that something is assigned to.
func rewriteTarget(x syntax.Expr) error {
	switch x := x.(type) {
	case *syntax.Ident:
		return nil
	case *syntax.ParenExpr:
		return rewriteTarget(x.X)
	case *syntax.TupleExpr:
		return rewriteTargets(x.List)
	case *syntax.ListExpr:
		return rewriteTargets(x.List)
	case *syntax.IndexExpr:
		return rewriteAll(&x.X, &x.Y)
	}
	at, _ := x.Span()
	return wrong(at, "nothing can be assigned to this")
}

func rewriteTargets(list []syntax.Expr) error {
	for _, x := range list {
		if err := rewriteTarget(x); err != nil {
			return err
		}
	}
	return nil
}

func rewriteParameters(params []syntax.Expr) error {
	for _, param := range params {
		switch p := param.(type) {
		case *syntax.BinaryExpr:
			if err := rewriteAll(&p.Y); err != nil {
				return err
			}
		case *syntax.UnaryExpr:
			if p.Op == syntax.STAR && p.X != nil {
				return wrong(p.OpPos, "functions take no *%s", p.X.(*syntax.Ident).Name)
			}
		}
	}
	return nil
}

func rewriteAll(places ...*syntax.Expr) error {
	for _, place := range places {
		rewritten, err := rewrite(*place)
		if err != nil {
			return err
		}
		*place = rewritten
	}
	return nil
}

func rewriteList(list []syntax.Expr) error {
	for i := range list {
		if err := rewriteAll(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

func rewrite(x syntax.Expr) (syntax.Expr, error) {
	switch x := x.(type) {
	case nil:
		return nil, nil
	case *syntax.Literal:
		if x.Token == syntax.BYTES {
			return nil, wrong(x.TokenPos, "scripts have no bytes")
		}
		return x, nil
	case *syntax.Ident:
		if withheld[x.Name] {
			return nil, wrong(x.NamePos, "scripts have no function %s", x.Name)
		}
		return x, nil
	case *syntax.ParenExpr:
		return x, rewriteAll(&x.X)
	case *syntax.ListExpr:
		return x, rewriteList(x.List)
	case *syntax.TupleExpr:
		at, _ := x.Span()
		if err := rewriteList(x.List); err != nil {
			return nil, err
		}
		return call(at, tupleFunction, x.List...), nil
	case *syntax.DictExpr:
		return x, rewriteList(x.List)
	case *syntax.DictEntry:
		return x, rewriteAll(&x.Key, &x.Value)
	case *syntax.CondExpr:
		return x, rewriteAll(&x.Cond, &x.True, &x.False)
	case *syntax.UnaryExpr:
		return x, rewriteAll(&x.X)
	case *syntax.BinaryExpr:
		if err := rewriteAll(&x.X, &x.Y); err != nil {
			return nil, err
		}
		switch x.Op {
		case syntax.PLUS, syntax.STAR, syntax.PERCENT, syntax.PIPE:
			return call(x.OpPos, operatorFunction, text(x.OpPos, x.Op.String()), x.X, x.Y), nil
		}
		return x, nil
	case *syntax.DotExpr:
		if err := rewriteAll(&x.X); err != nil {
			return nil, err
		}
		return call(x.Dot, attributeFunction, x.X, text(x.NamePos, x.Name.Name)), nil
	case *syntax.IndexExpr:
		return x, rewriteAll(&x.X, &x.Y)
	case *syntax.SliceExpr:
		if err := rewriteAll(&x.X, &x.Lo, &x.Hi, &x.Step); err != nil {
			return nil, err
		}
		inner := *x
		inner.X = call(x.Lbrack, sliceFunction, x.X)
		return &inner, nil
	case *syntax.CallExpr:
		return x, rewriteCall(x)
	case *syntax.LambdaExpr:
		if err := rewriteParameters(x.Params); err != nil {
			return nil, err
		}
		return x, rewriteAll(&x.Body)
	case *syntax.Comprehension:
		return x, rewriteComprehension(x)
	}
	at, _ := x.Span()
	return nil, wrong(at, "scripts have no such syntax")
}

func rewriteCall(x *syntax.CallExpr) error {
	if err := rewriteAll(&x.Fn); err != nil {
		return err
	}
	for i, arg := range x.Args {
		switch arg := arg.(type) {
		case *syntax.UnaryExpr:
			if arg.Op == syntax.STAR || arg.Op == syntax.STARSTAR {
				if err := rewriteAll(&arg.X); err != nil {
					return err
				}
				arg.X = call(arg.OpPos, spreadFunction, arg.X)
				continue
			}
		case *syntax.BinaryExpr:
			if arg.Op == syntax.EQ { // name=value
				if err := rewriteAll(&arg.Y); err != nil {
					return err
				}
				continue
			}
		}
		if err := rewriteAll(&x.Args[i]); err != nil {
			return err
		}
	}
	return nil
}

func rewriteComprehension(x *syntax.Comprehension) error {
	for _, clause := range x.Clauses {
		switch clause := clause.(type) {
		case *syntax.ForClause:
			if err := rewriteTarget(clause.Vars); err != nil {
				return err
			}
			if err := rewriteAll(&clause.X); err != nil {
				return err
			}
		case *syntax.IfClause:
			if err := rewriteAll(&clause.Cond); err != nil {
				return err
			}
		}
	}
	return rewriteAll(&x.Body)
}

func call(at syntax.Position, function string, arguments ...syntax.Expr) *syntax.CallExpr {
	return &syntax.CallExpr{Fn: &syntax.Ident{NamePos: at, Name: function}, Lparen: at, Args: arguments, Rparen: at}
}

func text(at syntax.Position, value string) syntax.Expr {
	return &syntax.Literal{Token: syntax.STRING, TokenPos: at, Raw: `""`, Value: value}
}
