package integration

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is lateral, built once for all tests. It is built as it is released, without the race
// detector of the tests, so that what it needs can be measured.
type program struct {
	tags string // build tags
	once sync.Once
	path string
	err  error
}

// The program as it is, and with the fault of reader/planted_on.go.
var (
	binary  program
	planted = program{tags: "planted"}
)

// executable returns the program's path.
func (p *program) executable(t testing.TB) string {
	t.Helper()
	p.once.Do(func() {
		dir, err := os.MkdirTemp("", "lateral-service-")
		if err != nil {
			p.err = err
			return
		}
		p.path = filepath.Join(dir, "lateral")
		build := exec.Command("go", "build", "-tags", p.tags, "-o", p.path, "lateral/cmd/lateral")
		build.Stderr = os.Stderr
		p.err = build.Run()
	})
	if p.err != nil {
		t.Fatalf("building lateral: %v", p.err)
	}
	return p.path
}

// remove removes what was built, if anything was.
func (p *program) remove() error {
	if p.path == "" {
		return nil
	}
	return os.RemoveAll(filepath.Dir(p.path))
}

// service is a lateral that runs as a process of its own.
type service struct {
	url     string // http://host:port
	token   string // of the user who has logged in
	log     *serviceLog
	process *os.Process
	end     func() // asks the process to end and waits for it
	presets string // folder
	killed  bool   // its end is none of its own
}

// kill ends the process without a chance to do anything more.
func (v *service) kill(t testing.TB) {
	t.Helper()
	v.killed = true
	if err := v.process.Kill(); err != nil {
		t.Fatal(err)
	}
	v.end()
}

// serviceLog keeps what a service logs.
type serviceLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *serviceLog) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.WriteString(line + "\n")
}

func (l *serviceLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// servingAddress is where lateral listens, as both formats of its log tell it.
var servingAddress = regexp.MustCompile(`address(?:=|":")([0-9.:]+)`)

// serve runs lateral on a stand's database, with presets by the names of their files, until the test
// ends. More settings are variables of the environment, NAME=value, or flags, --name=value.
func (s *stand) serve(t testing.TB, presets map[string]string, settings ...string) *service {
	t.Helper()
	return s.run(t, &binary, presets, settings...)
}

// run serves with a program.
func (s *stand) run(t testing.TB, p *program, presets map[string]string, settings ...string) *service {
	t.Helper()
	folder := t.TempDir()
	for name, text := range presets {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command(p.executable(t), "serve")
	command.Dir = folder
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "LATERAL_") {
			command.Env = append(command.Env, setting)
		}
	}
	command.Env = append(command.Env,
		"LATERAL_LISTEN=127.0.0.1:0", "LATERAL_DATABASE_DSN="+s.DSN, "LATERAL_ODOO_URL="+s.OdooURL,
		"LATERAL_ODOO_DATABASE="+s.Database, "LATERAL_FILESTORE="+s.Filestore, "LATERAL_PRESETS="+folder,
		"LATERAL_LOG_ACCESS=false")
	for _, setting := range settings {
		if strings.HasPrefix(setting, "--") {
			command.Args = append(command.Args, setting)
		} else {
			command.Env = append(command.Env, setting)
		}
	}
	v := start(t, command)
	v.presets = folder
	return v
}

// start starts a command that is a lateral serving, and waits for its address.
func start(t testing.TB, command *exec.Cmd) *service {
	t.Helper()
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	v := &service{log: &serviceLog{}, process: command.Process}
	address := make(chan string, 1)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(address)
		told := false
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			v.log.add(lines.Text())
			if found := servingAddress.FindStringSubmatch(lines.Text()); found != nil && !told {
				address <- found[1]
				told = true
			}
		}
	})
	v.end = sync.OnceFunc(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		reading.Wait()
		if err := command.Wait(); err != nil && !v.killed {
			t.Errorf("lateral ended with %v:\n%s", err, v.log)
		}
	})
	t.Cleanup(v.end)
	select {
	case at, ok := <-address:
		if !ok {
			t.Fatalf("lateral does not serve:\n%s", v.log)
		}
		v.url = "http://" + at
	case <-time.After(time.Minute):
		_ = command.Process.Kill()
		t.Fatal("lateral does not serve in time")
	}
	return v
}

// until waits for something that the service does by itself.
func (v *service) until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s:\n%s", what, v.log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// login gets the token that later requests are made with.
func (v *service) login(t testing.TB, login, password string) {
	t.Helper()
	response, err := http.PostForm(v.url+"/api/auth/get_tokens", url.Values{"username": {login}, "password": {password}})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var tokens struct {
		Access string `json:"access_token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&tokens); err != nil || tokens.Access == "" {
		t.Fatalf("logging in as %s: %s, %v", login, response.Status, err)
	}
	v.token = tokens.Access
}

// resident returns how much memory the process holds, in bytes, and the most that it held since
// resetPeak.
func (v *service) resident(t testing.TB) (now, peak int64) {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(v.process.Pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) int64 {
		_, rest, _ := strings.Cut(string(text), name+":")
		number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		kilobytes, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return kilobytes << 10
	}
	return read("VmRSS"), read("VmHWM")
}

// resetPeak makes Linux forget the most that the process has held so far.
func (v *service) resetPeak(t testing.TB) {
	t.Helper()
	if err := os.WriteFile("/proc/"+strconv.Itoa(v.process.Pid)+"/clear_refs", []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}
