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
	process *process
}

// startRedis starts a Redis and waits until it answers.
func startRedis(ctx context.Context, host *localHost, run string, lock *os.File) (*redis, error) {
	if err := host.apt.install(ctx, "Redis", "redis-server"); err != nil {
		return nil, err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	process, err := startProcess(processSpec{
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
	}, host.account)
	if err != nil {
		return nil, err
	}
	r := &redis{addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), process: process}
	if err := waitForPort(ctx, r.addr); err != nil {
		err = fmt.Errorf("waiting for Redis: %w; the end of its log:\n%s", err, tail(process.spec.log, 20))
		return nil, errors.Join(err, process.stop(context.WithoutCancel(ctx)))
	}
	return r, nil
}
