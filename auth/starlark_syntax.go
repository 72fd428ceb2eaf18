package auth

import (
	"errors"
	"fmt"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

var ruleOptions = &syntax.FileOptions{Set: true}

// Names of the functions that replace operators. Python's names cannot hold a point, so that no
// rule can name them.
const (
	addFunction       = "python.add"
	attributeFunction = "python.attribute"
	compareFunction   = "python.compare"
	indexFunction     = "python.index"
)

// parseRule parses a rule's text and rewrites it: attributes, comparisons and subscripts become
// calls, because Starlark's differ from Python's in places where a rule would silently mean
// something else (False == 0, say), and additions because their work must be counted. Syntax and names that are not known to mean the same are
// refused.
func parseRule(text string, env starlark.StringDict) (syntax.Expr, error) {
	expression, err := ruleOptions.ParseExpr("rule", text, 0)
	if err != nil {
		return nil, err
	}
	r := rewriter{env: env, bound: map[string]int{}}
	return r.expression(expression)
}

type rewriter struct {
	env starlark.StringDict
	// bound counts the comprehensions around that bind a name.
	bound map[string]int
}

func (r *rewriter) expression(x syntax.Expr) (syntax.Expr, error) {
	var err error
	switch x := x.(type) {
	case *syntax.Literal:
		if x.Token == syntax.BYTES {
			return nil, errors.New("it holds bytes")
		}
		return x, nil
	case *syntax.Ident:
		if _, known := r.env[x.Name]; !known && r.bound[x.Name] == 0 {
			return nil, fmt.Errorf("it uses the name %s", x.Name)
		}
		return x, nil
	case *syntax.ParenExpr:
		x.X, err = r.expression(x.X)
		return x, err
	case *syntax.ListExpr:
		return x, r.expressions(x.List)
	case *syntax.TupleExpr:
		return x, r.expressions(x.List)
	case *syntax.CondExpr:
		return x, r.each(&x.Cond, &x.True, &x.False)
	case *syntax.UnaryExpr:
		switch x.Op {
		case syntax.NOT, syntax.MINUS, syntax.PLUS:
			return x, r.each(&x.X)
		}
		return nil, fmt.Errorf("it uses the operator %s", x.Op)
	case *syntax.BinaryExpr:
		return r.binary(x)
	case *syntax.DotExpr:
		if err = r.each(&x.X); err != nil {
			return nil, err
		}
		return call(x.Dot, attributeFunction, x.X, text(x.NamePos, x.Name.Name)), nil
	case *syntax.IndexExpr:
		if err = r.each(&x.X, &x.Y); err != nil {
			return nil, err
		}
		return call(x.Lbrack, indexFunction, x.X, x.Y), nil
	case *syntax.CallExpr:
		return r.call(x)
	case *syntax.Comprehension:
		return r.comprehension(x)
	}
	return nil, errors.New("it uses syntax that is not evaluated")
}

func (r *rewriter) expressions(list []syntax.Expr) error {
	for i := range list {
		if err := r.each(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *rewriter) each(places ...*syntax.Expr) error {
	for _, place := range places {
		rewritten, err := r.expression(*place)
		if err != nil {
			return err
		}
		*place = rewritten
	}
	return nil
}

func (r *rewriter) binary(x *syntax.BinaryExpr) (syntax.Expr, error) {
	if err := r.each(&x.X, &x.Y); err != nil {
		return nil, err
	}
	switch x.Op {
	case syntax.AND, syntax.OR:
		return x, nil
	case syntax.PLUS:
		return call(x.OpPos, addFunction, x.X, x.Y), nil
	case syntax.EQL, syntax.NEQ, syntax.LT, syntax.LE, syntax.GT, syntax.GE, syntax.IN, syntax.NOT_IN:
		return call(x.OpPos, compareFunction, text(x.OpPos, x.Op.String()), x.X, x.Y), nil
	}
	return nil, fmt.Errorf("it uses the operator %s", x.Op)
}

func (r *rewriter) call(x *syntax.CallExpr) (syntax.Expr, error) {
	if err := r.each(&x.Fn); err != nil {
		return nil, err
	}
	for i, argument := range x.Args {
		switch argument := argument.(type) {
		case *syntax.UnaryExpr:
			if argument.Op == syntax.STAR || argument.Op == syntax.STARSTAR {
				return nil, errors.New("it spreads arguments")
			}
		case *syntax.BinaryExpr:
			if argument.Op == syntax.EQ { // name=value
				if err := r.each(&argument.Y); err != nil {
					return nil, err
				}
				continue
			}
		}
		if err := r.each(&x.Args[i]); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// comprehension rewrites in the order of evaluation, so that each name is known where it is bound.
func (r *rewriter) comprehension(x *syntax.Comprehension) (syntax.Expr, error) {
	if x.Curly {
		return nil, errors.New("it uses a dictionary or set comprehension")
	}
	var names []string
	defer func() {
		for _, name := range names {
			r.bound[name]--
		}
	}()
	for _, clause := range x.Clauses {
		switch clause := clause.(type) {
		case *syntax.ForClause:
			if err := r.each(&clause.X); err != nil {
				return nil, err
			}
			variable, ok := clause.Vars.(*syntax.Ident)
			if !ok {
				return nil, errors.New("its comprehension binds more than a name")
			}
			r.bound[variable.Name]++
			names = append(names, variable.Name)
		case *syntax.IfClause:
			if err := r.each(&clause.Cond); err != nil {
				return nil, err
			}
		}
	}
	return x, r.each(&x.Body)
}

func call(at syntax.Position, function string, arguments ...syntax.Expr) syntax.Expr {
	return &syntax.CallExpr{Fn: &syntax.Ident{NamePos: at, Name: function}, Lparen: at, Args: arguments, Rparen: at}
}

func text(at syntax.Position, value string) syntax.Expr {
	return &syntax.Literal{Token: syntax.STRING, TokenPos: at, Raw: `""`, Value: value}
}
