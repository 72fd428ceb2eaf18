package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"lateral/auth"
	"lateral/auth/kv"
	"lateral/server"
)

// used reports whether a Redis is configured.
func (s redisSettings) used() bool { return s.URL != "" || s.Host != "" }

func (s redisSettings) validate() error {
	switch {
	case s.URL != "" && s.Host != "":
		return errors.New("redis.url and redis.host must not both be set")
	case s.URL != "" && (s.Username != "" || s.Password != "" || s.TLS || s.DB != 0):
		return errors.New("redis.url holds db, username, password and TLS itself: these must not be set beside it")
	case !s.used() && (s.Password != "" || s.Secret != "" || s.TLS || s.TLSCA != ""):
		return errors.New("settings of Redis are there, but neither redis.url nor redis.host")
	case s.Secret != "" && len(s.Secret) < shortestSecret:
		return fmt.Errorf("redis.secret must have at least %d characters", shortestSecret)
	case s.Port < 1 || s.Port > 65535 || s.DB < 0 || s.PoolSize < 1 || s.Timeout <= 0:
		return errors.New("redis.port, redis.db, redis.pool_size and redis.timeout must be numbers that can be")
	}
	return nil
}

// shortestSecret is how many bytes a secret must have that something is sealed under.
const shortestSecret = 16

// openRedis returns the Redis of the settings, or nil where there is none.
func openRedis(s settings) (*kv.Redis, error) {
	if !s.Redis.used() {
		return nil, nil
	}
	return kv.OpenRedis(kv.RedisConfig{
		URL: s.Redis.URL, Host: s.Redis.Host, Port: s.Redis.Port, DB: s.Redis.DB,
		Username: s.Redis.Username, Password: s.Redis.Password,
		TLS: s.Redis.TLS, CAFile: s.Redis.TLSCA, ServerName: s.Redis.TLSServerName,
		Prefix: s.Redis.Prefix + database(s.Odoo) + ":", Timeout: s.Redis.Timeout, PoolSize: s.Redis.PoolSize,
	})
}

// database names an Odoo database among those whose services share a Redis. A token says which
// user of its database it stands for, by a number that is somebody else in another database, so that
// services of different databases must never find each other's.
func database(odoo odooSettings) string {
	address := strings.ToLower(strings.TrimRight(odoo.URL, "/"))
	sum := sha256.Sum256([]byte(address + "\x00" + odoo.Database))
	return hex.EncodeToString(sum[:8])
}

func tokenStore(redis *kv.Redis, limit int) auth.Store {
	if redis == nil {
		return auth.NewMemory(limit, time.Now)
	}
	return auth.NewRedis(redis)
}

// answerCells keep the first answers of idempotency keys. Without Redis it is the server's memory.
func answerCells(redis *kv.Redis) kv.Cells {
	if redis == nil {
		return nil
	}
	return redis.Cells("answer")
}

// sharedSecret is what the entries in Redis, and the cursors of pages, are sealed under: the configured text, else the database's own
// secret. It is nil where there is no Redis, since what is in memory needs none that others know.
func sharedSecret(s redisSettings, source *source) func(ctx context.Context) ([]byte, error) {
	switch {
	case !s.used():
		return nil
	case s.Secret != "":
		configured := []byte(s.Secret)
		return func(context.Context) ([]byte, error) { return configured, nil }
	}
	return source.secret
}

// tokenSecret is the secret that tokens are sealed under.
func tokenSecret(shared func(ctx context.Context) ([]byte, error)) *auth.Secret {
	if shared == nil {
		return auth.RandomSecret()
	}
	return auth.NewSecret(shared, time.Now)
}

// tokenChecks are what the store of tokens adds to readiness.
func tokenChecks(redis *kv.Redis, secret *auth.Secret) []server.Check {
	if redis == nil {
		return nil
	}
	return []server.Check{{Name: "tokens", Probe: func(ctx context.Context) error {
		if err := redis.Ping(ctx); err != nil {
			return fmt.Errorf("the Redis of the tokens cannot be used: %w", err)
		}
		return secret.Probe(ctx)
	}}}
}

func (s loginSettings) limits() auth.LoginLimits {
	return auth.LoginLimits{
		AccountFailures: s.AccountFailures, AddressFailures: s.AddressFailures,
		Window: s.Window, Delay: s.Delay, MaxDelay: s.MaxDelay,
	}
}
