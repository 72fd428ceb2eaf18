package reader

import (
	"maps"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Ensure the records of a key are found, however far the keys lie apart, and those of no other key.
func TestGroups(t *testing.T) {
	var g groups // used again, as shelves are
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.SampledFrom([]int64{math.MinInt64, -5, 0, 1, 1 << 40, math.MaxInt64 - 2000}).Draw(t, "from")
		far := rapid.SampledFrom([]int64{1, 20, 1000}).Draw(t, "far")
		set := map[int64]int{}
		for _, n := range rapid.SliceOf(rapid.Int64Range(0, far)).Draw(t, "keys") {
			set[from+n] = 0
		}
		if rapid.Bool().Draw(t, "an outlier") {
			set[7] = 0
		}
		keys := slices.Sorted(maps.Keys(set))
		g.expect(keys)
		for i, key := range keys {
			set[key] = i + 1
			g.of(key).count = i + 1
		}
		for _, key := range append(keys, from-1, from+far+1, 0, 7, 8, math.MinInt64, math.MaxInt64) {
			want, got := set[key], g.of(key)
			switch {
			case want == 0 && got != nil:
				t.Fatalf("%d is not a key, and found", key)
			case want != 0 && (got == nil || got.count != want):
				t.Fatalf("%d: %v, want %d", key, got, want)
			}
		}
		g.clear()
		for _, key := range keys {
			if g.of(key) != nil {
				t.Fatalf("%d is found after clear", key)
			}
		}
	})
}

func TestCloseTogether(t *testing.T) {
	row := func(n, step int64) []int64 {
		keys := make([]int64, n)
		for i := range keys {
			keys[i] = int64(i)*step + 100
		}
		return keys
	}
	for _, c := range []struct {
		keys []int64
		want bool
	}{
		{row(closeKeys, 1), true},
		{row(closeKeys-1, 1), false},
		{row(1000, 2), false},
		{append(row(100, 1), 224), true},
		{append(row(100, 1), 226), false},
		{append([]int64{math.MinInt64}, row(100, 1)...), false},
	} {
		if got := closeTogether(c.keys); got != c.want {
			t.Errorf("%d keys from %d to %d: %v", len(c.keys), c.keys[0], c.keys[len(c.keys)-1], got)
		}
	}
}

// Ensure a record that several show is the same each time, with its flags, and that rows of keys that nobody
// asked for are passed over.
func TestShelfShownAgain(t *testing.T) {
	leaf := &part{shape: Object, layer: layer{columns: []column{{lead: `{"n":`, as: asProse}}, tail: "}"}}
	middle := &part{number: 1, shape: Object, layer: layer{columns: []column{{lead: `{"l":`, part: leaf}, {lead: `,"x":`, as: asProse}}, tail: "}"}}
	root := layer{columns: []column{{lead: `{"m":`, part: middle}}, tail: "}"}
	s := (&statement{}).takeShelf()
	for range 4 {
		r, err := s.add(&root, [][]byte{[]byte("5")}, 0)
		if err != nil {
			t.Fatal(err)
		}
		s.roots = append(s.roots, r)
	}
	s.parts[middle.number].expect([]int64{5})
	put := func(p *part, key int64, flags int64, row ...string) {
		t.Helper()
		columns := make([][]byte, len(row))
		for i := range row {
			columns[i] = []byte(row[i])
		}
		if err := s.place(p, key, columns, flags); err != nil {
			t.Fatal(err)
		}
	}
	put(middle, 5, 0, "9", "a")
	put(middle, 6, flagDenied, "10", "b")
	s.parts[leaf.number].expect([]int64{9})
	put(leaf, 9, flagNotSingle, "c")
	put(leaf, 10, flagDenied, "d")
	if got := len(s.parts[middle.number].all) - 1 + len(s.parts[leaf.number].all) - 1; got != 2 {
		t.Errorf("%d records are on the shelf, want 2", got)
	}
	for i := range s.roots {
		got, flags := s.document(nil, &s.roots[i])
		if want := `{"m":{"l":{"n":"c"},"x":"a"}}`; string(got) != want || flags != flagNotSingle {
			t.Errorf("time %d: %s, flags %d, want %s, flags %d", i+1, got, flags, want, flagNotSingle)
		}
	}
}
