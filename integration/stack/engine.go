package stack

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

//go:embed scripts/dockerd.sh
var dockerdScript string

// engine is a Docker engine: the machine's own, or one that this package started because there was none.
type engine struct {
	*testcontainers.DockerClient

	users   *os.File      // shared lock that keeps an engine of ours running; nil if it is not ours
	stopped chan struct{} // closed when an engine that this process started has ended; nil if another one did
}

// engineAnswers reports whether a Docker engine answers under DOCKER_HOST or at the usual place.
func engineAnswers(ctx context.Context) error {
	docker, err := client.New(client.FromEnv)
	if err != nil {
		return fmt.Errorf("docker client: %w", err)
	}
	defer docker.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := docker.Ping(ctx, client.PingOptions{}); err != nil {
		return fmt.Errorf("no Docker engine: %w", err)
	}
	return nil
}

// openEngine connects to the machine's Docker engine. Where there is none and this program is root on a Debian, it
// installs Debian's and starts it; such an engine ends with its last user.
func openEngine(ctx context.Context, apt apt) (_ *engine, err error) {
	e := &engine{}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.close(context.WithoutCancel(ctx)))
		}
	}()
	if err := e.joinOwn(ctx, apt); err != nil {
		return nil, err
	}
	if err := disableReaper(ctx); err != nil {
		return nil, err
	}
	if e.DockerClient, err = testcontainers.NewDockerClientWithOpts(ctx); err != nil {
		return nil, fmt.Errorf("no Docker engine: %w", err)
	}
	return e, nil
}

// joinOwn makes sure that an engine answers, and that one of ours stays as long as this stack needs it.
func (e *engine) joinOwn(ctx context.Context, apt apt) error {
	unlock, err := apt.cache.lock(ctx, "engine")
	if err != nil {
		return err
	}
	defer unlock()
	// Nobody but an engine of ours holds this exclusively, while it is about to end.
	users, err := lockShared(ctx, apt.cache.path("locks", "engine-users"))
	if err != nil {
		return err
	}
	e.users = users
	missing := engineAnswers(ctx)
	if missing == nil {
		return nil
	}
	if os.Geteuid() != 0 || os.Getenv("DOCKER_HOST") != "" {
		return nil // testcontainers knows more places to look
	}
	if err := apt.install(ctx, "Docker", "docker.io"); err != nil {
		return errors.Join(missing, err)
	}
	defer apt.progress.step("starting a Docker engine")()
	return e.start(ctx, apt)
}

// start starts an engine and waits until it answers.
func (e *engine) start(ctx context.Context, apt apt) error {
	log, err := os.OpenFile(apt.cache.path("logs", "dockerd.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("log of dockerd: %w", err)
	}
	defer log.Close()
	cmd := exec.Command("/bin/sh", "-c", dockerdScript, "dockerd", e.users.Name(), apt.cache.path("docker"))
	cmd.Env = baseEnvironment()
	cmd.Stdout, cmd.Stderr = log, log
	// Other processes may use it too, so it does not end with this one but by its own lock.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start dockerd: %w", err)
	}
	stopped := make(chan struct{})
	e.stopped = stopped
	go func() {
		// How it ended is in its log.
		_ = cmd.Wait()
		close(stopped)
	}()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = poll(ctx, 100*time.Millisecond, func(ctx context.Context) (bool, error) {
		select {
		case <-stopped:
			return true, fmt.Errorf("dockerd ended by itself; the end of its log:\n%s", tail(log.Name(), 20))
		default:
		}
		err := engineAnswers(ctx)
		return err == nil, err
	})
	if err != nil {
		return fmt.Errorf("dockerd does not answer: %w", err)
	}
	return nil
}

// close ends the use of the engine. One that is ours and that nobody else uses is gone afterwards.
func (e *engine) close(ctx context.Context) error {
	if e.DockerClient != nil {
		if err := e.DockerClient.Close(); err != nil {
			return fmt.Errorf("docker client: %w", err)
		}
	}
	if e.users == nil {
		return nil
	}
	// The exclusive lock cannot be had while others have theirs.
	alone := syscall.Flock(int(e.users.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
	if err := e.users.Close(); err != nil {
		return fmt.Errorf("leave the Docker engine: %w", err)
	}
	e.users = nil
	if e.stopped == nil || !alone {
		return nil
	}
	select {
	case <-e.stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("dockerd does not end: %w", ctx.Err())
	}
}

// lockShared takes a shared lock on a file.
func lockShared(ctx context.Context, path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", filepath.Base(path), err)
	}
	err = poll(ctx, 100*time.Millisecond, func(context.Context) (bool, error) {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
			return false, err
		}
		return true, err
	})
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", filepath.Base(path), err)
	}
	return file, nil
}

// reaperVariable switches off the container with which testcontainers cleans up after a process that was killed.
const reaperVariable = "TESTCONTAINERS_RYUK_DISABLED"

// disableReaper does so where its image is not there and cannot be pulled. The sweep at the next start cleans up then,
// and an engine of ours ends with its last user anyway. Testcontainers can be told only through the environment.
func disableReaper(ctx context.Context) error {
	if os.Getenv(reaperVariable) != "" || engineAnswers(ctx) != nil {
		return nil
	}
	docker, err := client.New(client.FromEnv)
	if err != nil {
		return fmt.Errorf("docker client: %w", err)
	}
	defer docker.Close()
	//lint:ignore SA1019 there is no other way to learn the image's name
	if pullImage(ctx, docker, testcontainers.ReaperDefaultImage) == nil {
		return nil
	}
	if err := os.Setenv(reaperVariable, "true"); err != nil {
		return fmt.Errorf("environment: %w", err)
	}
	return nil
}
