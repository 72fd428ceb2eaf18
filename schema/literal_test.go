package schema

import (
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func bigInt(text string) *big.Int {
	n, _ := new(big.Int).SetString(text, 10)
	return n
}

func TestParseLiteral(t *testing.T) {
	for _, test := range []struct {
		text string
		want any
	}{
		{`12`, int64(12)},
		{`-12`, int64(-12)},
		{`- 12`, int64(-12)},
		{` 12 `, int64(12)},
		{`0x1F`, int64(31)},
		{`1e3`, 1000.0},
		{`1E+3`, 1000.0},
		{`-.5`, -0.5},
		{`9223372036854775807`, int64(math.MaxInt64)},
		{`-9223372036854775808`, int64(math.MinInt64)},
		{`9223372036854775808`, bigInt("9223372036854775808")},
		{`'a'`, "a"},
		{`"it's"`, "it's"},
		{`u'é'`, "é"},
		{`r'a\d'`, `a\d`},
		{`'50\%\_\\'`, `50\%\_\`},
		{`'\xe9\351\u20ac\n'`, "éé€\n"},
		{"'''a\nb'''", "a\nb"},
		{`True`, true},
		{`False`, false},
		{`None`, nil},
		{`[]`, []any{}},
		{`()`, Tuple{}},
		{`{}`, map[string]any{}},
		{`(1)`, int64(1)},
		{`(1,)`, Tuple{int64(1)}},
		{`'a','b'`, Tuple{"a", "b"}},
		{`'a',`, Tuple{"a"}},
		{`('a','b')`, Tuple{"a", "b"}},
		{`[('name','=',True), # why
			['x', 'in', (1, 2.5)],]`, []any{Tuple{"name", "=", true}, []any{"x", "in", Tuple{int64(1), 2.5}}}},
		{`{'x': None, 'y': {'z': [1]}}`, map[string]any{"x": nil, "y": map[string]any{"z": []any{int64(1)}}}},
		{`"]]]((( # no comment"`, "]]]((( # no comment"},
	} {
		got, err := ParseLiteral(test.text)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("ParseLiteral(%q) = %#v, %v, want %#v", test.text, got, err, test.want)
		}
	}
}

func TestParseLiteralRefuses(t *testing.T) {
	for _, text := range []string{
		``, ` `, `# nothing`, `a`, `f(1)`, `1+1`, `1-1`, `2020-11-12`, `2020-01-02`, `007`, `--1`, `+1`, `not True`,
		`[1`, `1]`, `(1`, `(1))`, `)(`, `1)(2`, `[1](2)`, `'a' 'b'`, `'a`, "'a\nb'", `b'a'`, `{1}`, `{1: 2}`, `{'a'}`,
		`{**x}`, `*a`, `Tom Lenz`, `*`, `lambda: 1`, `[x for x in y]`, `1 if 2 else 3`, `'a'[0]`, `'%s' % 1`, `1j`,
		`-'a'`, `-None`, `true`, "'a\x00'", `'\x00'`, `'\0'`, "\xff", `1e999`, `...`, `'\u12'`, `'\xzz'`, `'\`,
		`'a';'b'`, "1\n2", `a.b`, `1 .real`, `x=1`, `None None`, `1 2`,
		strings.Repeat("[", 101) + strings.Repeat("]", 101),
		strings.Repeat("-", 100000) + "1",
		strings.Repeat("not ", 100000) + "True",
		strings.Repeat("9", 2000),
		"'" + strings.Repeat("a", MaxLiteralBytes) + "'",
	} {
		if got, err := ParseLiteral(text); err == nil {
			t.Errorf("ParseLiteral(%.40q) = %#v, want an error", text, got)
		} else if _, ok := err.(*LiteralError); !ok {
			t.Errorf("ParseLiteral(%.40q): error of type %T", text, err)
		}
	}
}

func TestLiteralErrorPosition(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"[1,\n  foo]", "line 2, column 3: a name is not allowed here: strings want quotes"},
		{"foo", "line 1, column 1: a name is not allowed here: strings want quotes"},
		{"{1: 2}", "line 1, column 2: a key of a dictionary must be a string"},
		{"[1", "line 1, column 3: a bracket is not closed"},
	} {
		if _, err := ParseLiteral(test.text); err == nil || err.Error() != test.want {
			t.Errorf("ParseLiteral(%q): %v, want %s", test.text, err, test.want)
		}
	}
}

func TestParseParam(t *testing.T) {
	for _, test := range []struct {
		text string
		want any
	}{
		{`[["vat","=","X"]]`, []any{[]any{"vat", "=", "X"}}},
		{`[["active","=",true]]`, []any{[]any{"active", "=", true}}},
		{`[["name","!=",False],["active","=",True]]`, []any{[]any{"name", "!=", false}, []any{"active", "=", true}}},
		{`{"a": null}`, map[string]any{"a": nil}},
		{`null`, nil},
		{`None`, nil},
		{`12`, int64(12)},
		{`12.0`, 12.0},
		{`007`, "007"},
		{`Tom Lenz`, "Tom Lenz"},
		{`2020-01-02`, "2020-01-02"},
		{`2020-11-12`, "2020-11-12"},
		{`*`, "*"},
		{``, ""},
		{`  `, "  "},
		{`name desc, id`, "name desc, id"},
		{`'a','b'`, Tuple{"a", "b"}},
	} {
		if got := ParseParam(test.text); !reflect.DeepEqual(got, test.want) {
			t.Errorf("ParseParam(%q) = %#v, want %#v", test.text, got, test.want)
		}
	}
}

// literalValues generates values that both syntaxes can write; withTuples adds tuples.
func valueGenerator(withTuples bool) *rapid.Generator[any] {
	scalars := rapid.OneOf(
		rapid.Just[any](nil),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.Int64(), func(n int64) any { return n }),
		rapid.Just[any](bigInt("-92233720368547758080")),
		rapid.Map(rapid.Float64(), func(f float64) any { return f + 0 }),
		rapid.Map(rapid.StringOf(rapid.Rune().Filter(func(r rune) bool { return r != 0 })), func(s string) any { return s }),
	)
	nested := scalars
	for range 3 {
		inner := nested
		lists := rapid.SliceOfN(inner, 0, 3)
		choices := []*rapid.Generator[any]{
			scalars,
			rapid.Map(lists, func(l []any) any { return l }),
			rapid.Map(rapid.MapOfN(rapid.StringMatching(`[a-zé ']*`), inner, 0, 3), func(m map[string]any) any { return m }),
		}
		if withTuples {
			choices = append(choices, rapid.Map(lists, func(l []any) any { return Tuple(l) }))
		}
		nested = rapid.OneOf(choices...)
	}
	return nested
}

// Ensure that what FormatLiteral writes is read back as it was.
func TestLiteralRoundTrip(t *testing.T) {
	values := valueGenerator(true)
	rapid.Check(t, func(t *rapid.T) {
		want := values.Draw(t, "value")
		text := FormatLiteral(want)
		got, err := ParseLiteral(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: got %#v, %v, want %#v", text, got, err, want)
		}
	})
}
