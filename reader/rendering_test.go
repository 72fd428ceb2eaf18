package reader

import (
	"math"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func TestRenderingAppend(t *testing.T) {
	for _, c := range []struct {
		as    rendering
		value string // NULL for that
		want  string
	}{
		{asFinished, `{"a":1}`, `{"a":1}`},
		{asFlagTrue, "t", "true"},
		{asFlagTrue, "f", "false"},
		{asFlagTrue, "NULL", "false"},
		{asFlagNull, "t", "true"},
		{asFlagNull, "f", "null"},
		{asFlagNull, "NULL", "null"},
		{asWholeZero, "-7", "-7"},
		{asWholeZero, "NULL", "0"},
		{asNumeral, "NULL", "0.0"},
		{asNumeral, "0", "0.0"},
		{asNumeral, "0.00", "0.0"},
		{asNumeral, "-0", "-0.0"},
		{asNumeral, "100", "100.0"},
		{asNumeral, "100.00", "100.0"},
		{asNumeral, "-1234.50", "-1234.5"},
		{asNumeral, "0.05", "0.05"},
		{asNumeral, "0.10", "0.1"},
		{asNumeral, "0.00001", "1e-05"},
		{asNumeral, "33.330000000000005", "33.330000000000005"},
		{asNumeral, "0.1000000000000000055511151231257827", "0.1"},
		{asNumeral, "1e-07", "1e-07"},
		{asNumeral, "1e+20", "1e+20"},
		{asNumeral, "999999999999999", "999999999999999.0"},
		{asNumeral, "1000000000000000", "1e+15"},
		{asNumeral, "123456789012345678", "1.2345678901234568e+17"},
		{asNumeral, "NaN", "null"},
		{asNumeral, "-Infinity", "null"},
		{asProse, "", `""`},
		{asProse, "NULL", "null"},
		{asProse, "a\"b\\c\n\t\x01\x7f/é", `"a\"b\\c\n\t\u0001` + "\x7f/é\""},
		{asProseFilled, "", "null"},
		{asProseFilled, " ", `" "`},
		{asProseFilled, "NULL", "null"},
		{asDay, "2026-02-28", `"2026-02-28"`},
		{asDay, "NULL", "null"},
		{asSecond, "2026-02-28 23:59:59.999999", `"2026-02-28 23:59:59"`},
		{asSecond, "NULL", "null"},
		{asIdentity, "12", "12"},
		{asIdentity, "NULL", "null"},
	} {
		value := []byte(c.value)
		if c.value == "NULL" {
			value = nil
		}
		if got := string(c.as.append([]byte("x"), value)); got != "x"+c.want {
			t.Errorf("%d of %q: got %s, want %s", c.as, c.value, got[1:], c.want)
		}
	}
}

// Ensure a numeral that is taken over digit by digit is what the float that it reads as is written as.
func TestAppendNumeral(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var text string
		if rapid.Bool().Draw(t, "short") {
			text = rapid.StringMatching(`-?(0|[1-9][0-9]{0,16})(\.[0-9]{1,8})?`).Draw(t, "text")
		} else {
			text = strconv.FormatFloat(rapid.Float64().Draw(t, "float"), 'g', -1, 64)
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || f == 0 && math.Signbit(f) && text != "-0" {
			return // PostgreSQL writes no such number
		}
		if got, want := string(appendNumeral(nil, []byte(text))), string(appendFloat(nil, f)); got != want {
			t.Fatalf("%s: got %s, want %s", text, got, want)
		}
	})
}
