package reader

import (
	"strconv"
	"testing"
)

// shelve puts one root record on an empty shelf and so many records behind its one relation, each with flags.
func shelve(t *testing.T, shape Shape, count int, flags int64) (*shelf, *record) {
	t.Helper()
	nested := &part{shape: shape, layer: layer{columns: []column{{lead: `{"n":`, as: asProse}}, tail: "}"}}
	if shape == IDs || shape == NullableIDs || shape == BareIDs {
		nested.layer = layer{columns: []column{{}}}
	}
	root := layer{columns: []column{{lead: `{"id":`}, {lead: `,"r":`, part: nested}}, tail: "}"}
	s := (&statement{}).takeShelf()
	r, err := s.add(&root, [][]byte{[]byte("7"), []byte("70")}, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.roots = append(s.roots, r)
	s.parts[nested.number].expect([]int64{70})
	for i := range count {
		if err := s.place(nested, 70, [][]byte{[]byte(strconv.Itoa(i + 1))}, flags); err != nil {
			t.Fatal(err)
		}
	}
	return s, &s.roots[0]
}

func TestShelfShapes(t *testing.T) {
	for _, c := range []struct {
		shape           Shape
		none, one, many string
		many2           int64 // flags of several
	}{
		{Object, "null", `{"n":"1"}`, "", 0},
		{ObjectList, "[]", `[{"n":"1"}]`, "", 0},
		{Objects, "[]", `[{"n":"1"}]`, `[{"n":"1"},{"n":"2"}]`, 0},
		{SingleObject, "null", `{"n":"1"}`, "null", flagNotSingle},
		{IDs, "[]", "[1]", "[1,2]", 0},
		{NullableIDs, "null", "[1]", "[1,2]", 0},
		{BareIDs, "null", "1", "[1,2]", 0},
	} {
		for count, want := range []string{c.none, c.one, c.many} {
			if want == "" {
				continue // a many2one has one record
			}
			s, r := shelve(t, c.shape, count, 0)
			got, flags := s.document(nil, r)
			if string(got) != `{"id":7,"r":`+want+"}" || count < 2 && flags != 0 || count == 2 && flags != c.many2 {
				t.Errorf("shape %d, %d records: got %s, flags %d, want %s", c.shape, count, got, flags, want)
			}
		}
	}
}

// Ensure what is refused of a nested record refuses the record that shows it, unless it is not read at all.
func TestShelfFlags(t *testing.T) {
	for _, c := range []struct {
		shape Shape
		count int
		want  int64
	}{{Objects, 0, 0}, {Objects, 2, flagDenied}, {SingleObject, 1, flagDenied}, {SingleObject, 2, flagNotSingle}} {
		s, r := shelve(t, c.shape, c.count, flagDenied)
		if _, flags := s.document(nil, r); flags != c.want {
			t.Errorf("shape %d, %d records: flags %d, want %d", c.shape, c.count, flags, c.want)
		}
	}
}

// Ensure nothing of a read is left on a shelf that another takes.
func TestShelfAgain(t *testing.T) {
	s, _ := shelve(t, Objects, 2, flagDenied)
	s.clear()
	for _, of := range s.parts {
		if got, flags := s.fill(nil, &gap{part: &part{shape: Objects}, key: 70, rows: of}); string(got) != "[]" || flags != 0 {
			t.Errorf("got %s, %d", got, flags)
		}
		if len(of.keys) != 0 {
			t.Error("keys are left to be asked for")
		}
	}
	if len(s.text)+len(s.gaps)+len(s.roots) != 0 {
		t.Error("the shelf is not empty")
	}
}

func TestPortion(t *testing.T) {
	for size, want := range map[int64]int{0: firstPortion, 1: maxPortion, 2000: maxPortion, portionBytes / 10: 10, portionBytes: 1, 1 << 40: 1} {
		if got := portion(size); got != want {
			t.Errorf("%d bytes: %d records, want %d", size, got, want)
		}
	}
}

// Ensure a shelf that is used again needs no more memory for a page than it has.
func TestShelfAllocations(t *testing.T) {
	nested := &part{shape: Objects, layer: layer{columns: []column{{lead: `{"n":`, as: asProse}, {lead: `,"x":`, as: asNumeral}}, tail: "}"}}
	root := layer{columns: []column{{lead: `{"id":`}, {lead: `,"r":`, part: nested}}, tail: "}"}
	s := (&statement{}).takeShelf()
	row, line := [][]byte{[]byte("7"), []byte("70")}, [][]byte{[]byte("text"), []byte("12.50")}
	keys := []int64{70}
	page := func() {
		s.clear()
		for range 80 {
			r, err := s.add(&root, row, 0)
			if err != nil {
				t.Fatal(err)
			}
			s.roots = append(s.roots, r)
		}
		s.wanted = s.wanted[:0]
		s.parts[nested.number].expect(keys)
		for range 4 {
			if err := s.place(nested, 70, line, 0); err != nil {
				t.Fatal(err)
			}
		}
		for i := range s.roots {
			s.out, _ = s.document(s.out[:0], &s.roots[i])
		}
	}
	page()
	if allocs := testing.AllocsPerRun(20, page); allocs > 0 {
		t.Errorf("%v allocations for a page", allocs)
	}
}
