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
