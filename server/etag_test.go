package server

import (
	"errors"
	"strings"
	"testing"

	"lateral/reader"
)

// Ensure an answer that the client has is told as such, one that differs in any byte is sent, and errors have no
// tag, nor have streams that cannot be told unchanged later.
func TestTags(t *testing.T) {
	h := setup(t, nil)
	for _, path := range []string{"/api/res.partner/1", "/v2/res.partner", "/v2/res.partner?after=", "/v2/res.partner?format=ndjson"} {
		h.reader.docs = []string{`{"id": 1, "name": "a"}`}
		first := h.do("GET", path, "")
		tag := first.header.Get("ETag")
		if first.status != 200 || !strings.HasPrefix(tag, `W/"`) || first.header.Get("Cache-Control") != "private, no-cache" ||
			!strings.Contains(strings.Join(first.header.Values("Vary"), ", "), "Access-Token, Authorization") {
			t.Fatalf("%s: %d %v", path, first.status, first.header)
		}
		for _, sent := range []string{tag, strings.TrimPrefix(tag, "W/"), `"x", ` + tag, "*"} {
			again := h.do("GET", path, "", "If-None-Match", sent)
			if again.status != 304 || again.body != "" || again.header.Get("ETag") != tag || again.header.Get("Cache-Control") != "private, no-cache" {
				t.Errorf("%s, %s: %d %q %v", path, sent, again.status, again.body, again.header)
			}
		}
		h.reader.docs = []string{`{"id": 1, "name": "b"}`}
		if changed := h.do("GET", path, "", "If-None-Match", tag); changed.status != 200 || changed.header.Get("ETag") == tag || changed.body == "" {
			t.Errorf("%s: %d %v", path, changed.status, changed.header)
		}
		h.reader.err = &reader.Error{Kind: reader.Denied, Message: "no"}
		if refused := h.do("GET", path, "", "If-None-Match", "*"); refused.status < 400 || refused.header.Get("ETag") != "" {
			t.Errorf("%s: %d %v", path, refused.status, refused.header)
		}
		h.reader.err = nil
	}
	h.reader.docs = docs(3000, 300)
	if long := h.do("GET", "/api/res.partner", "", "If-None-Match", "*"); long.status != 200 || long.header.Get("ETag") != "" {
		t.Errorf("a stream: %d %v", long.status, long.header)
	}
	h.reader.docs, h.reader.torn = []string{`{"id": 1}`}, errors.New("torn")
	if torn := h.do("GET", "/api/res.partner/1", "", "If-None-Match", "*"); torn.status != 500 || torn.header.Get("ETag") != "" {
		t.Errorf("a read that fails behind its record: %d %v", torn.status, torn.header)
	}
}

// Ensure an answer that the reader knows to be unchanged is told as such without records, that the reader is told what the
// client has and in which form it asks, and that it gets the tag of what it has read.
func TestKnownTags(t *testing.T) {
	h := setup(t, nil)
	h.reader.docs = []string{`{"id": 1}`}
	seen := map[string]bool{}
	for _, path := range []string{"/api/res.partner/1", "/v2/res.partner?limit=80", "/v2/res.partner?format=ndjson"} {
		h.reader.unchanged, h.reader.remembered = "", nil
		first := h.do("GET", path, "")
		if tag := first.header.Get("ETag"); len(h.reader.remembered) != 1 || tag != "W/"+h.reader.remembered[0] {
			t.Errorf("%s: the reader remembers %v of %s", path, h.reader.remembered, tag)
		}
		if asker := h.reader.query(t).Asker; asker != nil && (path == "/api/res.partner/1" || asker.Has(`"abc"`)) {
			t.Errorf("%s: nothing was said of an answer: %+v", path, asker)
		}
		h.reader.unchanged = `"abc"`
		got := h.do("GET", path, "", "If-None-Match", `W/"abc"`)
		if got.status != 304 || got.body != "" || got.header.Get("ETag") != `W/"abc"` || got.header.Get("X-Read-Path") != "direct" {
			t.Errorf("%s: %d %q %v", path, got.status, got.body, got.header)
		}
		asker := h.reader.query(t).Asker
		if asker == nil || seen[asker.Asks] || !asker.Has(`"abc"`) || asker.Has(`"x"`) {
			t.Errorf("%s: asker %+v", path, asker)
		}
		seen[asker.Asks] = true
		h.reader.unchanged = ""
		if h.do("GET", path, "", "If-None-Match", "*"); h.reader.query(t).Asker != nil {
			t.Errorf("%s: any answer will do for *, which is none", path)
		}
	}
	if closed := h.reader.closed.Load(); closed != 9 {
		t.Errorf("%d of 9 reads were ended", closed)
	}
}

// Ensure a stream that the reader can tell unchanged later has a tag of its own each time, which the reader is told once all of
// it has been sent, and not where the stream broke.
func TestStreamTags(t *testing.T) {
	h := setup(t, nil)
	h.reader.docs, h.reader.lasting = docs(3000, 300), true
	tags := map[string]bool{}
	for range 2 {
		got := h.do("GET", "/v2/res.partner", "", "If-None-Match", `"x"`)
		tag := strings.TrimPrefix(got.header.Get("ETag"), "W/")
		if got.err != nil || got.status != 200 || tag == "" || tags[tag] {
			t.Fatalf("%d %v %v", got.status, got.header, got.err)
		}
		tags[tag] = true
		if n := len(h.reader.remembered); n != len(tags) || h.reader.remembered[n-1] != tag {
			t.Errorf("the reader remembers %v, not %s", h.reader.remembered, tag)
		}
	}
	h.reader.torn = errors.New("torn")
	if got := h.do("GET", "/v2/res.partner", ""); got.err == nil || len(h.reader.remembered) != 2 {
		t.Errorf("%v, the reader remembers %v", got.err, h.reader.remembered)
	}
}
