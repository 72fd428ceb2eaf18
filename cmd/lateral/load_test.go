package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// loadWith loads a configuration from a file's text, the environment and arguments.
func loadWith(t *testing.T, yaml string, environ, args []string) (*loaded, error) {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	settingFlags(flags)
	if yaml != "" {
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return load(flags, func() []string { return environ })
}

// Ensure flags win over the environment, that over the file, and that over the defaults.
func TestLoadPrecedence(t *testing.T) {
	l, err := loadWith(t,
		"listen: ':1'\ndatabase:\n  dsn: dbname=file\n  max_conns: 3\nodoo:\n  timeout: 1m30s\nlimits:\n  in_flight: 7\n",
		[]string{"LATERAL_LISTEN=:2", "LATERAL_DATABASE_MAX_CONNS=4", "LATERAL_LOG_ACCESS=false", "LATERAL_CACHE=/elsewhere", "LISTEN=:9"},
		[]string{"--listen", ":3", "--limits-rate=2.5"})
	if err != nil {
		t.Fatal(err)
	}
	s := l.settings
	if s.Listen != ":3" || s.Database.DSN != "dbname=file" || s.Database.MaxConns != 4 || s.Odoo.Timeout != 90*time.Second ||
		s.Limits.InFlight != 7 || s.Limits.Rate != 2.5 || s.Log.Access || s.RefreshTokenExpiresIn != 7200 {
		t.Errorf("got %+v", s)
	}
	var printed bytes.Buffer
	if err := l.print(&printed); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`listen: ":3"  # flag --listen`, `max_conns: 4  # environment LATERAL_DATABASE_MAX_CONNS`,
		`timeout: 1m30s  # file `, `refresh_token_expires_in: 7200  # default`,
	} {
		if !strings.Contains(printed.String(), want) {
			t.Errorf("no %s in\n%s", want, printed.String())
		}
	}
	again, err := loadWith(t, printed.String(), nil, nil)
	if err != nil || again.settings != s {
		t.Errorf("what is printed reads back as %+v, %v", again, err)
	}
}

// Ensure that what is misspelt or nonsense is told, by name.
func TestLoadErrors(t *testing.T) {
	for yaml, tells := range map[string]string{
		"limits:\n  inflight: 3\n": "limits.inflight",
		"listen: [":                "config.yaml",
		"odoo:\n  timeout: soon\n": "timeout",
	} {
		if _, err := loadWith(t, yaml, nil, nil); err == nil || !strings.Contains(err.Error(), tells) {
			t.Errorf("%q: got %v", yaml, err)
		}
	}
	if _, err := loadWith(t, "", nil, []string{"--config", "/nowhere.yaml"}); err == nil {
		t.Error("a file that is not there is no error")
	}
	l, err := loadWith(t, "log:\n  format: xml\n", nil, []string{"--odoo-timeout=-1s"})
	if err != nil {
		t.Fatal(err)
	}
	err = l.settings.validate()
	for _, want := range []string{"database.dsn", "LATERAL_ODOO_URL", "--odoo-database", "odoo.timeout", "log.format"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell of %s", err, want)
		}
	}
}

// Ensure no password is printed.
func TestPasswordsAreHidden(t *testing.T) {
	for dsn, want := range map[string]string{
		"host=h user=u password=hunter2 dbname=d":       "host=h user=u password=*** dbname=d",
		`host=h PASSWORD = 'hun \' ter2' sslpassword=x`: "host=h PASSWORD = *** sslpassword=***",
		"postgres://u:hunter2@h:5/d?sslmode=disable":    "postgres://u:***@h:5/d?sslmode=disable",
		"postgres://h/d?password=hunter2&user=u":        "postgres://h/d?password=***&user=u",
		"postgres://u:hun%zzter2@h/d":                   "***",
		"postgres://u@h/d":                              "postgres://u@h/d",
	} {
		if got := withoutPassword(dsn); got != want {
			t.Errorf("%s: got %s, want %s", dsn, got, want)
		}
	}
	l, err := loadWith(t, "", []string{"LATERAL_DATABASE_DSN=postgres://u:hunter2@h/d"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var printed bytes.Buffer
	if err := l.print(&printed); err != nil || strings.Contains(printed.String(), "hunter2") {
		t.Errorf("got %v and\n%s", err, printed.String())
	}
}

// Ensure that settings of Redis contradict themselves in no way, and that its passwords are not printed.
func TestRedisSettings(t *testing.T) {
	for _, environment := range [][]string{
		{"LATERAL_REDIS_HOST=h", "LATERAL_REDIS_PASSWORD=hunter2"},
		{"LATERAL_REDIS_HOST=h", "LATERAL_REDIS_SECRET=hunter2-and-more"},
		{"LATERAL_REDIS_URL=redis://u:hunter2@h:1/2"},
	} {
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		settingFlags(flags)
		l, err := load(flags, func() []string { return environment })
		if err != nil {
			t.Fatal(err)
		}
		var printed strings.Builder
		if err := l.print(&printed); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(printed.String(), "hunter2") || !strings.Contains(printed.String(), "***") {
			t.Errorf("%v prints %s", environment, printed.String())
		}
		if err := l.settings.Redis.validate(); err != nil {
			t.Errorf("%v: %v", environment, err)
		}
	}
	preset := defaults().Redis
	for name, change := range map[string]func(*redisSettings){
		"url and host":       func(s *redisSettings) { s.URL, s.Host = "redis://h", "h" },
		"url and password":   func(s *redisSettings) { s.URL, s.Password = "redis://h", "p" },
		"password of nobody": func(s *redisSettings) { s.Password = "p" },
		"secret of nobody":   func(s *redisSettings) { s.Secret = "0123456789abcdef" },
		"short secret":       func(s *redisSettings) { s.Host, s.Secret = "h", "0123456789" },
		"port":               func(s *redisSettings) { s.Host, s.Port = "h", 70000 },
	} {
		s := preset
		change(&s)
		if s.validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	here, there := odooSettings{URL: "http://a:1/", Database: "d"}, odooSettings{URL: "http://b:1", Database: "d"}
	if database(here) != database(odooSettings{URL: "http://A:1", Database: "d"}) || database(here) == database(there) {
		t.Error("services of one database must agree on its name, others not")
	}
}
