package reader

import (
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lateral/auth"
)

// Ensure marks of fields and files are found where they are, and nothing else is taken for one.
func TestSpots(t *testing.T) {
	document := []byte(`{"a":` + spliceMark + "c3:42" + spliceEnd + `,"b":"c3:42","f":` + spliceMark + "fab/abcd" + spliceEnd + "}")
	found, err := spots(document)
	if err != nil || len(found) != 2 {
		t.Fatalf("got %+v, %v", found, err)
	}
	if found[0].source != 3 || found[0].id != 42 || found[1].file != "ab/abcd" {
		t.Errorf("got %+v", found)
	}
	for _, broken := range []string{"c1", "c:", "cx:1", "c1:x", "z", ""} {
		if _, err := spots([]byte(spliceMark + broken + spliceEnd)); err == nil {
			t.Errorf("%q was taken for a mark", broken)
		}
	}
	if _, err := spots([]byte("x" + spliceMark + "c1:2")); err == nil {
		t.Error("a mark without an end was taken for one")
	}
}

// Ensure documents are found intact or refused, whatever bytes they hold.
func FuzzSpots(f *testing.F) {
	f.Add([]byte(spliceMark + "c1:2" + spliceEnd))
	f.Add([]byte("plain"))
	f.Fuzz(func(t *testing.T, document []byte) {
		found, err := spots(document)
		if err != nil {
			return
		}
		at := 0
		for _, s := range found {
			if s.start < at || s.end <= s.start || s.end > len(document) {
				t.Fatalf("mark %+v of %q", s, document)
			}
			at = s.end
		}
	})
}

// Ensure computed values and files take the place of their marks, that one call fetches a level's
// fields, of the records in the order of the documents, and that a record that has vanished has none.
func TestFill(t *testing.T) {
	w := newWorld()
	level := w.level("order", &Node{Key: "name"}, &Node{Key: "total"})
	folder := t.TempDir()
	name := "ab/" + strings.Repeat("ab", 20)
	if err := os.MkdirAll(filepath.Join(folder, "ab"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name), []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := &splicer{
		odoo: &odooExecutor{caller: w.odoo}, who: auth.Credentials{}, filestore: folder,
		plan:    &Plan{Catalogue: w.catalogue, Root: level},
		sources: []spliceSource{{level, level.Nodes[0]}, {level, level.Nodes[1]}},
	}
	mark := func(body string) string { return spliceMark + body + spliceEnd }
	documents := [][]byte{
		[]byte(`[` + mark("c1:77") + `,` + mark("f"+name) + `,` + mark("fab/"+strings.Repeat("cd", 20)) + `]`),
		[]byte(`{"plain":1}`),
		[]byte(`{"n":` + mark("c0:1") + `,"t":` + mark("c1:1") + `}`),
	}
	if err := s.fill(context.Background(), documents); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`[null,"` + base64.StdEncoding.EncodeToString([]byte("content")) + `",null]`,
		`{"plain":1}`, `{"n":"S1","t":7.0}`,
	}
	for i, document := range documents {
		if string(document) != want[i] {
			t.Errorf("got %s, want %s", document, want[i])
		}
	}
	if len(w.odoo.calls) != 1 || !strings.Contains(w.odoo.calls[0], "[77 1]") {
		t.Errorf("got calls %q", w.odoo.calls)
	}
}

// Ensure no name leads out of the filestore.
func TestFillRefusesPaths(t *testing.T) {
	s := &splicer{filestore: t.TempDir()}
	for _, name := range []string{"../../etc/passwd", "ab/../../x", "/etc/passwd", "ab/" + strings.Repeat("a", 39), ""} {
		if _, err := s.appendFile(nil, name); err == nil {
			t.Errorf("%q was read", name)
		}
	}
}

// Ensure flags fail the read, and rows without any do not.
func TestFlagError(t *testing.T) {
	if err := flagError(0); err != nil {
		t.Error(err)
	}
	for flags, kind := range map[int64]Kind{flagDenied: Denied, flagNotSingle: NotSingle, flagDenied | flagNotSingle: Denied} {
		err, ok := flagError(flags).(*Error)
		if !ok || err.Kind != kind {
			t.Errorf("flags %d: got %v", flags, err)
		}
	}
}
