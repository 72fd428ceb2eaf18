package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"

	"lateral/integration/stack"
)

// documentedPassword is the password of the role that the documents make.
const documentedPassword = "documented"

// prepare makes the folder and the environment that commands of the documents run in: with lateral, with
// PostgreSQL's programs as the owner of the database, and with a curl that notes the statuses of its
// answers.
func (r *documentRunner) prepare() {
	t, s := r.t, r.s
	t.Helper()
	if _, err := exec.LookPath("createuser"); err != nil {
		if err := stack.InstallPackages(t.Context(), os.Stderr, "the documents", "postgresql-client"); err != nil {
			t.Fatal(err)
		}
	}
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Fatalf("the documents' commands need curl: %v", err)
	}
	bin := filepath.Join(r.folder, "bin")
	for name, text := range map[string]string{
		"bin/curl": fmt.Sprintf("#!/bin/sh\nexec %s -w '%%{stderr}%%{http_code}\\n' \"$@\" 2>>%s/statuses\n", curl, r.folder),
		// A statement that fails ends psql, so that the test sees it.
		"psqlrc": "\\set ON_ERROR_STOP on\n",
	} {
		file := filepath.Join(r.folder, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(binary.executable(t), filepath.Join(bin, "lateral")); err != nil {
		t.Fatal(err)
	}
	owner, err := pgx.ParseConfig(s.OwnerDSN)
	if err != nil {
		t.Fatal(err)
	}
	r.shell = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "TOKEN="+r.token, "PSQLRC="+filepath.Join(r.folder, "psqlrc"),
		"PGHOST="+owner.Host, fmt.Sprint("PGPORT=", owner.Port), "PGUSER="+owner.User, "PGPASSWORD="+owner.Password,
		"LATERAL_DATABASE_DSN="+s.DSN, "LATERAL_ODOO_URL="+s.OdooURL, "LATERAL_ODOO_DATABASE="+s.Database)
	r.stands = strings.NewReplacer("http://localhost:8070", r.v.url, "psql odoo", "psql "+s.Database, "-fuzztime 5m", "-fuzztime 1s")
	admin := s.owner(t)
	t.Cleanup(func() {
		for _, sql := range []string{`DROP OWNED BY "lateral"`, `DROP ROLE "lateral"`} {
			if _, err := admin.Exec(context.Background(), sql); err != nil {
				t.Errorf("%s: %v", sql, err)
			}
		}
	})
}

// command returns the commands of a block, to run on what stands in the place of the documents' own.
func (r *documentRunner) command(b block) *exec.Cmd {
	command := exec.CommandContext(r.t.Context(), "bash", "-euo", "pipefail", "-c", r.stands.Replace(b.text))
	command.Dir, command.Env = r.folder, r.shell
	if b.about == inRepository {
		command.Dir = ".."
	}
	// Without a terminal createuser takes the password, twice, from here.
	command.Stdin = strings.NewReader(documentedPassword + "\n" + documentedPassword + "\n")
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return command
}

// run runs commands to their end.
func (r *documentRunner) run(b block) error {
	_ = os.Remove(filepath.Join(r.folder, "statuses"))
	out, err := r.command(b).CombinedOutput()
	statuses, _ := os.ReadFile(filepath.Join(r.folder, "statuses"))
	lines := strings.Fields(string(statuses))
	r.ran, r.output, r.status = b, string(out), ""
	if len(lines) > 0 {
		r.status = lines[len(lines)-1]
		for _, status := range lines[:len(lines)-1] {
			if status[0] != '2' {
				return fmt.Errorf("an answer on the way has the status %s:\n%s", status, out)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("%w:\n%s", err, out)
	}
	return nil
}

// serveAndStop runs a command that serves, with the role that the documents have made, until it is ready, and stops it.
func (r *documentRunner) serveAndStop(b block) error {
	config, err := pgx.ParseConfig(r.s.DSN)
	if err != nil {
		return err
	}
	command := r.command(b)
	command.Env = append(command.Env, "LATERAL_LISTEN=127.0.0.1:0", fmt.Sprintf("LATERAL_DATABASE_DSN=host=%s port=%d dbname=%s user=lateral password=%s",
		config.Host, config.Port, config.Database, documentedPassword))
	v := start(r.t, command)
	defer v.end()
	v.until(r.t, "it is ready", func() bool { return v.send("GET", "/readyz", "", "").status == 200 })
	v.admin(r.t, r.s)
	if got := v.send("GET", "/api/sale.order?limit=1", v.token, ""); got.status != 200 || got.header.Get("X-Read-Path") != "direct" {
		return fmt.Errorf("a read: %d %s %.300s", got.status, got.header.Get("X-Read-Path"), got.body)
	}
	return nil
}

// configurationFile is the name that a configuration begins with.
var configurationFile = regexp.MustCompile(`^# (\w+\.yaml)\n`)

// settings loads a configuration, which later commands find under the name that it begins with.
func (r *documentRunner) settings(b block) error {
	name := "config.yaml"
	if named := configurationFile.FindStringSubmatch(b.text); named != nil {
		name = named[1]
	}
	file := filepath.Join(r.folder, name)
	if err := os.WriteFile(file, []byte(b.text), 0o600); err != nil {
		return err
	}
	command := exec.CommandContext(r.t.Context(), binary.executable(r.t), "config", "--config", file)
	command.Env = []string{"LATERAL_DATABASE_DSN=dbname=x", "LATERAL_ODOO_URL=http://localhost:8069", "LATERAL_ODOO_DATABASE=x"}
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w:\n%s", err, out)
	}
	return nil
}
