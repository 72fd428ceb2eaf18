package server

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lateral/reader"
)

func TestParseRange(t *testing.T) {
	for _, test := range []struct {
		header       string
		size         int64
		from, length int64
		partial, ok  bool
	}{
		{"bytes=0-0", 10, 0, 1, true, true},
		{"bytes=2-5", 10, 2, 4, true, true},
		{"bytes=2-", 10, 2, 8, true, true},
		{"bytes=2-99", 10, 2, 8, true, true},
		{"bytes=0-9", 10, 0, 10, true, true},
		{"Bytes= 0-9", 10, 0, 10, true, true},
		{"bytes=-3", 10, 7, 3, true, true},
		{"bytes=-30", 10, 0, 10, true, true},
		{"bytes=10-", 10, 0, 0, false, false},
		{"bytes=-0", 10, 0, 0, false, false},
		{"bytes=0-0", 0, 0, 0, false, false},
		// What is not understood is answered with the whole.
		{"bytes=5-2", 10, 0, 10, false, true},
		{"bytes=1-2,4-5", 10, 0, 10, false, true},
		{"lines=1-2", 10, 0, 10, false, true},
		{"bytes=x-2", 10, 0, 10, false, true},
		{"bytes=1-x", 10, 0, 10, false, true},
		{"bytes=-", 10, 0, 10, false, true},
		{"bytes=", 10, 0, 10, false, true},
		{"bytes=99999999999999999999-", 10, 0, 10, false, true},
	} {
		part, ok := parseRange(test.header, test.size)
		if ok != test.ok || part != (byteRange{from: test.from, length: test.length, asked: test.partial}) {
			t.Errorf("%s of %d: %+v, %v", test.header, test.size, part, ok)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(0, 1000).Draw(t, "size")
		header := rapid.StringMatching(`bytes=[0-9]{0,4}-[0-9]{0,4}`).Draw(t, "header")
		part, ok := parseRange(header, size)
		if ok && (part.from < 0 || part.length < 0 || part.from+part.length > size || part.asked && part.length == 0) {
			t.Fatalf("%s of %d: %+v", header, size, part)
		}
	})
}

func TestMatches(t *testing.T) {
	const tag = `"a"`
	for header, want := range map[string]bool{
		"": false, `"a"`: true, `W/"a"`: true, `"b", "a"`: true, `*`: true, `"b"`: false, `a`: false,
	} {
		if got := matches(header, tag); got != want {
			t.Errorf("%s: %v", header, got)
		}
	}
}

func TestFileName(t *testing.T) {
	q := reader.Query{Model: "res.partner", ID: 7, Content: "image_128"}
	for _, test := range []struct{ name, media, want string }{
		{"a.txt", "image/png", "a.txt"},
		{"Deco Addict", "image/png", "Deco Addict.png"},
		{"Deco Addict, Inc. Ltd", "image/png", "Deco Addict, Inc. Ltd.png"},
		{"", "image/jpeg", "res_partner-7-image_128.jpg"},
		{"", "application/octet-stream", "res_partner-7-image_128"},
		{"x", "text/plain; charset=utf-8", "x.txt"},
	} {
		if got := fileName(test.name, q, test.media); got != test.want {
			t.Errorf("%q, %s: %q, want %q", test.name, test.media, got, test.want)
		}
	}
}

// Ensure what users have put there is never served as a page.
func TestMediaType(t *testing.T) {
	for text, want := range map[string]string{
		"image/png": "image/png", "text/html": "text/plain", "TEXT/HTML; charset=utf-8": "text/plain; charset=utf-8",
		"": "application/octet-stream", "x": "application/octet-stream", "a/b\r\nX: y": "application/octet-stream",
	} {
		if got := mediaType(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// Ensure a content that breaks off does not look whole.
func TestTornContent(t *testing.T) {
	content := strings.Repeat("x", 300<<10)
	h := setup(t, nil)
	h.reader.content = &reader.Content{Path: "direct", Size: int64(len(content)) + 1, Type: "text/plain", Hash: "a", Open: func(context.Context, int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader([]byte(content))), nil
	}}
	if got := h.do("GET", "/api/res.partner/1/comment/content", ""); got.err == nil {
		t.Errorf("%d bytes came as if they were all: %d", len(got.body), got.status)
	}
	if q := h.reader.query(t); q.Model != "res.partner" || q.ID != 1 || q.Content != "comment" || !q.One {
		t.Errorf("asked for %+v", q)
	}
}
