package schema

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseOrder(t *testing.T) {
	for _, test := range []struct {
		series, text string
		want         []OrderTerm
	}{
		{"19.0", "", nil},
		{"19.0", "id", []OrderTerm{{Field: "id"}}},
		{"19.0", "date DESC,Name asc , id", []OrderTerm{{Field: "date", Desc: true}, {Field: "Name"}, {Field: "id"}}},
		{"19.0", "partner_id.id desc nulls First", []OrderTerm{{Field: "partner_id", Sub: "id", Desc: true, Nulls: "first"}}},
		{"17.0", "a NULLS LAST", []OrderTerm{{Field: "a", Nulls: "last"}}},
		{"19.0", "a   desc", []OrderTerm{{Field: "a", Desc: true}}},
		{"19.0", "amount:sum desc", []OrderTerm{{Field: "amount", Desc: true}}},
		{"14.0", "a desc, b", []OrderTerm{{Field: "a", Desc: true}, {Field: "b"}}},
		{"14.0", "a  desc", []OrderTerm{{Field: "a"}}},
	} {
		got, err := ParseOrder(test.text, FeaturesOf(test.series))
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("ParseOrder(%q, %s) = %+v, %v, want %+v", test.text, test.series, got, err, test.want)
		}
	}
}

func TestParseOrderErrors(t *testing.T) {
	for _, test := range []struct{ series, text, term string }{
		{"19.0", "a,", `""`},
		{"19.0", " ", `""`},
		{"19.0", "id, a; DROP TABLE x", `"a; DROP TABLE x"`},
		{"19.0", "a ascending", `"a ascending"`},
		{"19.0", "a nulls  first", `"a nulls  first"`},
		{"19.0", "a.b.c", `"a.b.c"`},
		{"19.0", `"a"`, `"\"a\""`},
		{"14.0", "a nulls first", `"a nulls first"`},
		{"16.0", "partner_id.id", `"partner_id.id"`},
		{"19.0", strings.Repeat("a,", 100) + "a", `"a"`},
	} {
		_, err := ParseOrder(test.text, FeaturesOf(test.series))
		if err == nil || !strings.HasPrefix(err.Error(), "order, term "+test.term+": ") {
			t.Errorf("ParseOrder(%q, %s): %v, want it to name %s", test.text, test.series, err, test.term)
		}
	}
}

func FuzzParseOrder(f *testing.F) {
	for _, text := range []string{"", "a", "a desc, b.id asc nulls last", "a  desc", `"a"`, "a,", "a:sum", "é"} {
		f.Add(text, true)
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, text string, modern bool) {
		series := "14.0"
		if modern {
			series = "19.0"
		}
		terms, err := ParseOrder(text, FeaturesOf(series))
		if err != nil {
			return
		}
		parts := make([]string, len(terms))
		for i, term := range terms {
			parts[i] = term.String()
		}
		again, err := ParseOrder(strings.Join(parts, ", "), FeaturesOf(series))
		if err != nil || !reflect.DeepEqual(again, terms) {
			t.Fatalf("%q: %+v became %+v, %v", text, terms, again, err)
		}
	})
}
