// Command stackd brings up a stack for people: it prints the coordinates as one line of JSON and runs until it is
// interrupted.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"lateral/integration/stack"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "stackd:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	version := flag.String("version", "19.0", "version of Odoo: 19.0 or 14.0")
	provider := flag.String("provider", "", "auto, local, containers or external")
	workers := flag.Int("workers", 2, "workers of Odoo; 0 is one process with threads")
	redis := flag.Bool("redis", true, "start a Redis too")
	fork := flag.Bool("fork", false, "serve a fork, beside the database that a stack starts with")
	out := flag.String("out", "", "file that gets the coordinates too")
	flag.Parse()
	if *workers == 0 {
		*workers = stack.Threaded
	}

	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	s, err := stack.Start(ctx, stack.Options{
		Version: *version, Provider: *provider, Workers: *workers, Redis: *redis, Progress: os.Stderr,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStack(s)) }()
	shown := s
	if *fork {
		if shown, err = s.Fork(ctx); err != nil {
			return err
		}
	}
	line, err := json.Marshal(shown.Coordinates())
	if err != nil {
		return fmt.Errorf("coordinates: %w", err)
	}
	fmt.Println(string(line))
	if *out != "" {
		if err := os.WriteFile(*out, append(line, '\n'), 0o600); err != nil {
			return fmt.Errorf("coordinates: %w", err)
		}
		defer os.Remove(*out)
	}
	<-ctx.Done()
	return nil
}

// closeStack stops the servers, within a time of its own: the context of the run is over by then.
func closeStack(s *stack.Stack) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return s.Close(ctx)
}
