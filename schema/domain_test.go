package schema

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func literal(t testing.TB, text string) any {
	t.Helper()
	value, err := ParseLiteral(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}

func eq(path string, value any) Domain { return Condition{path, "=", value} }

func TestParseDomain(t *testing.T) {
	one := int64(1)
	a, b, c, d := eq("a", one), eq("b", one), eq("c", one), eq("d", one)
	for _, test := range []struct {
		text string
		want Domain
	}{
		{`[]`, True{}},
		{`()`, True{}},
		{`None`, True{}},
		{`[('a','=',1)]`, a},
		{`[['a','=',1]]`, a},
		{`(('a','=',1),['b','=',1])`, And{a, b}},
		{`[('a','=',1),('b','=',1),('c','=',1)]`, And{a, b, c}},
		{`['&',('a','=',1),'&',('b','=',1),('c','=',1)]`, And{a, b, c}},
		{`['|','|',('a','=',1),('b','=',1),('c','=',1)]`, Or{a, b, c}},
		{`['|',('a','=',1),'|',('b','=',1),('c','=',1)]`, Or{a, b, c}},
		{`[('a','=',1),'|',('b','=',1),('c','=',1)]`, And{a, Or{b, c}}},
		{`['|',('a','=',1),'&',('b','=',1),('c','=',1),('d','=',1)]`, And{Or{a, And{b, c}}, d}},
		{`['!',('a','=',1),('b','=',1)]`, And{Not{a}, b}},
		{`['!','|',('a','=',1),('b','=',1)]`, Not{Or{a, b}}},
		{`['!','!',('a','=',1)]`, Not{Not{a}}},
		{`[(1,'=',1)]`, True{}},
		{`[(True,'=',1)]`, True{}},
		{`[(0,'=',1)]`, False{}},
		{`['|',(0,'=',1),('a','=',1)]`, Or{False{}, a}},
		{`[('a','NOT IN',[1, None])]`, Condition{"a", "not in", []any{one, nil}}},
		{`[('a','<>',False)]`, Condition{"a", "!=", false}},
		{`[('a','==',1)]`, a},
		{`[('a.b.c','Child_Of',(1,2))]`, Condition{"a.b.c", "child_of", Tuple{one, int64(2)}}},
		{`[('a','any',[('b','=',1),('c','not any',[])])]`, Condition{"a", "any", And{b, Condition{"c", "not any", True{}}}}},
	} {
		got, err := ParseDomain(literal(t, test.text))
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("ParseDomain(%s) = %#v, %v, want %#v", test.text, got, err, test.want)
		}
	}
}

func TestParseDomainErrors(t *testing.T) {
	for _, test := range []struct {
		text, want string
	}{
		{`'name'`, `domain: a domain must be a list of terms, not the text "name"`},
		{`{}`, `domain: a domain must be a list of terms, not an object`},
		{`False`, `domain: a domain must be a list of terms, not the number or boolean False`},
		{`('name','=','x')`, `domain, term 2: "x" is neither an operator (&, |, !) nor a leaf (field, operator, value); a single leaf stands in a list of its own`},
		{`['|',('a','=',1)]`, `domain, term 0: "|" wants 2 terms after it, and has 1`},
		{`[('a','=',1),'!']`, `domain, term 1: "!" wants 1 terms after it, and has 0`},
		{`[('a','=')]`, `domain, term 0: a leaf has 3 parts (field, operator, value), this one has 2`},
		{`[3]`, `domain, term 0: a term must be an operator or a leaf (field, operator, value), not the number or boolean 3`},
		{`[('a','=',1),('a','~',1)]`, `domain, term 1.1: unknown operator "~"`},
		{`[('a','inselect',1)]`, `domain, term 0.1: unknown operator "inselect"`},
		{`[('a','any!',[])]`, `domain, term 0.1: unknown operator "any!"`},
		{`[('a',1,1)]`, `domain, term 0.1: the operator must be a text, not the number or boolean 1`},
		{`[(2,'=',1)]`, `domain, term 0.0: the field must be a text, not the number or boolean 2`},
		{`[(1,'!=',1)]`, `domain, term 0.0: the field must be a text, not the number or boolean 1`},
		{`[('a..b','=',1)]`, `domain, term 0.0: "a..b" is no path of field names`},
		{`[('','=',1)]`, `domain, term 0.0: "" is no path of field names`},
		{`[('a','=',{})]`, `domain, term 0.2: the value must be a text, number, boolean, None or a list of them, not an object`},
		{`[('a','in',[[1]])]`, `domain, term 0.2: a list of values holds texts, numbers, booleans and None, not a list`},
		{`[('a','any',[('b','=',1),('c','any',1)])]`, `domain, term 0.2.1.2: a domain must be a list of terms, not the number or boolean 1`},
		{`[('a','any',['&'])]`, `domain, term 0.2.0: "&" wants 2 terms after it, and has 0`},
	} {
		_, err := ParseDomain(literal(t, test.text))
		var failure *DomainError
		if !errors.As(err, &failure) || err.Error() != test.want {
			t.Errorf("ParseDomain(%s): %v\nwant %s", test.text, err, test.want)
		}
	}
}

// Ensure that hostile domains are refused rather than followed.
func TestParseDomainLimits(t *testing.T) {
	leaf := Tuple{"a", "=", int64(1)}
	negations := make([]any, 0, 200)
	for range 150 {
		negations = append(negations, "!")
	}
	if _, err := ParseDomain(append(negations, leaf)); err == nil {
		t.Error("150 negations were taken")
	}
	var nested any = []any{leaf}
	for range 150 {
		nested = []any{Tuple{"a", "any", nested}}
	}
	if _, err := ParseDomain(nested); err == nil {
		t.Error("150 sub-domains were taken")
	}
	many := make([]any, 0, 2*MaxDomainTerms)
	for range MaxDomainTerms - 1 {
		many = append(many, "|")
	}
	for range MaxDomainTerms {
		many = append(many, leaf)
	}
	if d, err := ParseDomain(many); err != nil || len(d.(Or)) != MaxDomainTerms {
		t.Errorf("a flat disjunction: %v", err)
	}
	if _, err := ParseDomain(append(many, leaf)); err == nil {
		t.Error("a term too many was taken")
	}
}

func TestValidOperator(t *testing.T) {
	for _, test := range []struct {
		op     string
		series map[string]bool
	}{
		{"=", map[string]bool{"14.0": true, "17.0": true, "19.0": true}},
		{"any", map[string]bool{"14.0": false, "16.0": false, "17.0": true, "19.0": true}},
		{"not =like", map[string]bool{"14.0": false, "18.0": false, "19.0": true}},
		{"inselect", map[string]bool{"14.0": false, "19.0": false}},
	} {
		for series, want := range test.series {
			if got := ValidOperator(test.op, FeaturesOf(series)); got != want {
				t.Errorf("ValidOperator(%q, %s) = %v", test.op, series, got)
			}
		}
	}
}

func TestDomainList(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`[]`, `[]`},
		{`[(1,'=',1)]`, `[]`},
		{`[(0,'=',1)]`, `[[0, "=", 1]]`},
		{`['&',('a','=',1),('b','in',(1,2))]`, `[["a", "=", 1], ["b", "in", [1, 2]]]`},
		{`['!','&',('a','=',1),('b','=',2)]`, `["!", "&", ["a", "=", 1], ["b", "=", 2]]`},
		{`['|',(1,'=',1),('b','any',['|',('c','=',1),('d','=',1)])]`, `["|", [1, "=", 1], ["b", "any", ["|", ["c", "=", 1], ["d", "=", 1]]]]`},
	} {
		d, err := ParseDomain(literal(t, test.text))
		if err != nil {
			t.Fatal(err)
		}
		if got := FormatLiteral(DomainList(d)); got != test.want {
			t.Errorf("DomainList(%s) = %s, want %s", test.text, got, test.want)
		}
	}
}

// domains generates any shape of AST over the conditions a0=1 to a4=1, sub-domains included.
func domains() *rapid.Generator[Domain] {
	leaf := rapid.Map(rapid.IntRange(0, 4), func(n int) Domain { return eq(fmt.Sprintf("a%d", n), int64(1)) })
	nested := rapid.OneOf(leaf, rapid.Just[Domain](True{}), rapid.Just[Domain](False{}))
	for range 4 {
		inner := nested
		lists := rapid.SliceOfN(inner, 0, 3)
		nested = rapid.OneOf(
			leaf,
			rapid.Map(lists, func(l []Domain) Domain { return And(l) }),
			rapid.Map(lists, func(l []Domain) Domain { return Or(l) }),
			rapid.Map(inner, func(d Domain) Domain { return Not{d} }),
			rapid.Map(inner, func(d Domain) Domain { return Condition{"r", "any", d} }),
		)
	}
	return nested
}

// holds evaluates a domain for a record whose field aN is bit N. Its relation r leads to the
// record itself, so that any is the sub-domain.
func holds(d Domain, record int) bool {
	switch d := d.(type) {
	case True:
		return true
	case And:
		for _, term := range d {
			if !holds(term, record) {
				return false
			}
		}
		return true
	case Or:
		for _, term := range d {
			if holds(term, record) {
				return true
			}
		}
		return false
	case Not:
		return !holds(d.Term, record)
	case Condition:
		if sub, ok := d.Value.(Domain); ok {
			return holds(sub, record)
		}
		return record>>(d.Path[1]-'0')&1 == 1
	}
	return false
}

func sameRecords(a, b Domain) bool {
	for record := range 32 {
		if holds(a, record) != holds(b, record) {
			return false
		}
	}
	return true
}

// deMorgan pushes negations down to the conditions.
func deMorgan(d Domain, negate bool) Domain {
	switch d := d.(type) {
	case Not:
		return deMorgan(d.Term, !negate)
	case And:
		terms := make([]Domain, len(d))
		for i, term := range d {
			terms[i] = deMorgan(term, negate)
		}
		if negate {
			return Or(terms)
		}
		return And(terms)
	case Or:
		terms := make([]Domain, len(d))
		for i, term := range d {
			terms[i] = deMorgan(term, negate)
		}
		if negate {
			return And(terms)
		}
		return Or(terms)
	case True:
		if negate {
			return False{}
		}
	case False:
		if negate {
			return True{}
		}
	default:
		if negate {
			return Not{d}
		}
	}
	return d
}

func TestDomainProperties(t *testing.T) {
	generator := domains()
	rapid.Check(t, func(t *rapid.T) {
		d := generator.Draw(t, "domain")
		normal := Normalize(d)
		if !sameRecords(d, normal) {
			t.Fatalf("Normalize changed the meaning: %#v", normal)
		}
		if again := Normalize(normal); !reflect.DeepEqual(again, normal) {
			t.Fatalf("Normalize is not idempotent: %#v, %#v", normal, again)
		}
		parsed, err := ParseDomain(DomainList(d))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(Normalize(parsed), normal) {
			t.Fatalf("parse of list: %#v, want %#v", Normalize(parsed), normal)
		}
		if !sameRecords(Not{d}, Normalize(deMorgan(d, true))) {
			t.Fatal("De Morgan does not hold")
		}
	})
}
