package main

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
)

// Ensure profiles are served where that is asked for, and nothing else is.
func TestProfiles(t *testing.T) {
	var log strings.Builder
	p, err := serveProfiles(t.Context(), "127.0.0.1:0", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	_, address, _ := strings.Cut(log.String(), "address=")
	address = strings.TrimSpace(address)
	for path, want := range map[string]int{"/debug/pprof/profile?seconds=1": 200, "/debug/pprof/heap": 200, "/": 404, "/api/res.partner": 404} {
		response, err := http.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != want || len(body) == 0 {
			t.Errorf("%s: %d, %d bytes, %v", path, response.StatusCode, len(body), err)
		}
		_ = response.Body.Close()
	}
	if _, err := serveProfiles(t.Context(), address, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("two listen at one address")
	}
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		t.Errorf("%s still answers", conn.RemoteAddr())
	}
	none, err := serveProfiles(t.Context(), "", slog.New(slog.DiscardHandler))
	if err != nil || none.close() != nil {
		t.Errorf("none: %v", err)
	}
}
