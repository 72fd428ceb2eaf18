package server

import (
	"errors"
	"strings"
	"testing"

	"lateral/reader"
)

// Ensure an answer that the client has is told as such, one that differs in any byte is sent, and errors and
// streams have no tag.
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
