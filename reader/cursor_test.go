package reader

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Ensure any position comes back from its cursor, to its owner and under its secret alone.
func TestCursorRoundTrip(t *testing.T) {
	seals := newCursors(nil)
	others := newCursors(nil)
	rapid.Check(t, func(t *rapid.T) {
		p := &position{}
		copy(p.binding[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "binding"))
		p.values = append(p.values, rapid.SliceOf(rapid.Ptr(rapid.String(), true)).Draw(t, "values")...)
		mine := sealerOf(t, seals, 7)
		cursor, err := mine.seal(p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := mine.open(cursor)
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Fatalf("%+v became %+v, %v", p, got, err)
		}
		for _, other := range []*sealer{sealerOf(t, seals, 8), sealerOf(t, others, 7)} {
			if _, err := other.open(cursor); !refusedCursor(err) {
				t.Fatalf("another opens it: %v", err)
			}
		}
	})
}

func sealerOf(t *rapid.T, c *cursors, uid int64) *sealer {
	s, err := c.sealer(context.Background(), uid)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func refusedCursor(err error) bool {
	failed, ok := errors.AsType[*Error](err)
	return ok && failed.Kind == Invalid && failed.Field == "after"
}

// Ensure a secret that cannot be read is told, and that one that was read holds until another is known.
func TestCursorSecret(t *testing.T) {
	var secret []byte
	failure := errors.New("no database")
	c := newCursors(func(context.Context) ([]byte, error) { return secret, failure })
	if _, err := c.sealer(t.Context(), 1); !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
	secret, failure = []byte("0123456789abcdef"), nil
	before, err := c.sealer(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	cursor, err := before.seal(&position{values: texts("a", "-", "")})
	if err != nil {
		t.Fatal(err)
	}
	secret, failure, c.until = nil, errors.New("no database"), time.Time{}
	kept, err := c.sealer(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kept.open(cursor); err != nil {
		t.Errorf("the secret of before: %v", err)
	}
	secret, failure = []byte("another secret 16"), nil
	changed, err := c.sealer(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := changed.open(cursor); !refusedCursor(err) {
		t.Errorf("a cursor of another secret: %v", err)
	}
}

// Any text is either a cursor or refused.
func FuzzCursor(f *testing.F) {
	s := &sealer{key: make([]byte, 32), uid: 1}
	sealed := &position{values: texts("a", "-")}
	good, err := s.seal(sealed)
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{"", "A", "AQ", good, good[1:], good + "A", "é", "\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := s.open(text); err == nil && !reflect.DeepEqual(p, sealed) {
			t.Fatalf("%q opens as %+v", text, p)
		} else if err != nil && !refusedCursor(err) {
			t.Fatal(err)
		}
	})
}
