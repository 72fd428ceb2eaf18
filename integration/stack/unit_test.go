package stack

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Ensure a configuration has the option names of its version.
func TestOdooConfig(t *testing.T) {
	config := odooConfig{addons: "/a", dataDir: "/d", dbHost: "h", dbPort: 1, listen: "127.0.0.1", port: 2, eventPort: 3, workers: 4}
	tests := map[string]struct{ present, absent []string }{
		"19.0": {
			present: []string{"gevent_port = 3", "with_demo = True", "http_port = 2", "workers = 4", "addons_path = /a"},
			absent:  []string{"longpolling_port"},
		},
		"14.0": {
			present: []string{"longpolling_port = 3", "http_port = 2", "data_dir = /d", "db_port = 1"},
			absent:  []string{"gevent_port", "with_demo"},
		},
	}
	for version, want := range tests {
		config.version = version
		got := config.render()
		for _, line := range want.present {
			if !strings.Contains(got, "\n"+line+"\n") {
				t.Errorf("%s: no line %q in\n%s", version, line, got)
			}
		}
		for _, name := range want.absent {
			if strings.Contains(got, name) {
				t.Errorf("%s: %q in\n%s", version, name, got)
			}
		}
	}
}

// Ensure the answers of authenticate are told apart.
func TestParseUID(t *testing.T) {
	const frame = "<?xml version='1.0'?><methodResponse><params><param><value>%</value></param></params></methodResponse>"
	tests := []struct {
		name, answer string
		want         int
		fails        bool
	}{
		{name: "a user", answer: strings.Replace(frame, "%", "<int>7</int>", 1), want: 7},
		{name: "refused", answer: strings.Replace(frame, "%", "<boolean>0</boolean>", 1)},
		{name: "a fault", answer: "<methodResponse><fault><value>no database</value></fault></methodResponse>", fails: true},
		{name: "a text", answer: strings.Replace(frame, "%", "<string>x</string>", 1), fails: true},
		{name: "no number", answer: strings.Replace(frame, "%", "<int>x</int>", 1), fails: true},
		{name: "no XML", answer: "Bad Gateway", fails: true},
		{name: "nothing", answer: "", fails: true},
	}
	for _, test := range tests {
		got, err := parseUID([]byte(test.answer))
		if got != test.want || (err != nil) != test.fails {
			t.Errorf("%s: got %d, %v", test.name, got, err)
		}
	}
}

// Ensure SQL text survives quotes.
func TestQuoting(t *testing.T) {
	if got, want := literal(`it's`), `'it''s'`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := quote(`a"b`), `"a""b"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := setParameter("a.b", "it's"); !strings.Contains(got, "'a.b', 'it''s'") {
		t.Errorf("got %s", got)
	}
}

// Ensure what is cached is found again only if it was made from the same.
func TestKey(t *testing.T) {
	if key("a", "b") == key("ab") || key("a", "b") == key("b", "a") {
		t.Error("keys do not tell their parts apart")
	}
	if templateName("19.0") == templateName("14.0") {
		t.Error("both versions have the same template")
	}
}

// Ensure the databases' names say the version.
func TestMainDatabase(t *testing.T) {
	for version, want := range map[string]string{"19.0": "odoo19", "14.0": "odoo14"} {
		if got := mainDatabase(version); got != want {
			t.Errorf("%s: got %s, want %s", version, got, want)
		}
	}
}

// Ensure an unknown version or provider is refused before anything is installed, and an incomplete external stack too.
func TestStartRefuses(t *testing.T) {
	for _, name := range []string{"ODOO_URL", "DATABASE", "DSN", "OWNER_DSN", "REDIS"} {
		t.Setenv("LATERAL_STACK_"+name, "")
	}
	t.Setenv("LATERAL_CACHE", t.TempDir())
	for _, options := range []Options{
		{Version: "18.0", Provider: "local"},
		{Version: "18.0", Provider: "containers"},
		{Provider: "cloud"},
		{Provider: "external"},
	} {
		if s, err := Start(t.Context(), options); err == nil {
			t.Errorf("%+v: got %+v", options, s.Coordinates())
		}
	}
}

// Ensure an external stack is what the environment says, and is left alone.
func TestExternal(t *testing.T) {
	t.Setenv("LATERAL_STACK_PROVIDER", "external")
	t.Setenv("LATERAL_STACK_ODOO_URL", "http://odoo")
	t.Setenv("LATERAL_STACK_DATABASE", "db")
	t.Setenv("LATERAL_STACK_DSN", "postgres://reader")
	t.Setenv("LATERAL_STACK_OWNER_DSN", "postgres://owner")
	s, err := Start(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Provider != "external" || s.OdooURL != "http://odoo" || s.Database != "db" || s.DSN != "postgres://reader" {
		t.Errorf("got %+v", s.Coordinates())
	}
	if _, err := s.Fork(t.Context()); !errors.Is(err, errExternal) {
		t.Errorf("fork: %v", err)
	}
	if err := s.StopPostgres(t.Context()); !errors.Is(err, errExternal) {
		t.Errorf("stop: %v", err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
}

// Ensure something is built once however many ask for it, and again after a build that failed or was interrupted.
func TestCacheBuild(t *testing.T) {
	t.Setenv("LATERAL_CACHE", t.TempDir())
	c, err := openCache()
	if err != nil {
		t.Fatal(err)
	}
	failure := errors.New("interrupted")
	if _, err := c.build(t.Context(), "thing", func(string) error { return failure }); !errors.Is(err, failure) {
		t.Errorf("got %v, want %v", err, failure)
	}
	// A process that was killed leaves this.
	if err := os.MkdirAll(c.path("thing.partial", "rest"), 0o755); err != nil {
		t.Fatal(err)
	}
	var builds atomic.Int32
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			dir, err := c.build(t.Context(), "thing", func(dir string) error {
				builds.Add(1)
				return os.WriteFile(filepath.Join(dir, "file"), nil, 0o644)
			})
			if err != nil {
				t.Error(err)
				return
			}
			entries, err := os.ReadDir(dir)
			if err != nil || len(entries) != 1 {
				t.Errorf("%d entries, %v", len(entries), err)
			}
		})
	}
	wait.Wait()
	if builds.Load() != 1 {
		t.Errorf("built %d times", builds.Load())
	}
}

// Ensure the folder of a living stack stays and that of a dead one goes.
func TestSweepRuns(t *testing.T) {
	t.Setenv("LATERAL_CACHE", t.TempDir())
	c, err := openCache()
	if err != nil {
		t.Fatal(err)
	}
	living, lock, err := c.newRun(t.Context(), "19.0")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	dead, deadLock, err := c.newRun(t.Context(), "19.0")
	if err != nil {
		t.Fatal(err)
	}
	if c.dead(living) || c.dead(dead) {
		t.Error("a living stack is taken for dead")
	}
	deadLock.Close()
	if !c.dead(dead) || c.dead("/somewhere/else") {
		t.Error("a dead stack is taken for living, or somebody else's for ours")
	}
	if err := c.sweepRuns(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(living); err != nil {
		t.Errorf("the living one: %v", err)
	}
	if _, err := os.Stat(dead); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the dead one: %v", err)
	}
}

// Ensure a stopped process takes its children with it, even those that do not want to go.
func TestProcessStop(t *testing.T) {
	dir := t.TempDir()
	pids := filepath.Join(dir, "pids")
	p, err := startProcess(processSpec{
		name:  "stubborn",
		argv:  []string{"sh", "-c", `trap '' TERM; sleep 1000 & echo $$ $! >"$0.new"; mv "$0.new" "$0"; while :; do sleep 1000; done`, pids},
		dir:   dir,
		log:   filepath.Join(dir, "log"),
		grace: time.Second,
	}, account{})
	if err != nil {
		t.Fatal(err)
	}
	var running []int
	waitFor(t, func() bool {
		text, err := os.ReadFile(pids)
		for _, pid := range strings.Fields(string(text)) {
			number, err := strconv.Atoi(pid)
			if err != nil {
				t.Fatal(err)
			}
			running = append(running, number)
		}
		return err == nil
	})
	if len(running) != 2 {
		t.Fatalf("got %v", running)
	}
	if err := p.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, pid := range running {
		waitFor(t, func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
	}
	if err := p.stop(t.Context()); err != nil {
		t.Errorf("a second stop: %v", err)
	}
}

// Ensure a process ends when the program that started it is killed. That program is this test, run once more.
func TestProcessEndsWithItsOwner(t *testing.T) {
	const variable = "LATERAL_STACK_TEST_OWNER"
	if dir := os.Getenv(variable); dir != "" {
		_, err := startProcess(processSpec{
			name: "orphan",
			argv: []string{"sh", "-c", `echo $$ >"$0.new"; mv "$0.new" "$0"; exec sleep 1000`, filepath.Join(dir, "pid")},
			dir:  dir,
			log:  filepath.Join(dir, "log"),
		}, account{})
		if err != nil {
			t.Fatal(err)
		}
		select {}
	}
	dir := t.TempDir()
	owner := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	owner.Env = append(os.Environ(), variable+"="+dir)
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	waitFor(t, func() bool {
		text, err := os.ReadFile(filepath.Join(dir, "pid"))
		if err != nil {
			return false
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil
	})
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := owner.Wait(); err == nil {
		t.Error("the owner was not killed")
	}
	waitFor(t, func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
}

// Ensure an orderly end is asked for first.
func TestProcessStopsOrderly(t *testing.T) {
	dir := t.TempDir()
	ready, done := filepath.Join(dir, "ready"), filepath.Join(dir, "done")
	p, err := startProcess(processSpec{
		name:  "orderly",
		argv:  []string{"sh", "-c", `trap 'echo >"$1"; exit 0' TERM; echo >"$0"; while :; do sleep 0.1; done`, ready, done},
		dir:   dir,
		log:   filepath.Join(dir, "log"),
		grace: 20 * time.Second,
	}, account{})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { _, err := os.Stat(ready); return err == nil })
	if err := p.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(done); err != nil {
		t.Error("the process was killed")
	}
}

// Ensure a command reads its input, and that one that fails says why.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	input := filepath.Join(dir, "input")
	if err := os.WriteFile(input, []byte("exit $(cat)"), 0o644); err != nil {
		t.Fatal(err)
	}
	spec := processSpec{name: "thing", argv: []string{"cat"}, input: input, dir: dir, log: filepath.Join(dir, "log")}
	if err := run(t.Context(), spec, account{}); err != nil {
		t.Fatal(err)
	}
	if text := tail(spec.log, 1); text != "exit $(cat)" {
		t.Errorf("got %q", text)
	}
	spec.argv = []string{"sh", "-c", "echo the reason >&2; exit 3"}
	err := run(t.Context(), spec, account{})
	if err == nil || !strings.Contains(err.Error(), "the reason") || !strings.Contains(err.Error(), "3") {
		t.Errorf("got %v", err)
	}
	spec.argv, spec.input = []string{"sleep", "1000"}, ""
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := run(ctx, spec, account{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// Ensure the folder that keeps other users from the cache is found.
func TestClosedAncestor(t *testing.T) {
	open := filepath.Join(t.TempDir(), "open")
	closed := filepath.Join(open, "closed")
	inner := filepath.Join(closed, "inner", "cache")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	before, err := closedAncestor(inner)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	after, err := closedAncestor(inner)
	if err != nil {
		t.Fatal(err)
	}
	// The folder for temporary files may be closed itself.
	if before == "" && after != closed {
		t.Errorf("got %q, want %q", after, closed)
	}
}

// Ensure the mirror is the main archive, whatever its path, and nobody else's.
func TestPickMirror(t *testing.T) {
	const targets = `Google Cloud main http://packages.example/apt/
Node Node main http://node.example/
Debian Debian-Security main http://mirror.example/debian-security/
Debian Debian contrib http://other.example/debian/
Debian Debian main http://mirror.example/pub/debian/
`
	if got, ok := pickMirror(targets); !ok || got != "http://mirror.example/pub/debian" {
		t.Errorf("got %q, %v", got, ok)
	}
	if got, ok := pickMirror("Node Node main http://node.example/debian/\n"); ok {
		t.Errorf("got %q", got)
	}
}

// Ensure a free port can be listened on.
func TestFreePort(t *testing.T) {
	port, err := freePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", loopback(port))
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
}

func waitFor(t *testing.T, ready func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := poll(ctx, 20*time.Millisecond, func(context.Context) (bool, error) { return ready(), nil }); err != nil {
		t.Fatal(err)
	}
}
