package main

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"lateral/server"
)

// settings is the whole configuration. Its keys are the same in the file, in the environment
// (database.dsn is LATERAL_DATABASE_DSN) and as flags (--database-dsn). Some names are those the
// seed product's system parameters have.
type settings struct {
	Listen          string        `koanf:"listen" help:"address to listen on"`
	ShutdownTimeout time.Duration `koanf:"shutdown_timeout" help:"how long running requests may take after a signal to stop"`
	ProfileListen   string        `koanf:"profile_listen" help:"address to give profiles of the process at (/debug/pprof/), for nobody else than whoever runs it; empty: none"`

	Database  databaseSettings `koanf:"database"`
	Odoo      odooSettings     `koanf:"odoo"`
	Filestore string           `koanf:"filestore" help:"folder of the database's attachments (filestore/<database>); empty: binaries in it are read through Odoo"`
	Presets   string           `koanf:"presets" help:"folder of presets; empty: none"`

	Endpoints endpointSettings `koanf:"endpoints"`

	AccessTokenExpiresIn  int    `koanf:"access_token_expires_in" help:"lifetime of access tokens in seconds, 0: no expiry"`
	RefreshTokenExpiresIn int    `koanf:"refresh_token_expires_in" help:"lifetime of refresh tokens in seconds, 0: no expiry"`
	MaxTokens             int    `koanf:"max_tokens" help:"tokens kept in memory; beyond, the longest unused go"`
	CORS                  string `koanf:"cors_parameter_value_in_all_routes" help:"value of Access-Control-Allow-Origin; empty: not sent"`
	EscapeUnicode         bool   `koanf:"u_escape_characters_for_unicode_in_responses" help:"write non-ASCII characters as \\u escapes"`

	Verification    string         `koanf:"verification" help:"file that lateral verify writes; models that disagree are left to Odoo; empty: none"`
	RequireVerified bool           `koanf:"require_verified" help:"leave models made in Odoo's user interface to Odoo until they are verified"`
	Shadow          shadowSettings `koanf:"shadow"`

	TrustedProxies string `koanf:"trusted_proxies" help:"addresses and networks, with commas between them, of proxies whose X-Forwarded-For is believed"`

	Redis       redisSettings       `koanf:"redis"`
	Login       loginSettings       `koanf:"login"`
	Idempotency idempotencySettings `koanf:"idempotency"`
	Limits      limitSettings       `koanf:"limits"`
	Log         logSettings         `koanf:"log"`
}

type endpointSettings struct {
	Folder string        `koanf:"folder" help:"folder of scripts (*.star) that are endpoints; empty: none"`
	Steps  int           `koanf:"steps" help:"steps of Starlark's interpreter that one request of an endpoint may take"`
	Time   time.Duration `koanf:"time" help:"longest time of one request of an endpoint, reads and calls of Odoo included"`
	Memory int           `koanf:"memory" help:"bytes of all values that one request of an endpoint may make, its answer included"`
}

type shadowSettings struct {
	Share float64 `koanf:"share" help:"share of the reads through SQL that are repeated through Odoo and compared, 0 to 1"`
	Rate  float64 `koanf:"rate" help:"such repetitions per second, at most"`
	Trip  int     `koanf:"trip" help:"differences after which a model is left to Odoo; a record shown that Odoo hides is always enough"`
}

type databaseSettings struct {
	DSN                string        `koanf:"dsn" help:"PostgreSQL of Odoo: postgres:// URL or key=value text" secret:"dsn"`
	MaxConns           int           `koanf:"max_conns" help:"connections in the pool"`
	Abreast            int           `koanf:"abreast" help:"reads of one record by the same statement that are under way at once, each by itself; further ones wait and are read together; 0: 2 for each processor, -1: none wait"`
	StatementTimeout   time.Duration `koanf:"statement_timeout" help:"longest time of one statement, streaming included; 0: none"`
	LockTimeout        time.Duration `koanf:"lock_timeout" help:"longest wait for a lock, as upgrades hold them; 0: none"`
	ConnectTimeout     time.Duration `koanf:"connect_timeout" help:"longest time of one connection attempt"`
	TransactionPooling bool          `koanf:"transaction_pooling" help:"a PgBouncer in transaction mode stands between"`
}

type odooSettings struct {
	URL      string        `koanf:"url" help:"address of Odoo, http://host:port"`
	Database string        `koanf:"database" help:"name of the database, as Odoo knows it"`
	Timeout  time.Duration `koanf:"timeout" help:"longest time of one call"`
	MaxConns int           `koanf:"max_conns" help:"calls of Odoo at once"`
}

type redisSettings struct {
	URL           string        `koanf:"url" help:"redis://user:password@host:port/db, rediss:// for TLS or unix://; in place of host, port, db, username, password and tls" secret:"dsn"`
	Host          string        `koanf:"host" help:"Redis that keeps the tokens, for several processes that share them; empty, with no url: they are kept in memory"`
	Port          int           `koanf:"port" help:"port of Redis"`
	DB            int           `koanf:"db" help:"number of the database in Redis"`
	Username      string        `koanf:"username" help:"user of Redis; empty: the default one"`
	Password      string        `koanf:"password" help:"password of Redis" secret:"value"`
	Secret        string        `koanf:"secret" help:"text of 16 characters or more, the same in all processes, that what lies in Redis is sealed under; empty: Odoo's database.secret" secret:"value"`
	TLS           bool          `koanf:"tls" help:"speak TLS with Redis"`
	TLSCA         string        `koanf:"tls_ca" help:"file of the certificates that sign that of Redis, in PEM; empty: the system's"`
	TLSServerName string        `koanf:"tls_server_name" help:"name in the certificate of Redis; empty: the host's"`
	Prefix        string        `koanf:"prefix" help:"beginning of all names in Redis"`
	Timeout       time.Duration `koanf:"timeout" help:"longest time of connecting to Redis, and of one command"`
	PoolSize      int           `koanf:"pool_size" help:"connections to Redis"`
}

type idempotencySettings struct {
	Lifetime time.Duration `koanf:"lifetime" help:"how long an Idempotency-Key stands for its first answer"`
	Answer   int           `koanf:"answer" help:"longest answer that is kept for an Idempotency-Key, in bytes"`
	Memory   int           `koanf:"memory" help:"bytes of all answers that are kept, without Redis; beyond, new keys are refused"`
}

type loginSettings struct {
	AccountFailures int           `koanf:"account_failures" help:"logins of one account that may fail before further ones are delayed; 0: no limit"`
	AddressFailures int           `koanf:"address_failures" help:"logins from one address that may fail before further ones are delayed; 0: no limit"`
	Window          time.Duration `koanf:"window" help:"time after the last failed login in which they are all forgotten"`
	Delay           time.Duration `koanf:"delay" help:"delay after the first failed login too many; each further one doubles it"`
	MaxDelay        time.Duration `koanf:"max_delay" help:"longest delay after a failed login"`
}

type limitSettings struct {
	Body           int           `koanf:"body" help:"longest request body in bytes"`
	Header         int           `koanf:"header" help:"longest URL and headers in bytes"`
	Connections    int           `koanf:"connections" help:"open connections"`
	InFlight       int           `koanf:"in_flight" help:"requests worked on at once; 0: no limit"`
	Page           int64         `koanf:"page" help:"records of one page; 0: no limit"`
	Buffer         int           `koanf:"buffer" help:"bytes of a page that is answered whole; longer ones are streamed"`
	Rate           float64       `koanf:"rate" help:"requests per second of one token; 0: no limit"`
	Burst          int           `koanf:"burst" help:"requests that a token may make at once within its rate"`
	ReadTimeout    time.Duration `koanf:"read_timeout" help:"longest time to receive a request"`
	WriteTimeout   time.Duration `koanf:"write_timeout" help:"longest time to send one piece of an answer (64 KiB)"`
	IdleTimeout    time.Duration `koanf:"idle_timeout" help:"longest time between two requests of a connection"`
	RequestTimeout time.Duration `koanf:"request_timeout" help:"longest time until an answer begins"`
}

type logSettings struct {
	Format string `koanf:"format" help:"json or text"`
	Level  string `koanf:"level" help:"debug, info, warn or error"`
	Access bool   `koanf:"access" help:"log every request, not only failures"`
}

// defaults returns the settings where nothing else is said.
func defaults() settings {
	http := server.DefaultConfig()
	return settings{
		Listen:          "127.0.0.1:8070",
		ShutdownTimeout: 30 * time.Second,
		Database: databaseSettings{
			MaxConns:         max(8, 4*runtime.NumCPU()),
			StatementTimeout: 2 * time.Minute,
			LockTimeout:      5 * time.Second,
			ConnectTimeout:   5 * time.Second,
		},
		Odoo:                  odooSettings{Timeout: 2 * time.Minute, MaxConns: 16},
		Endpoints:             endpointSettings{Steps: 10_000_000, Time: 30 * time.Second, Memory: 64 << 20},
		AccessTokenExpiresIn:  int(http.AccessLifetime / time.Second),
		RefreshTokenExpiresIn: int(http.RefreshLifetime / time.Second),
		MaxTokens:             100_000,
		CORS:                  http.CORS,
		Shadow:                shadowSettings{Rate: 1, Trip: 3},
		Redis:                 redisSettings{Port: 6379, Prefix: "lateral:", Timeout: 2 * time.Second, PoolSize: max(16, 8*runtime.NumCPU())},
		Login: loginSettings{
			AccountFailures: 5, AddressFailures: 20, Window: 15 * time.Minute, Delay: time.Second, MaxDelay: time.Minute,
		},
		Idempotency: idempotencySettings{
			Lifetime: http.IdempotencyLifetime, Answer: http.IdempotencyAnswer, Memory: http.IdempotencyMemory,
		},
		Limits: limitSettings{
			Body: http.MaxBody, Header: http.MaxHeader, Connections: http.MaxConns, InFlight: http.MaxInFlight,
			Page: http.MaxPage, Buffer: http.BufferSize, Rate: http.RatePerToken, Burst: http.RateBurst,
			ReadTimeout: http.ReadTimeout, WriteTimeout: http.WriteTimeout,
			IdleTimeout: http.IdleTimeout, RequestTimeout: http.RequestTimeout,
		},
		Log: logSettings{Format: "text", Level: "info", Access: true},
	}
}

// validate names all that is missing or wrong, by key.
func (s settings) validate() error {
	var wrong []error
	need := func(value, key string) {
		if value == "" {
			wrong = append(wrong, fmt.Errorf("%s is not set (file: %s, environment: %s, flag: --%s)", key, key, envName(key), flagName(key)))
		}
	}
	need(s.Listen, "listen")
	need(s.Database.DSN, "database.dsn")
	need(s.Odoo.URL, "odoo.url")
	need(s.Odoo.Database, "odoo.database")
	if s.Database.MaxConns < 1 || s.Odoo.MaxConns < 1 || s.MaxTokens < 1 {
		wrong = append(wrong, errors.New("database.max_conns, odoo.max_conns and max_tokens must be at least 1"))
	}
	if s.Shadow.Share < 0 || s.Shadow.Share > 1 || s.Shadow.Rate < 0 || s.Shadow.Trip < 1 {
		wrong = append(wrong, errors.New("shadow.share must be from 0 to 1, shadow.rate not negative and shadow.trip at least 1"))
	}
	if s.Endpoints.Steps < 1 || s.Endpoints.Time <= 0 || s.Endpoints.Memory < 1 {
		wrong = append(wrong, errors.New("endpoints.steps, endpoints.time and endpoints.memory must be positive"))
	}
	if s.Endpoints.Folder != "" && s.Database.MaxConns < 2 {
		wrong = append(wrong, errors.New("endpoints need at least two connections to the database (database.max_conns): one holds a snapshot"))
	}
	for key, d := range map[string]time.Duration{
		"shutdown_timeout": s.ShutdownTimeout, "database.statement_timeout": s.Database.StatementTimeout,
		"database.lock_timeout": s.Database.LockTimeout, "database.connect_timeout": s.Database.ConnectTimeout,
		"odoo.timeout": s.Odoo.Timeout,
	} {
		if d < 0 {
			wrong = append(wrong, fmt.Errorf("%s must not be negative", key))
		}
	}
	if s.Login.AccountFailures < 0 || s.Login.AddressFailures < 0 {
		wrong = append(wrong, errors.New("login.account_failures and login.address_failures must not be negative"))
	}
	if s.Login.Window <= 0 || s.Login.Delay <= 0 || s.Login.MaxDelay < s.Login.Delay {
		wrong = append(wrong, errors.New("login.window and login.delay must be positive, and login.max_delay not shorter than login.delay"))
	}
	if _, err := server.ParseNetworks(s.TrustedProxies); err != nil {
		wrong = append(wrong, fmt.Errorf("trusted_proxies: %w", err))
	}
	if _, err := newLogger(s.Log, nil); err != nil {
		wrong = append(wrong, err)
	}
	wrong = append(wrong, s.Redis.validate())
	return errors.Join(wrong...)
}

// http returns the server's part of the settings, which are valid.
func (s settings) http() server.Config {
	proxies, err := server.ParseNetworks(s.TrustedProxies)
	if err != nil {
		proxies = nil // trust nobody
	}
	return server.Config{
		TrustedProxies:      proxies,
		IdempotencyLifetime: s.Idempotency.Lifetime, IdempotencyAnswer: s.Idempotency.Answer, IdempotencyMemory: s.Idempotency.Memory,
		AccessLifetime:  time.Duration(s.AccessTokenExpiresIn) * time.Second,
		RefreshLifetime: time.Duration(s.RefreshTokenExpiresIn) * time.Second,
		CORS:            s.CORS,
		EscapeUnicode:   s.EscapeUnicode,
		MaxBody:         s.Limits.Body,
		MaxHeader:       s.Limits.Header,
		MaxConns:        s.Limits.Connections,
		MaxInFlight:     s.Limits.InFlight,
		MaxPage:         s.Limits.Page,
		BufferSize:      s.Limits.Buffer,
		RatePerToken:    s.Limits.Rate,
		RateBurst:       s.Limits.Burst,
		ReadTimeout:     s.Limits.ReadTimeout,
		WriteTimeout:    s.Limits.WriteTimeout,
		IdleTimeout:     s.Limits.IdleTimeout,
		RequestTimeout:  s.Limits.RequestTimeout,
		AccessLog:       s.Log.Access,
	}
}
