package stack

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed scripts/supervise.sh
var superviseScript string

// processSpec says what to run and how to end it.
type processSpec struct {
	name   string        // for messages and the log file
	argv   []string      // command and arguments
	env    []string      // added to a minimal environment
	dir    string        // working directory
	input  string        // file to read from, instead of nothing
	log    string        // file that takes both output streams
	stop   string        // signal that asks for an orderly end, without SIG
	grace  time.Duration // how long an orderly end may take before SIGKILL
	lock   *os.File      // lock of the run directory, held until the process is gone
	asUser bool          // give up root for the unprivileged account
}

// process is a command under supervise.sh, which ends it when this program ends, however it ends.
type process struct {
	spec  processSpec
	pipe  *os.File
	done  chan struct{}
	state error // valid once done is closed
}

// startProcess starts the command of spec. The process lives until stop is called, until it ends by itself, or until
// this program is gone.
func startProcess(spec processSpec, account account) (*process, error) {
	argv := spec.argv
	if spec.input != "" {
		// The supervisor's own standard input is the pipe that ends it.
		argv = append([]string{"/bin/sh", "-c", `input=$1; shift; exec "$@" <"$input"`, "input", spec.input}, argv...)
	}
	if spec.asUser {
		argv = append(account.prefix(), argv...)
	}
	stop := spec.stop
	if stop == "" {
		stop = "TERM"
	}
	grace := strconv.Itoa(int(max(spec.grace, time.Second) / time.Second))
	cmd := exec.Command("/bin/sh", append([]string{"-c", superviseScript, "supervise", stop, grace}, argv...)...)
	cmd.Env = append(baseEnvironment(), spec.env...)
	cmd.Dir = spec.dir
	// A group of its own keeps the terminal's Ctrl-C away: an orderly stop is this program's business.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}

	log, err := os.OpenFile(spec.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", spec.name, err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log

	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("pipe to %s: %w", spec.name, err)
	}
	defer read.Close()
	cmd.Stdin = read
	if spec.lock != nil {
		cmd.ExtraFiles = []*os.File{spec.lock}
	}
	if err := cmd.Start(); err != nil {
		write.Close()
		return nil, fmt.Errorf("start %s: %w", spec.name, err)
	}
	p := &process{spec: spec, pipe: write, done: make(chan struct{})}
	go func() {
		p.state = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// stop asks the process to end and waits until it and its children are gone. It may be called more than once.
func (p *process) stop(ctx context.Context) error {
	if err := p.pipe.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("stop %s: %w", p.spec.name, err)
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop %s: %w", p.spec.name, ctx.Err())
	}
}

// failure describes a process that ended although nobody asked it to, with the end of its log.
func (p *process) failure() error {
	return fmt.Errorf("%s ended by itself (%v); the end of its log:\n%s", p.spec.name, p.state, tail(p.spec.log, 30))
}

// run runs the command of spec to its end. A cancelled context ends the command.
func run(ctx context.Context, spec processSpec, account account) error {
	p, err := startProcess(spec, account)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
		p.pipe.Close()
	case <-ctx.Done():
		// The supervisor's own grace period bounds this wait.
		p.pipe.Close()
		<-p.done
		return fmt.Errorf("%s: %w", spec.name, ctx.Err())
	}
	if p.state != nil {
		return p.failure()
	}
	return nil
}

// baseEnvironment is what every child gets: nothing of the developer's Python or locale settings, but what apt needs
// to reach its mirror.
func baseEnvironment() []string {
	env := []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/tmp"}
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasSuffix(strings.ToLower(name), "_proxy") || strings.HasPrefix(name, "SSL_CERT_") {
			env = append(env, pair)
		}
	}
	return env
}

// tail returns the last lines of a file, for messages.
func tail(path string, lines int) string {
	file, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	const most = 16 << 10
	if info, err := file.Stat(); err == nil && info.Size() > most {
		if _, err := file.Seek(-most, io.SeekEnd); err != nil {
			return err.Error()
		}
	}
	text, err := io.ReadAll(io.LimitReader(file, most))
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return strings.Join(all, "\n")
}

// poll calls ready until it answers true, an error that is final, or the context ends. It reports the last reason for
// not being ready, which is what a person needs to know after a deadline.
func poll(ctx context.Context, every time.Duration, ready func(context.Context) (bool, error)) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		done, err := ready(ctx)
		if done {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if err != nil {
				return fmt.Errorf("%w (last: %w)", ctx.Err(), err)
			}
			return ctx.Err()
		}
	}
}
