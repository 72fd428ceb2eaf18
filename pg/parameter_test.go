package pg

import (
	"math"
	"testing"
)

func TestParameters(t *testing.T) {
	for _, c := range []struct {
		arg  any
		want string
	}{
		{int64(-7), "-7"},
		{int64(math.MinInt64), "-9223372036854775808"},
		{1.5, "1.5"},
		{1e300, "1e+300"},
		{math.Inf(-1), "-Inf"},
		{true, "true"},
		{"", ""},
		{`a"b\c'd`, `a"b\c'd`},
		{[]int64{}, "{}"},
		{[]int64{1, -2}, "{1,-2}"},
		{[]float64{0.1, math.NaN()}, "{0.1,NaN}"},
		{[]string{"", "NULL", `a"b\c`, "{x,y}", "é\n"}, `{"","NULL","a\"b\\c","{x,y}","é` + "\n" + `"}`},
	} {
		got, err := Parameters([]any{nil, c.arg})
		if err != nil || len(got) != 2 || got[0] != nil || got[1] == nil || string(got[1]) != c.want {
			t.Errorf("%#v: got %q, %v", c.arg, got, err)
		}
	}
	if _, err := Parameters([]any{int64(1), struct{}{}}); err == nil || err.Error() != "parameter $2: a struct {} cannot be sent" {
		t.Errorf("got %v", err)
	}
}
