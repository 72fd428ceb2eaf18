package kv

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// RedisConfig says how a Redis is reached. Either URL is set, or Host and what belongs to it.
type RedisConfig struct {
	// URL is redis://user:password@host:port/db, rediss:// for TLS, or unix://user:password@/path?db=0.
	URL string

	Host               string
	Port, DB           int
	Username, Password string
	TLS                bool

	// CAFile holds the certificates that sign the server's, in PEM; empty: the system's. ServerName is
	// the name that its certificate must have; empty: the host's. Both are for TLS.
	CAFile, ServerName string

	// Prefix begins every name. Services of different databases must not have the same.
	Prefix string
	// Timeout is the longest time of connecting, and of one command; 0 means two seconds.
	Timeout time.Duration
	// PoolSize bounds the connections; 0 means ten per processor.
	PoolSize int
}

// Redis is a connection pool to one Redis, 6.2 or newer. It is safe for concurrent use, connects when
// it is first used, and again after an outage.
type Redis struct {
	client *redis.Client
	prefix string
}

// OpenRedis returns a Redis without connecting to it. It fails where the configuration cannot be meant.
func OpenRedis(config RedisConfig) (*Redis, error) {
	options, err := config.options()
	if err != nil {
		return nil, fmt.Errorf("configuration of Redis: %w", err)
	}
	redis.SetLogger(silent{})
	return &Redis{client: redis.NewClient(options), prefix: config.Prefix}, nil
}

func (c RedisConfig) options() (*redis.Options, error) {
	options := &redis.Options{
		Addr: net.JoinHostPort(c.Host, strconv.Itoa(c.Port)), DB: c.DB, Username: c.Username, Password: c.Password,
	}
	switch {
	case c.URL != "":
		parsed, err := redis.ParseURL(c.URL)
		if err != nil {
			// The parser's error may hold the password.
			return nil, errors.New("the URL is none of redis://, rediss:// or unix://")
		}
		options = parsed
	case c.Host == "":
		return nil, errors.New("neither a URL nor a host is set")
	case c.TLS:
		options.TLSConfig = &tls.Config{ServerName: c.Host, MinVersion: tls.VersionTLS12}
	}
	if err := c.verification(options.TLSConfig); err != nil {
		return nil, err
	}
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = 2 * time.Second
	}
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout = timeout, timeout, timeout
	options.PoolTimeout = timeout
	options.Dialer = dialer(timeout, options.TLSConfig)
	options.PoolSize = c.PoolSize
	options.ContextTimeoutEnabled = true
	// A command whose answer was lost may have been done: who asked decides what follows from that.
	options.MaxRetries = -1
	options.DialerRetries = 1
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return options, nil
}

// dialer connects as go-redis would, but says of an error whether TLS is what fails: a Redis without
// TLS answers nothing to its handshake.
func dialer(timeout time.Duration, config *tls.Config) func(ctx context.Context, network, address string) (net.Conn, error) {
	plain := net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		conn, err := plain.DialContext(ctx, network, address)
		if err != nil || config == nil {
			return conn, err
		}
		secured := tls.Client(conn, config)
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, fmt.Errorf("TLS handshake with %s: %w", address, err)
		}
		return secured, nil
	}
}

// silent drops what go-redis logs by itself; its errors are all returned too.
type silent struct{}

// Printf does nothing.
func (silent) Printf(context.Context, string, ...any) {}

// verification adds to the TLS configuration how the server's certificate is judged.
func (c RedisConfig) verification(config *tls.Config) error {
	if config == nil {
		if c.CAFile != "" || c.ServerName != "" {
			return errors.New("a CA file or a server name is set, but TLS is not switched on")
		}
		return nil
	}
	if c.ServerName != "" {
		config.ServerName = c.ServerName
	}
	if c.CAFile == "" {
		return nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return fmt.Errorf("CA file: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("CA file %s holds no certificate in PEM", c.CAFile)
	}
	return nil
}

// Close closes the connections.
func (r *Redis) Close() error { return r.client.Close() }

// Ping tells whether the Redis can be reached and lets us in.
func (r *Redis) Ping(ctx context.Context) error { return Unavailable(r.client.Ping(ctx).Err()) }

// Client returns the client, for commands of other packages. Their errors go through Unavailable.
func (r *Redis) Client() *redis.Client { return r.client }

// Name returns the full name of a key.
func (r *Redis) Name(kind, name string) string { return r.prefix + kind + ":" + name }

// Unavailable wraps an error of a client in ErrUnavailable; nil stays nil.
func Unavailable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// casScript replaces a value where it is still the one expected: KEYS[1] the name; ARGV[1] "1" where a
// value is expected, ARGV[2] that value, ARGV[3] "1" where there is a next one, ARGV[4] that, ARGV[5]
// its lifetime in milliseconds.
var casScript = redis.NewScript(`
local old = redis.call('GET', KEYS[1])
if ARGV[1] == '1' then
  if old ~= ARGV[2] then return 0 end
elseif old then
  return 0
end
if ARGV[3] == '1' then
  redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
else
  redis.call('DEL', KEYS[1])
end
return 1
`)

// casTries bounds how often an update starts again because others were faster.
const casTries = 100

// RedisCells are Cells in a Redis.
type RedisCells struct {
	redis *Redis
	kind  string
}

// Cells returns the cells of a kind; those of different kinds do not meet.
func (r *Redis) Cells(kind string) *RedisCells { return &RedisCells{redis: r, kind: kind} }

// Update implements Cells.
func (c *RedisCells) Update(ctx context.Context, name string, change Change) error {
	key := c.redis.Name(c.kind, name)
	for try := range casTries {
		old, err := c.redis.client.Get(ctx, key).Bytes()
		if errors.Is(err, redis.Nil) {
			old, err = nil, nil
		}
		if err != nil {
			return Unavailable(err)
		}
		next, lifetime := change(old)
		if next == nil && old == nil || next != nil && old != nil && bytes.Equal(old, next) {
			return nil
		}
		done, err := casScript.Run(ctx, c.redis.client, []string{key},
			flag(old), old, flag(next), next, max(1, lifetime.Milliseconds())).Int()
		if err != nil {
			return Unavailable(err)
		}
		if done == 1 {
			return nil
		}
		pause := time.NewTimer(rand.N(time.Duration(min(try+1, 10)) * time.Millisecond))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return Unavailable(ctx.Err())
		}
	}
	return Unavailable(errors.New("a cell is changed by too many at once"))
}

func flag(value []byte) string {
	if value == nil {
		return "0"
	}
	return "1"
}

var _ Cells = (*RedisCells)(nil)
