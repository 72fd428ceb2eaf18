package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	brotli "github.com/molecule-man/go-brrr"

	"lateral/reader"
)

func TestAccepted(t *testing.T) {
	for header, want := range map[string]string{
		"": "", "gzip": "gzip", "GZIP": "gzip", "x-gzip": "gzip", "br": "br", "zstd": "zstd", "deflate": "", "compress, exi": "",
		"gzip, deflate, br, zstd": "zstd", "gzip, deflate, br": "br", "gzip;q=0": "", "gzip; Q=0.0, br": "br",
		"gzip;q=1.0, br;q=0.5, zstd;q=0.9": "gzip", "*": "zstd", "*;q=0": "", "*;q=0.1, gzip;q=0": "zstd", "zstd;q=0, *": "br",
		"identity": "", "identity, gzip": "gzip", "identity;q=1, gzip;q=0.5": "", "identity;q=0, gzip;q=0.1": "gzip", "identity;q=0": "",
		"gzip;q=nonsense": "", "gzip;q=2": "", "gzip;q=-1": "", "gzip;q=NaN": "", ";q=1": "", ",,": "", " gzip ;level=9; q=0.2 ": "gzip",
	} {
		got := ""
		if c := accepted(header, newCodings()); c != nil {
			got = c.name
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", header, got, want)
		}
	}
}

// decoder returns what reads a body in a coding.
func decoder(t *testing.T, name string, body io.Reader) io.Reader {
	t.Helper()
	switch name {
	case "gzip":
		r, err := gzip.NewReader(body)
		if err != nil {
			t.Fatal(err)
		}
		return r
	case "zstd":
		r, err := zstd.NewReader(body)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		return r
	case "br":
		return brotli.NewReader(body)
	}
	t.Fatalf("the coding is %q", name)
	return nil
}

// Ensure answers of all lengths are the same bytes in every coding as without one.
func TestCodings(t *testing.T) {
	h := setup(t, nil)
	for _, n := range []int{20, 3000} {
		h.reader.docs = docs(n, 300)
		plain := h.do("GET", "/api/res.partner", "", "Accept-Encoding", "identity")
		if plain.header.Get("Content-Encoding") != "" || !slices.Contains(plain.header.Values("Vary"), "Accept-Encoding") {
			t.Errorf("plain: %v", plain.header)
		}
		for range 2 { // the second time by a writer that was used before
			for _, name := range []string{"zstd", "br", "gzip"} {
				got := h.do("GET", "/api/res.partner", "", "Accept-Encoding", name)
				if got.err != nil || got.header.Get("Content-Encoding") != name || !slices.Contains(got.header.Values("Vary"), "Accept-Encoding") {
					t.Fatalf("%s: %v, %v", name, got.err, got.header)
				}
				if length := got.header.Get("Content-Length"); n == 20 && length != strconv.Itoa(len(got.body)) {
					t.Errorf("%s: Content-Length %s of %d bytes", name, length, len(got.body))
				}
				text, err := io.ReadAll(decoder(t, name, strings.NewReader(got.body)))
				if err != nil || string(text) != plain.body || len(got.body) >= len(plain.body)/4 {
					t.Errorf("%s: %d bytes of %d in %d, %v", name, len(text), len(plain.body), len(got.body), err)
				}
			}
		}
		if got := h.do("GET", "/api/res.partner", "", "Accept-Encoding", "gzip;q=0, identity"); got.body != plain.body {
			t.Errorf("a coding that was refused: %v", got.header)
		}
	}
}

// Ensure what is short, what holds tokens and what a binary field holds are sent as they are.
func TestNotCompressed(t *testing.T) {
	content := strings.Repeat("a,b\r\n", 1000)
	h := setup(t, func(d *Deps, _ *Config) { d.Users = fakeUsers{User{Lang: strings.Repeat("x", 4000)}} })
	h.reader.docs = docs(2, 300)
	h.reader.content = &reader.Content{
		Size: int64(len(content)), Type: "text/csv", Hash: "h",
		Open: func(context.Context, int64) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(content)), nil
		},
	}
	for _, path := range []string{
		"/api/res.partner", "/api/res.partner/1/image/content", "/api/auth/get_tokens?username=admin&password=admin%2B1%20%C3%A9", "/metrics",
	} {
		got := h.do("GET", path, "", "Accept-Encoding", "zstd")
		if got.status != 200 || len(got.body) < 600 || got.header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %d, %d bytes, %v", path, got.status, len(got.body), got.header)
		}
	}
}

// Ensure a first answer that is given again may be sent in another coding than at first.
func TestCodingOfReplay(t *testing.T) {
	h := setup(t, nil)
	h.odoo.result = json.RawMessage(`"` + strings.Repeat("x", 5000) + `"`)
	for _, name := range []string{"zstd", "identity", "br"} {
		got := h.do("PUT", "/api/res.partner/1/name_get", "{}", "Idempotency-Key", "k", "Accept-Encoding", name)
		text := got.body
		if name != "identity" {
			plain, err := io.ReadAll(decoder(t, got.header.Get("Content-Encoding"), strings.NewReader(got.body)))
			if err != nil {
				t.Fatal(err)
			}
			text = string(plain)
		}
		if got.status != 200 || text != string(h.odoo.result) {
			t.Errorf("%s: %d, %.50s", name, got.status, text)
		}
	}
	if len(h.odoo.calls) != 1 {
		t.Errorf("%d calls", len(h.odoo.calls))
	}
}

// Ensure a stream that breaks does so in a coding too, instead of looking like one that has ended.
func TestCodedStreamAborts(t *testing.T) {
	h := setup(t, nil)
	h.reader.docs = docs(3000, 300)
	h.reader.torn = errors.New("connection lost")
	for _, name := range []string{"zstd", "br", "gzip"} {
		got := h.do("GET", "/api/res.partner", "", "Accept-Encoding", name)
		if !errors.Is(got.err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %d bytes and %v", name, len(got.body), got.err)
		}
	}
}

// Ensure a client can read all records that were sent while the rest is not there yet.
func TestCodedStreamIsIncremental(t *testing.T) {
	for _, name := range []string{"zstd", "br", "gzip"} {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			h := setup(t, func(d *Deps, _ *Config) { d.Reader = heldReader{d.Reader, 2000, release} })
			h.reader.docs = docs(3000, 300)
			conn, err := h.network.Dial()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_, err = io.WriteString(conn, "GET /api/res.partner HTTP/1.1\r\nHost: x\r\nAccept-Encoding: "+name+"\r\nAccess-Token: "+token+"\r\n\r\n")
			if err != nil {
				t.Fatal(err)
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			body := decoder(t, name, response.Body)
			if _, err := io.CopyN(io.Discard, body, 400_000); err != nil {
				t.Fatal(err)
			}
			close(release)
			rest, err := io.ReadAll(body)
			if err != nil || !strings.HasSuffix(string(rest), `"count": 3000}`) {
				t.Errorf("got %d bytes, %v", len(rest), err)
			}
		})
	}
}
