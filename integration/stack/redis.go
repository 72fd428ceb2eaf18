package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// redis is a Redis that runs as an ordinary process and keeps nothing on disk.
type redis struct {
	addr    string
	spec    processSpec
	account account
	process *process // nil while it is stopped
}

// newRedis prepares a Redis that is not started yet.
func newRedis(ctx context.Context, host *localHost, run string, lock *os.File) (*redis, error) {
	if err := host.apt.install(ctx, "Redis", "redis-server"); err != nil {
		return nil, err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	spec := processSpec{
		name: "Redis",
		argv: []string{
			"redis-server", "--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--save", "", "--appendonly", "no",
			"--daemonize", "no",
		},
		dir:    run,
		log:    filepath.Join(run, "redis.log"),
		grace:  5 * time.Second,
		lock:   lock,
		asUser: true,
	}
	return &redis{addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), spec: spec, account: host.account}, nil
}

// start starts the Redis and waits until it answers.
func (r *redis) start(ctx context.Context) error {
	if r.process != nil {
		return errors.New("start Redis: it runs already")
	}
	process, err := startProcess(r.spec, r.account)
	if err != nil {
		return err
	}
	if err := waitForPort(ctx, r.addr); err != nil {
		err = fmt.Errorf("waiting for Redis: %w; the end of its log:\n%s", err, tail(r.spec.log, 20))
		return errors.Join(err, process.stop(context.WithoutCancel(ctx)))
	}
	r.process = process
	return nil
}

// stop stops the Redis, which forgets everything.
func (r *redis) stop(ctx context.Context) error {
	if r.process == nil {
		return nil
	}
	err := r.process.stop(ctx)
	if err == nil {
		r.process = nil
	}
	return err
}
