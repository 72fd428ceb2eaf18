package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.starlark.net/starlark"

	"lateral/schema"
)

const (
	// maxRuleText is the longest text of a rule, in bytes, that is evaluated; shipped ones have at
	// most some hundreds.
	maxRuleText = 1 << 16
	// maxRuleSteps bounds the steps of one rule; see maxRuleWork for what is done in one.
	maxRuleSteps = 100_000
	// maxRuleRecords bounds the records that one rule may look at.
	maxRuleRecords = 50_000
)

// evaluator evaluates the Python expressions of record rules for one principal. It is used by one
// goroutine.
//
// The expressions are run by Starlark, whose syntax is that of Python's expressions where both have
// it. What means something else in Starlark than in Python is replaced by calls of our own or
// refused before it runs (starlark_syntax.go). Anything that is not known to give what Python
// gives, names and attributes included, is a reason for not knowing the rule; nothing is guessed.
type evaluator struct {
	ctx       context.Context
	principal *Principal
	catalogue *schema.Catalogue
	records   records
	// views gives the field views of a model, which say what x2many fields filter.
	views func(ctx context.Context, m *schema.Model) (map[string]FieldView, error)

	env starlark.StringDict
	// scalarCache and linkCache hold what was read already, by field and record.
	scalarCache map[*schema.Field]map[int64]any
	linkCache   map[*schema.Field]map[int64][]int64
	read        int
	work        int // of the rule that is being evaluated, see maxRuleWork
	// dependent tells that some value came from records rather than from the principal.
	dependent bool
	// unordered tells that records were touched, by this rule or an earlier one, whose order may
	// not be Odoo's.
	unordered bool
	// fault is an error of the database or of Odoo. Starlark turns errors into texts, so it is
	// kept here.
	fault error
}

func newEvaluator(ctx context.Context, p *Principal, c *schema.Catalogue, r records, views func(context.Context, *schema.Model) (map[string]FieldView, error)) *evaluator {
	return &evaluator{
		ctx: ctx, principal: p, catalogue: c, records: r, views: views,
		scalarCache: map[*schema.Field]map[int64]any{}, linkCache: map[*schema.Field]map[int64][]int64{},
	}
}

// domain evaluates the text of a rule. opaque is why it cannot be told what the rule means; err is
// an error of the database or of Odoo, after which another attempt may succeed.
func (e *evaluator) domain(text string) (domain schema.Domain, opaque string, err error) {
	value, err := e.eval(text)
	if e.fault != nil {
		err, e.fault = e.fault, nil
		return nil, "", err
	}
	if err != nil {
		return nil, firstLine(err), nil
	}
	if err := e.spend(value, 0); err != nil {
		return nil, firstLine(err), nil
	}
	plain, err := goValue(value)
	if err != nil {
		return nil, firstLine(err), nil
	}
	switch plain.(type) {
	case []any, schema.Tuple:
	default:
		return nil, "it is no list", nil
	}
	if domain, err = schema.ParseDomain(plain); err != nil {
		return nil, firstLine(err), nil
	}
	return domain, "", nil
}

// eval runs the text, within limits of time and memory.
func (e *evaluator) eval(text string) (value starlark.Value, err error) {
	// The interpreter is not ours; a bug in it must cost a rule, not the service.
	defer func() {
		if recovered := recover(); recovered != nil {
			value, err = nil, errors.New("the evaluator failed")
		}
	}()
	e.work = 0
	text = strings.TrimSpace(text)
	if len(text) > maxRuleText {
		return nil, errors.New("its text is too long")
	}
	if e.env == nil {
		e.env = e.environment()
	}
	expression, err := parseRule(text, e.env)
	if err != nil {
		return nil, err
	}
	thread := &starlark.Thread{Name: "record rule", Print: func(*starlark.Thread, string) {}}
	thread.SetMaxExecutionSteps(maxRuleSteps)
	return starlark.EvalExprOptions(ruleOptions, thread, expression, e.env)
}

// environment holds the names of a rule (14.0–19.0: addons/base/models/ir_rule.py, _eval_context;
// addons/website/models/ir_rule.py) and those of Python's functions that safe_eval knows and that
// we know to do the same. The module time of 14.0 to 18.0 is missing on purpose: what it gives is
// another thing each time.
func (e *evaluator) environment() starlark.StringDict {
	companies := make([]starlark.Value, len(e.principal.CompanyIDs))
	for i, id := range e.principal.CompanyIDs {
		companies[i] = starlark.MakeInt64(id)
	}
	env := e.functions()
	env["company_ids"] = starlark.NewList(companies)
	env["company_id"] = starlark.Value(starlark.False)
	if e.principal.CompanyID != 0 {
		env["company_id"] = starlark.MakeInt64(e.principal.CompanyID)
	}
	if users := e.catalogue.Model("res.users"); users != nil {
		env["user"] = e.recordset(users, e.principal.UID)
	}
	// Outside of a website's pages there is no website.
	if website := e.catalogue.Model("website"); website != nil && e.catalogue.Modules["website"] {
		env["website"] = e.recordset(website)
	}
	env.Freeze()
	return env
}

// goValue turns what a rule evaluated to into the values that domains are parsed from. Its size
// and depth were found to be bounded before.
func goValue(value starlark.Value) (any, error) {
	switch v := value.(type) {
	case starlark.NoneType:
		return nil, nil
	case starlark.Bool:
		return bool(v), nil
	case starlark.Int:
		number, ok := v.Int64()
		if !ok {
			return nil, errors.New("it holds a number that is too large")
		}
		return number, nil
	case starlark.Float:
		return float64(v), nil
	case starlark.String:
		return string(v), nil
	case *starlark.List:
		list := make([]any, v.Len())
		for i := range list {
			element, err := goValue(v.Index(i))
			if err != nil {
				return nil, err
			}
			list[i] = element
		}
		return list, nil
	case starlark.Tuple:
		tuple := make(schema.Tuple, len(v))
		for i := range tuple {
			element, err := goValue(v[i])
			if err != nil {
				return nil, err
			}
			tuple[i] = element
		}
		return tuple, nil
	}
	return nil, fmt.Errorf("it holds a value of type %s", value.Type())
}

// firstLine keeps a reason short; backtraces of Starlark follow on further lines.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
