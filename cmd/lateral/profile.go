package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// profiles serves profiles of the process, for go tool pprof, on an address of their own: a profile tells what the process
// does, and taking one costs.
type profiles struct{ server *http.Server }

// serveProfiles serves profiles on an address until close; on none if it is empty.
func serveProfiles(ctx context.Context, address string, log *slog.Logger) (*profiles, error) {
	if address == "" {
		return &profiles{}, nil
	}
	var listen net.ListenConfig
	ln, err := listen.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for profiles on %s: %w", address, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	p := &profiles{&http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}}
	go func() {
		if err := p.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			log.Error("profiles", "error", err)
		}
	}()
	log.Info("profiles", "address", ln.Addr().String())
	return p, nil
}

// close ends the serving, and profiles that are being taken.
func (p *profiles) close() error {
	if p.server == nil {
		return nil
	}
	return p.server.Close()
}
