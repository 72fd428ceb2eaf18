package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Ensure the service starts without PostgreSQL and Odoo, says what is missing, and stops in order.
func TestServeWithoutAnything(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := closed.Addr().String()
	closed.Close()
	host, port, _ := net.SplitHostPort(address)

	s := defaults()
	s.Database.DSN = "host=" + host + " port=" + port + " user=u dbname=d sslmode=disable"
	s.Odoo.URL, s.Odoo.Database = "http://"+address, "d"
	service, err := newService(t.Context(), s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer service.close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- service.run(ctx, ln, 5*time.Second) }()

	base := "http://" + ln.Addr().String()
	for path, want := range map[string]string{
		"/readyz": `"checks": {"database": "missing", "catalogue": "missing", "odoo": "missing"}`,
		"/api/auth/get_tokens?username=admin&password=x": "odoo_unavailable",
	} {
		response, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), want) {
			t.Errorf("%s: got %d %s, %v", path, response.StatusCode, body, err)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
