package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	lateral "lateral/client"
	"lateral/integration/stack"
)

// service is a lateral that runs as a process of its own, so that what it needs is its own.
type service struct {
	address string
	// profiles is where the process gives profiles of itself.
	profiles string
	pid      int
	command  *exec.Cmd
	folder   string
	tokens   map[string]string // by role
}

// startService starts `lateral serve` on a stack, with presets by model, and logs the roles in.
func startService(ctx context.Context, executable string, odoo *stack.Stack, conns int, presets map[string]tree, roles []string) (*service, error) {
	folder, err := os.MkdirTemp("", "lateral-bench-")
	if err != nil {
		return nil, err
	}
	s := &service{folder: folder, tokens: map[string]string{}}
	if err := s.start(ctx, executable, odoo, conns, presets, roles); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func (s *service) start(ctx context.Context, executable string, odoo *stack.Stack, conns int, presets map[string]tree, roles []string) error {
	for model, fields := range presets {
		text := "{'read_all': " + fields.preset() + ", 'read_one': " + fields.preset() + "}"
		if err := os.WriteFile(filepath.Join(s.folder, model+".schema"), []byte(text), 0o600); err != nil {
			return err
		}
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	s.address = address
	if s.profiles, err = freeAddress(); err != nil {
		return err
	}
	s.command = exec.Command(executable, "serve")
	s.command.Dir = s.folder
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "LATERAL_") {
			s.command.Env = append(s.command.Env, setting)
		}
	}
	s.command.Env = append(s.command.Env,
		"LATERAL_LISTEN="+address, "LATERAL_DATABASE_DSN="+odoo.DSN, fmt.Sprintf("LATERAL_DATABASE_MAX_CONNS=%d", conns),
		"LATERAL_ODOO_URL="+odoo.OdooURL, "LATERAL_ODOO_DATABASE="+odoo.Database,
		"LATERAL_FILESTORE="+odoo.Filestore, "LATERAL_PRESETS="+s.folder, "LATERAL_LOG_ACCESS=false",
		"LATERAL_PROFILE_LISTEN="+s.profiles,
		// A run takes longer than a token lives.
		"LATERAL_ACCESS_TOKEN_EXPIRES_IN=0")
	log := &tail{}
	s.command.Stderr = log
	s.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.command.Start(); err != nil {
		return fmt.Errorf("start lateral: %w", err)
	}
	s.pid = s.command.Process.Pid
	if err := s.waitUntilReady(ctx); err != nil {
		return fmt.Errorf("start lateral: %w: %s", err, log)
	}
	for _, role := range roles {
		user, c := odoo.User(role), lateral.Client{Base: "http://" + address}
		if err := c.Login(ctx, user.Login, user.Password); err != nil {
			return err
		}
		s.tokens[role] = c.Token
	}
	return nil
}

func (s *service) waitUntilReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		if _, err := s.get(ctx, "/readyz", ""); err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return errors.New("it does not get ready")
		}
	}
}

// get makes a request as a role outside any measurement.
func (s *service) get(ctx context.Context, path, role string) ([]byte, error) {
	c := lateral.Client{Base: "http://" + s.address, Token: s.tokens[role]}
	return c.Get(ctx, path, nil)
}

// stop ends the process and waits for it.
func (s *service) stop() error {
	var failed error
	if s.command != nil && s.command.Process != nil {
		failed = s.command.Process.Signal(syscall.SIGTERM)
		if err := s.command.Wait(); err != nil {
			failed = errors.Join(failed, fmt.Errorf("lateral: %w", err))
		}
	}
	return errors.Join(failed, os.RemoveAll(s.folder))
}

// freeAddress finds a port of the loopback that nothing listens on.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// tail keeps the last of what a process has logged.
type tail struct{ text []byte }

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if extra := len(t.text) - tailSize; extra > 0 {
		t.text = t.text[extra:]
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.text) }
