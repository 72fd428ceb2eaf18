package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// Every target below checks what a parser promises: errors of its own type, values within its
// limits, and that what it prints is read back as it was. docs/fuzzing.md tells how to run them.

const (
	// fuzzBytes is the longest input that is tried; more only makes the engine slower. What is not
	// UTF-8 does not get past the server, and is not tried where a text may be taken as it is.
	fuzzBytes = 64 << 10
	// fuzzTime is far above what such an input takes, however busy the machine is, and far below
	// what work that grows with its square would take on the longest.
	fuzzTime = 5 * time.Second
)

// inTime returns a function that fails the test if too much time has passed by its call.
func inTime(t *testing.T) func() {
	t.Helper()
	start := time.Now()
	return func() {
		t.Helper()
		if took := time.Since(start); took > fuzzTime {
			t.Fatalf("it took %v", took)
		}
	}
}

// wants fails the test unless an error is of type E, says something and is fit to be shown.
func wants[E error](t *testing.T, err error) E {
	t.Helper()
	failure, ok := errors.AsType[E](err)
	if text := err.Error(); !ok || text == "" || !utf8.ValidString(text) {
		t.Fatalf("an error of type %T: %q", err, text)
	}
	return failure
}

// checkPlain fails the test if a value holds what no parser gives: another type, a text that
// PostgreSQL could not store, an integer in the wrong type, or more nesting than the limit.
func checkPlain(t *testing.T, v any, depth int) {
	t.Helper()
	if depth > MaxNesting {
		t.Fatalf("a value nests deeper than %d", MaxNesting)
	}
	var items []any
	switch v := v.(type) {
	case nil, bool, int64, float64:
	case *big.Int:
		if v.IsInt64() {
			t.Fatalf("%s is a big number", v)
		}
	case string:
		if strings.IndexByte(v, 0) >= 0 || !utf8.ValidString(v) {
			t.Fatalf("got the text %q", v)
		}
	case []any:
		items = v
	case Tuple:
		items = v
	case map[string]any:
		for key, item := range v {
			items = append(items, key, item)
		}
	default:
		t.Fatalf("got a %T", v)
	}
	for _, item := range items {
		if _, nested := sequence(item); nested {
			checkPlain(t, item, depth+1)
		} else if _, nested := item.(map[string]any); nested {
			checkPlain(t, item, depth+1)
		} else {
			checkPlain(t, item, depth)
		}
	}
}

// checkValueOf checks a whole value: its own brackets count.
func checkValueOf(t *testing.T, v any) {
	t.Helper()
	checkPlain(t, []any{v}, 0)
}

func FuzzParseLiteral(f *testing.F) {
	for _, text := range []string{
		`[('a','=',True)]`, `{'x': None}`, `'s'`, `-1e3`, `'a','b'`, `[["a","=",true]]`, `u'\xe9\%'`, "'''\n'''",
		`((((`, `#`, `'\`, `r'\`, `0x`, `1_000`, `((1),2)`, "('a'\r\n)", `'\400'`, `"\N{DASH}"`,
		`[('name','like','x'),('id','!=',50)]`, `{'a': {'b': [1, -2.5, 0x1F, 0o17]}}`, `18446744073709551616`, `-9223372036854775808`,
		`007`, `2020-01-02`, `"\ud83d\ude00"`, `'\U0001F600'`, `r'\d'`, `("a" "b")`, `[1 # one` + "\n]", `{1: 2}`, `()`, `(1,)`, `,`, `-0.0`, `1e999`, `b'x'`,
		strings.Repeat("[", MaxNesting) + strings.Repeat("]", MaxNesting) + ",", `"\u2028\uFEFF"`, `[[],[]]`, `{'': ''}`, `'a' if True else 'b'`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > fuzzBytes {
			return
		}
		defer inTime(t)()
		param := ParseParam(text)
		value, err := ParseLiteral(text)
		if err != nil {
			failure := wants[*LiteralError](t, err)
			if failure.Line < 1 || failure.Col < 1 || failure.Line > strings.Count(text, "\n")+strings.Count(text, "\r")+2 {
				t.Fatalf("%q is wrong at %d:%d", text, failure.Line, failure.Col)
			}
			if value, err := DecodeJSON([]byte(text)); err == nil && !reflect.DeepEqual(param, value) || err != nil && param != text {
				t.Fatalf("%q as a parameter is %#v", text, param)
			}
			return
		}
		checkValueOf(t, value)
		if !reflect.DeepEqual(param, value) {
			t.Fatalf("%q as a parameter is %#v, not %#v", text, param, value)
		}
		written := FormatLiteral(value)
		again, err := ParseLiteral(written)
		if err != nil || !reflect.DeepEqual(value, again) || strings.ContainsAny(written, "\n\r") {
			t.Fatalf("%q: %#v became %q and %#v, %v", text, value, written, again, err)
		}
	})
}

// plainJSON writes a value of DecodeJSON so that numbers keep their type.
func plainJSON(v any) string {
	var parts []string
	switch v := v.(type) {
	case float64:
		text := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(text, ".e") {
			text += ".0"
		}
		return text
	case []any:
		for _, item := range v {
			parts = append(parts, plainJSON(item))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case map[string]any:
		for _, key := range sortedKeys(v) {
			parts = append(parts, plainJSON(key)+":"+plainJSON(v[key]))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	text, _ := json.Marshal(v)
	return string(text)
}

func FuzzDecodeJSON(f *testing.F) {
	for _, text := range []string{
		`{"a": [1, 2.0, -3e2, null, true, "é"]}`, `[["name", "=", "x"]]`, `1e999`, `-0`, `-0.0`, `18446744073709551616`, `{"a": 1, "a": 2}`,
		`"\u0000"`, `{"\u0000": 1}`, `"\ud800"`, `[1] 2`, `{`, ``, `]`, `"\"[[[["`, strings.Repeat("[", 101), "\xef\xbb\xbf{}", `{"": {"": []}}`, `[1E+2]`, `NaN`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > fuzzBytes {
			return
		}
		defer inTime(t)()
		value, err := DecodeJSON(text)
		if err != nil {
			wants[*JSONError](t, err)
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%q was taken, and is no JSON", text)
		}
		checkValueOf(t, value)
		written := plainJSON(value)
		again, err := DecodeJSON([]byte(written))
		if err != nil || !reflect.DeepEqual(again, value) {
			t.Fatalf("%q: %#v became %q and %#v, %v", text, value, written, again, err)
		}
		// Both syntaxes give the same values, as far as Python's is parsed.
		literal, err := ParseLiteral(FormatLiteral(value))
		if failure, ok := errors.AsType[*LiteralError](err); ok && failure.Msg == "excessive nesting" && bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > 60 {
			return
		}
		if err != nil || !reflect.DeepEqual(literal, value) {
			t.Fatalf("%q as a literal: %#v, %v", text, literal, err)
		}
	})
}

// shape measures a domain: its leaves, how deep its operators and sub-domains nest, and whether an
// & stands directly in an & or an | in an |.
func shape(d Domain) (leaves, depth int, flat bool) {
	flat = true
	within := func(sub Domain) {
		l, deep, f := shape(sub)
		leaves, depth, flat = leaves+l, max(depth, deep+1), flat && f
	}
	switch d := d.(type) {
	case And:
		for _, term := range d {
			_, same := term.(And)
			flat = flat && !same
			within(term)
		}
	case Or:
		for _, term := range d {
			_, same := term.(Or)
			flat = flat && !same
			within(term)
		}
	case Not:
		within(d.Term)
	case Condition:
		if sub, ok := d.Value.(Domain); ok {
			within(sub)
		}
		leaves++
	default:
		leaves++
	}
	return leaves, depth, flat
}

// folded reports whether a domain has the form that Normalize promises, below its top.
func folded(d Domain) bool {
	terms := func(terms []Domain) bool {
		for _, term := range terms {
			if term == (True{}) || term == (False{}) || !folded(term) {
				return false
			}
		}
		return len(terms) > 1
	}
	switch d := d.(type) {
	case And:
		return terms(d)
	case Or:
		return terms(d)
	case Not:
		return d.Term != (True{}) && d.Term != (False{}) && folded(d.Term)
	case Condition:
		sub, ok := d.Value.(Domain)
		return !ok || folded(sub)
	}
	return true
}

func FuzzParseDomain(f *testing.F) {
	for _, text := range []string{
		`[('a','=',1)]`, `['|',('a','=',1),('b','in',[1,2])]`, `['!','&']`, `[(1,'=',1)]`, `[('a','any',[('b','<>',None)])]`,
		`('a','=','b')`, `[[]]`, `[()]`, `None`, `[('a','=',1),'&']`, `[(True,'=',True)]`, `[(0,'=',1),(False,'=',1)]`,
		`['&','&','&',('a','=',1),('b','=',2),('c','=',3),('d','=',4)]`, `['|','!',('a.b','ILIKE','%'),'&',('c','not in',()),('d','=?',False)]`,
		`[('a','not any',['|',('b','any',[]),(0,'=',1)]),('c','==',1.5)]`, `['!','!','!',(1,'=',1)]`, `[["a","child_of",[1,null]],["b","not =ilike","x"]]`,
		`[('a','in',[[1]])]`, `[('','=',1)]`, `[('a..b','=',1)]`, `[('a','inselect',1)]`, `[('a','=',{})]`, strings.Repeat(`["!",`, 3), `[('a','any',5)]`,
		`[` + strings.Repeat(`'!',`, 101) + `('a','=',1)]`, `[('a','in',18446744073709551616)]`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > fuzzBytes || !utf8.ValidString(text) {
			return
		}
		defer inTime(t)()
		value := ParseParam(text)
		d, err := ParseDomain(value)
		if err != nil {
			failure := wants[*DomainError](t, err)
			if failure.Msg == "" || len(failure.Path) > 2*MaxNesting {
				t.Fatalf("%q: %#v", text, failure)
			}
			return
		}
		leaves, depth, flat := shape(d)
		if leaves > MaxDomainTerms || depth > maxDomainDepth+1 || !flat {
			t.Fatalf("%q: %d leaves, %d deep, flat %v", text, leaves, depth, flat)
		}
		list := DomainList(d)
		again, err := ParseDomain(list)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		// Tuples have become lists; from then on nothing changes.
		if relisted := DomainList(again); !reflect.DeepEqual(relisted, list) {
			t.Fatalf("%q: %s became %s", text, FormatLiteral(list), FormatLiteral(relisted))
		}
		normal := Normalize(again)
		if !folded(normal) || !reflect.DeepEqual(Normalize(normal), normal) {
			t.Fatalf("%q: %s is not normal", text, FormatLiteral(DomainList(normal)))
		}
		if got, want := DomainList(Normalize(d)), DomainList(normal); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: normal forms %s and %s", text, FormatLiteral(got), FormatLiteral(want))
		}
		reparsed, err := ParseDomain(DomainList(normal))
		if err != nil || !reflect.DeepEqual(Normalize(reparsed), normal) {
			t.Fatalf("%q: %s is read as another domain, %v", text, FormatLiteral(DomainList(normal)), err)
		}
	})
}

// levels counts the levels of records of a tree, and fails the test where one has a name twice or
// an item whose form does not fit.
func levels(t *testing.T, items []Item) int {
	t.Helper()
	seen, deepest := map[string]bool{}, 0
	for _, item := range items {
		if seen[item.Name] || (item.Form == Plain) != (item.Sub == nil) || item.Sub != nil && len(item.Sub.Items) == 0 {
			t.Fatalf("got the item %+v", item)
		}
		seen[item.Name] = true
		if item.Sub != nil {
			deepest = max(deepest, levels(t, item.Sub.Items))
		}
	}
	return deepest + 1
}

// plainTree writes a tree without ambiguity.
func plainTree(items []Item) Tuple {
	tuple := make(Tuple, len(items))
	for i, item := range items {
		switch item.Form {
		case OneRecord:
			tuple[i] = Tuple{item.Name, plainTree(item.Sub.Items)}
		case List:
			tuple[i] = Tuple{item.Name, []any{plainTree(item.Sub.Items)}}
		default:
			tuple[i] = item.Name
		}
	}
	return tuple
}

func FuzzParseTree(f *testing.F) {
	for _, text := range []string{
		`('id', ('partner_id', ('id', 'name')))`, `["order_line", [["id"]]]`, `'id'`, `(("partner_id", None),)`,
		`(('partner_id', ('user_id', ('partner_id', ('id')))))`, `[[]]`, `[["order_line", [["product_id", ["categ_id"]]]]]`,
		`('id', ('partner_id', ('name')), ('order_line', [('product_id', ('categ_id', ('id')))]),)`, `('partner_id', 'id', ('partner_id', ('id',)))`,
		`["id", ["partner_id", ["id","name"]], ["order_line", [["id","name"]]]]`, `(('order_line', [('product_id', 'name')]),)`, `None`, `''`, `{}`, `*`,
		`(('partner_id', ('id',), 'x'),)`, `[["partner_id", [["child_ids", ["id"]]]]]`, `(('order_line', [[('id',)]]),)`, `(('name', ('id',)),)`,
	} {
		f.Add(text)
	}
	c := shop()
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > fuzzBytes || !utf8.ValidString(text) {
			return
		}
		defer inTime(t)()
		value := ParseParam(text)
		items, err := ParseItems(c, "sale.order", value)
		tree, treeErr := ParseTree(c, "sale.order", value)
		if (treeErr == nil) != (err == nil && len(items) > 0) {
			t.Fatalf("%q: items %v, tree %v", text, err, treeErr)
		}
		if treeErr != nil {
			wants[*TreeError](t, treeErr)
			return
		}
		if !reflect.DeepEqual(tree.Items, items) {
			t.Fatalf("%q: items %s, tree %s", text, draw(items), draw(tree.Items))
		}
		if deep := levels(t, items); deep > MaxTreeDepth {
			t.Fatalf("%q: %d levels", text, deep)
		}
		again, err := ParseTree(c, "sale.order", plainTree(items))
		if err != nil || !reflect.DeepEqual(tree, again) {
			t.Fatalf("%q: %s became %v, %v", text, draw(items), again, err)
		}
		for _, written := range []string{FormatTree(tree), FormatTreeLine(tree)} {
			value, err := ParseLiteral(written)
			if err != nil {
				t.Fatalf("%q is written as %q: %v", text, written, err)
			}
			if again, err := ParseTree(c, "sale.order", value); err != nil || !reflect.DeepEqual(tree, again) {
				t.Fatalf("%q: %s was written as %q and became %v, %v", text, draw(items), written, again, err)
			}
		}
	})
}

func FuzzParseNames(f *testing.F) {
	for _, text := range []string{`name`, `'a','b'`, `["a", "b"]`, `['a', 1]`, `*`, `None`, `()`, `[["a"]]`, `7`, `"__all_fields__"`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > fuzzBytes || !utf8.ValidString(text) {
			return
		}
		defer inTime(t)()
		names, err := ParseNames(ParseParam(text))
		if err != nil {
			wants[*TreeError](t, err)
			return
		}
		list := make([]any, len(names))
		for i, name := range names {
			list[i] = name
		}
		again, err := ParseNames(list)
		if err != nil || !reflect.DeepEqual(again, names) {
			t.Fatalf("%q: %q became %q, %v", text, names, again, err)
		}
	})
}

func FuzzParseOrder(f *testing.F) {
	for _, text := range []string{
		"", "a", "a desc, b.id asc nulls last", "a  desc", `"a"`, "a,", "a:sum", "é", "A DESC,b ASC", "a\tdesc", "a nulls first", "a desc nulls  first",
		"a.b.c", "a;b", "a.id:sum desc", "ſ", "a desc desc", strings.Repeat("a,", maxOrderTerms),
	} {
		f.Add(text, true)
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, text string, modern bool) {
		if len(text) > fuzzBytes {
			return
		}
		defer inTime(t)()
		features := FeaturesOf("14.0")
		if modern {
			features = FeaturesOf("19.0")
		}
		terms, err := ParseOrder(text, features)
		if err != nil {
			wants[*OrderError](t, err)
			return
		}
		parts := make([]string, len(terms))
		for i, term := range terms {
			parts[i] = term.String()
			// Nothing but a name of letters, digits and underscores gets near SQL.
			if strings.Trim(strings.ToLower(term.Field+term.Sub), "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || term.Field == "" {
				t.Fatalf("%q: got the term %+v", text, term)
			}
			if term.Nulls != "" && (!modern || term.Nulls != "first" && term.Nulls != "last") || term.Sub != "" && !modern {
				t.Fatalf("%q: got the term %+v", text, term)
			}
		}
		if len(terms) > maxOrderTerms {
			t.Fatalf("%q: %d terms", text, len(terms))
		}
		again, err := ParseOrder(strings.Join(parts, ", "), features)
		if err != nil || !reflect.DeepEqual(again, terms) {
			t.Fatalf("%q: %+v became %+v, %v", text, terms, again, err)
		}
	})
}

// presetErrors fails the test unless an error is made of PresetErrors that name the file.
func presetErrors(t *testing.T, err error, file string) {
	t.Helper()
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, part := range joined.Unwrap() {
			presetErrors(t, part, file)
		}
		return
	}
	if failure := wants[*PresetError](t, err); failure.Source != file || failure.Line < 0 || failure.Err == nil {
		t.Fatalf("got %#v", failure)
	}
}

func FuzzPreset(f *testing.F) {
	for _, text := range []string{
		`{'read_all': ('id', 'name', ('partner_id', ('id', 'name'))), 'available': True}`,
		"# Orders.\n{\n'read_one': ('id', ('order_line', [('id', 'product_id')])),\n'defaults': {'name': 'New'},\n'domain': [('id', '>', 5)],\n'success_codes': {'create_one': 201},\n}\n",
		`{"read_all": ["id", ["order_line", ["id"]]], "available": false}`, `{}`, `[]`, `{'read_all': 'nope'}`, `{'a': 1, 'a': 2}`, `{'success_codes': {'read_all': 404}}`,
		`{'domain': [('a', 'any', [('b', '=', ('c', 1))])]}`, `{'defaults': {'nope': 1}}`, `{"create_one": null}`, `{'domain': None, 'available': 1}`, `{1: 2}`,
		"{'read_all': ('id', " + strings.Repeat("('partner_id', ('parent_id', ", 20) + "'nope'" + strings.Repeat("))", 20) + ")}",
	} {
		f.Add([]byte(text), true)
		f.Add([]byte(text), false)
	}
	c := shop()
	f.Fuzz(func(t *testing.T, text []byte, isJSON bool) {
		if len(text) > fuzzBytes {
			return
		}
		defer inTime(t)()
		file := "sale.order.schema"
		if isJSON {
			file = "sale.order.json"
		}
		p, err := PresetText{Model: "sale.order", Source: file, Text: string(text)}.Parse()
		if err != nil {
			presetErrors(t, err, file)
			return
		}
		for operation, code := range p.SuccessCodes {
			if !isOperation(operation) || code < 200 || code > 299 {
				t.Fatalf("%q: %s answers %d", text, operation, code)
			}
		}
		if p.DefaultDomain != nil {
			again, err := ParseDomain(p.RawDomain)
			if err != nil || !reflect.DeepEqual(DomainList(again), p.RawDomain) {
				t.Fatalf("%q: the domain %v is read as %v, %v", text, p.RawDomain, again, err)
			}
		}
		resolved, err := p.Resolve(c)
		if err != nil {
			presetErrors(t, err, file)
		}
		// What does not fit is not available; what fits is as it was declared.
		if resolved.Available != (err == nil && p.declared) {
			t.Fatalf("%q: available is %v after %v", text, resolved.Available, err)
		}
		again, againErr := resolved.Resolve(c)
		if (againErr == nil) != (err == nil) || !reflect.DeepEqual(again, resolved) {
			t.Fatalf("%q: resolved once %+v, twice %+v", text, resolved, again)
		}
	})
}

// Ensure that the work on a text grows with its length, not with its square, which would take
// minutes.
func TestLongTexts(t *testing.T) {
	for _, part := range []string{
		"[", "]", "(", ",", "'", `"\`, `\x41`, `'\400',`, "#\n", "\n", "-", "1,", "1 ", "0x1,", "'a',", "'''", "('a','=',1),", "'&',", "'!',", "'|',('a','=',1),",
		"{'a':1},", "{", "[[],", `{"a":[`, `"a",`, "é", "u'é',", "a,", "a.b desc,", "('id'),", "('partner_id',('id',)),", "9", "1e9,", "\r\n",
	} {
		for _, wrap := range [][2]string{{"", ""}, {"[", "]"}} {
			count := MaxLiteralBytes / 4 / len(part)
			text := wrap[0] + strings.Repeat(part, count) + wrap[1]
			start := time.Now()
			value := ParseParam(text)
			_, _ = ParseDomain(value)
			_, _ = ParseTree(shop(), "sale.order", value)
			_, _ = ParseNames(value)
			_, _ = ParseOrder(text, FeaturesOf("19.0"))
			_, _ = ParseOrder(text, FeaturesOf("14.0"))
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("%d times %q between %q took %v", count, part, wrap, took)
			}
		}
	}
}
