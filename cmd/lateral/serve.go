package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"
)

func serveCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "serve",
		Short: "Serve the REST API",
		Long: "Serve the REST API until a signal to stop; running requests are then finished.\n" +
			"PostgreSQL and Odoo need not be there yet, and may go away: what is missing is logged and told\n" +
			"by /readyz, requests are answered with 503 meanwhile, and nothing needs a restart.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			l, err := load(command.Flags(), os.Environ)
			if err != nil {
				return err
			}
			return serve(command.Context(), l.settings)
		},
	}
	settingFlags(command.Flags())
	return command
}

// serve runs the service until ctx ends.
func serve(ctx context.Context, s settings) error {
	if err := s.validate(); err != nil {
		return err
	}
	log, err := newLogger(s.Log, os.Stderr)
	if err != nil {
		return err
	}
	service, err := newService(ctx, s, log)
	if err != nil {
		return err
	}
	defer service.close()
	profiles, err := serveProfiles(ctx, s.ProfileListen, log)
	if err != nil {
		return err
	}
	// What is left of it ends with the process.
	defer func() { _ = profiles.close() }()
	var listen net.ListenConfig
	ln, err := listen.Listen(ctx, "tcp", s.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.Listen, err)
	}
	log.Info("serving", "address", ln.Addr().String(), "odoo", s.Odoo.URL, "version", versionText())
	return service.run(ctx, ln, s.ShutdownTimeout)
}

const (
	// watchInterval is how often a service looks after what it needs.
	watchInterval = 5 * time.Second
	// presetInterval is how often it looks whether a file of presets or endpoints has changed.
	presetInterval = time.Second
)

// run serves on a listener until ctx ends, then finishes what runs for at most grace.
func (s *service) run(ctx context.Context, ln net.Listener, grace time.Duration) error {
	watching, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	go s.server.Watch(watching, watchInterval)
	go s.presets.watch(watching, presetInterval)
	go s.endpoints.watch(watching, presetInterval)
	go s.trust.watch(watching, watchInterval)
	failed := make(chan error, 1)
	go func() { failed <- s.server.Serve(ln) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.log.Info("stopping", "grace", grace)
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := s.server.Shutdown(ending); err != nil {
		return err
	}
	return <-failed
}
