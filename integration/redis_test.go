package integration

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"lateral/auth"
	"lateral/auth/kv"
	"lateral/integration/stack"
)

// redisClient returns a client of a stand's Redis, which is emptied.
func (s *stand) redisClient(t *testing.T) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: s.RedisAddr})
	t.Cleanup(func() { _ = client.Close() })
	require.NoError(t, client.FlushAll(t.Context()).Err())
	return client
}

// onRedis are the settings of a service that keeps its tokens in a stand's Redis.
func (s *stand) onRedis(more ...string) []string {
	host, port, _ := strings.Cut(s.RedisAddr, ":")
	return append([]string{"LATERAL_REDIS_HOST=" + host, "LATERAL_REDIS_PORT=" + port}, more...)
}

// tokenPair is what a login answers.
type tokenPair struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

func (v *service) tokens(t *testing.T, login, password string) tokenPair {
	t.Helper()
	got := v.send("POST", "/api/auth/get_tokens", "", `{"username": "`+login+`", "password": "`+password+`", "refresh_lifetime": 900}`)
	require.Equal(t, 200, got.status, "%s\n%s", got.body, v.log)
	var pair tokenPair
	require.NoError(t, json.Unmarshal(got.body, &pair))
	return pair
}

func (v *service) reads(token string) int {
	return v.send("GET", "/api/res.partner?limit=1", token, "").status
}

// Ensure that services share their tokens through Redis: what is issued, renewed or revoked at one
// is so at the others at once, and of refreshes that race one access token stays.
func TestRedisShared(t *testing.T) {
	s := shared(t, versions()[0])
	client := s.redisClient(t)
	one, two := s.serve(t, nil, s.onRedis()...), s.serve(t, nil, s.onRedis()...)
	both := []*service{one, two}

	pair := one.tokens(t, "admin", "admin")
	require.Equal(t, 200, two.reads(pair.Access))
	s.nothingUsable(t, client, two, pair)

	refresh := func(v *service) string {
		got := v.send("POST", "/api/auth/refresh_token", "", `{"refresh_token": "`+pair.Refresh+`"}`)
		require.Equal(t, 200, got.status, "%s", got.body)
		return textOf(got.body, "access_token")
	}
	renewed := refresh(two)
	require.Equal(t, 401, one.reads(pair.Access))
	require.Equal(t, 200, one.reads(renewed))

	var group sync.WaitGroup
	issued := make([]string, 20)
	for i := range issued {
		group.Go(func() {
			got := both[i%2].send("POST", "/api/auth/refresh_token", "", `{"refresh_token": "`+pair.Refresh+`"}`)
			issued[i] = textOf(got.body, "access_token")
		})
	}
	group.Wait()
	alive := slices.DeleteFunc(append(issued, renewed), func(token string) bool { return one.reads(token) != 200 })
	require.Len(t, alive, 1)
	require.Equal(t, 200, two.reads(alive[0]))

	stranger := s.serve(t, nil, s.onRedis("LATERAL_ODOO_URL="+strings.Replace(s.OdooURL, "127.0.0.1", "localhost", 1))...)
	require.Equal(t, 401, stranger.reads(alive[0]), "a token for the users of another Odoo")

	require.Equal(t, 200, two.send("POST", "/api/auth/delete_tokens", "", `{"refresh_token": "`+pair.Refresh+`"}`).status)
	require.Equal(t, 401, one.reads(alive[0]))
	require.Equal(t, 401, one.send("POST", "/api/auth/refresh_token", "", `{"refresh_token": "`+pair.Refresh+`"}`).status)
	require.Empty(t, client.Keys(t.Context(), "*:token:*").Val())

	got := one.send("POST", "/api/auth/get_tokens", "", `{"username": "admin", "password": "admin", "access_lifetime": 1, "refresh_lifetime": 1}`)
	require.Equal(t, 200, got.status)
	one.eventually(t, "Redis forgets tokens that have expired", func() answer { return answer{} },
		func(answer) bool { return len(client.Keys(t.Context(), "*:token:*").Val()) == 0 })
}

// Ensure that whoever writes to Redis, and knows how lateral does it, lays down no login of their own
// making without the secret, which is the database's own or the one configured.
func TestRedisForged(t *testing.T) {
	s := shared(t, versions()[0])
	client := s.redisClient(t)
	ctx := t.Context()
	const configured = "a secret that the services have"
	own, told, twin := s.serve(t, nil, s.onRedis()...), s.serve(t, nil, s.onRedis("LATERAL_REDIS_SECRET="+configured)...), s.serve(t, nil, s.onRedis("LATERAL_REDIS_SECRET="+configured)...)
	honest := own.tokens(t, "admin", "admin")
	require.Equal(t, 200, own.reads(honest.Access))
	require.Equal(t, 401, told.reads(honest.Access), "sealed under another secret")
	shared := told.tokens(t, "admin", "admin")
	require.Equal(t, 200, twin.reads(shared.Access))
	require.Equal(t, 401, own.reads(shared.Access))

	// The forger has the names of Redis, the program and an administrator's number.
	name := client.Keys(ctx, "*:token:*").Val()[0]
	store, err := kv.OpenRedis(kv.RedisConfig{URL: "redis://" + s.RedisAddr, Prefix: strings.TrimSuffix(name, name[strings.LastIndex(name, "token:"):])})
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close() })
	admin := s.login(t, stack.RoleAdmin)
	forge := func(secret string) auth.Grant {
		read := func(context.Context) ([]byte, error) { return []byte(secret), nil }
		grant, err := auth.NewTokens(auth.NewRedis(store), auth.NewSecret(read, time.Now), time.Now).Issue(ctx, admin, time.Hour, time.Hour)
		require.NoError(t, err)
		return grant
	}
	for _, guess := range []string{"", "a guess", client.Info(ctx, "server").Val()} {
		forged := forge(guess)
		for _, v := range []*service{own, told} {
			got := v.send("GET", "/api/res.partner?limit=1", forged.AccessToken, "")
			require.Equal(t, 401, got.status, "%s", got.body)
			require.Equal(t, "invalid_token", got.code())
			got = v.send("POST", "/api/auth/refresh_token", "", `{"refresh_token": "`+forged.RefreshToken+`"}`)
			require.Equal(t, 401, got.status, "%s", got.body)
		}
	}
	// Nothing but the secret was wrong with it.
	require.Equal(t, 200, told.reads(forge(configured).AccessToken))
	var database string
	require.NoError(t, s.owner(t).QueryRow(ctx, "SELECT value FROM ir_config_parameter WHERE key = 'database.secret'").Scan(&database))
	require.Equal(t, 200, own.reads(forge(database).AccessToken))
}

// nothingUsable dumps all of Redis and uses what it finds.
func (s *stand) nothingUsable(t *testing.T, client *redis.Client, v *service, pair tokenPair) {
	t.Helper()
	ctx := t.Context()
	keys := client.Keys(ctx, "*").Val()
	require.Len(t, keys, 2)
	for _, key := range keys {
		ttl := client.PTTL(ctx, key).Val()
		require.Positive(t, ttl, key)
		require.LessOrEqual(t, ttl, 15*time.Minute, key)
		value, err := client.Get(ctx, key).Bytes()
		require.NoError(t, err)
		for _, dump := range [][]byte{[]byte(key), value} {
			for _, secret := range []string{"admin", pair.Access, pair.Refresh} {
				require.False(t, bytes.Contains(dump, []byte(secret)), "%q", dump)
			}
		}
		hash := key[strings.LastIndex(key, ":")+1:]
		require.Len(t, hash, 64)
		for _, guess := range []string{hash, hash[:40], hash[24:], string(value[:min(40, len(value))])} {
			guess = strings.Map(func(r rune) rune {
				if r < ' ' || r > '~' {
					return '0'
				}
				return r
			}, guess)
			require.Equal(t, 401, v.reads(guess))
			got := v.send("POST", "/api/auth/refresh_token", "", `{"refresh_token": `+quoteJSON(guess)+`}`)
			require.Equal(t, 401, got.status)
		}
	}
}

func quoteJSON(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		return `""`
	}
	return string(quoted)
}

// Ensure that without Redis answers are 503 that say so, and that its return needs no restart.
func TestRedisOutage(t *testing.T) {
	s := shared(t, versions()[0])
	s.redisClient(t)
	ctx := t.Context()
	v := s.serve(t, nil, s.onRedis()...)
	pair := v.tokens(t, "admin", "admin")
	ready := func() answer { return v.send("GET", "/readyz", "", "") }
	v.eventually(t, "ready", ready, func(a answer) bool { return a.status == 200 && strings.Contains(string(a.body), `"tokens": "ok"`) })

	require.NoError(t, s.StopRedis(ctx))
	t.Cleanup(func() { _ = s.StartRedis(context.Background()) }) // for the other tests, where this one fails
	requests := func() []answer {
		return []answer{
			v.send("GET", "/api/res.partner?limit=1", pair.Access, ""),
			v.send("PUT", "/api/res.partner/1", pair.Access, `{"city": "x"}`),
			v.send("POST", "/api/auth/get_tokens", "", `{"username": "admin", "password": "admin"}`),
			v.send("POST", "/api/auth/refresh_token", "", `{"refresh_token": "`+pair.Refresh+`"}`),
			v.send("POST", "/api/auth/delete_tokens", "", `{"refresh_token": "`+pair.Refresh+`"}`),
		}
	}
	began := time.Now()
	for i, got := range requests() {
		require.Equal(t, 503, got.status, "%d: %s", i, got.body)
		require.Equal(t, "token_store_unavailable", got.code(), i)
		require.NotEmpty(t, got.header.Get("Retry-After"), i)
	}
	require.Less(t, time.Since(began), 20*time.Second)
	v.eventually(t, "Redis missed", ready, func(a answer) bool { return a.status == 503 && strings.Contains(string(a.body), `"tokens": "missing"`) })

	require.NoError(t, s.StartRedis(ctx))
	login := func() answer {
		return v.send("POST", "/api/auth/get_tokens", "", `{"username": "admin", "password": "admin"}`)
	}
	got := v.eventually(t, "a login after Redis is back", login, func(a answer) bool { return a.status == 200 })
	require.Equal(t, 200, v.reads(textOf(got.body, "access_token")))
	require.Equal(t, 401, v.reads(pair.Access), "a Redis that keeps nothing on disk has forgotten the token")
	v.eventually(t, "ready again", ready, func(a answer) bool { return a.status == 200 })
}

// Ensure that failed logins are counted across services.
func TestRedisLoginsAreSlowed(t *testing.T) {
	s := shared(t, versions()[0])
	client := s.redisClient(t)
	settings := s.onRedis("LATERAL_LOGIN_ACCOUNT_FAILURES=4", "LATERAL_LOGIN_DELAY=3s", "LATERAL_LOGIN_MAX_DELAY=3s", "LATERAL_LOGIN_WINDOW=1m")
	both := []*service{s.serve(t, nil, settings...), s.serve(t, nil, settings...)}
	login := func(v *service, password string) answer {
		return v.send("POST", "/api/auth/get_tokens", "", `{"username": "demo", "password": "`+password+`"}`)
	}
	var group sync.WaitGroup
	statuses := make([]int, 20)
	for i := range statuses {
		group.Go(func() { statuses[i] = login(both[i%2], "wrong").status })
	}
	group.Wait()
	slices.Sort(statuses)
	require.Equal(t, []int{401, 401, 401, 401, 429}, statuses[:5], "of a burst as many are tried as may fail")
	require.Equal(t, 429, statuses[19])
	for _, v := range both {
		began := time.Now()
		got := login(v, "demo")
		require.Equal(t, 429, got.status, "the right password: %s", got.body)
		require.Equal(t, "too_many_requests", got.code())
		require.NotEmpty(t, got.header.Get("Retry-After"))
		require.Less(t, time.Since(began), time.Second, "refused at once")
	}
	for _, key := range client.Keys(t.Context(), "*").Val() {
		require.NotContains(t, key, "demo")
		require.Positive(t, client.PTTL(t.Context(), key).Val(), key)
	}
	got := both[0].eventually(t, "the delay's end", func() answer { return login(both[0], "demo") },
		func(a answer) bool { return a.status != 429 })
	require.Equal(t, 200, got.status)
	for range 3 {
		require.Equal(t, 401, login(both[1], "wrong").status, "a success is a new start")
	}
}

// Ensure that passwords and certificates are what they should be, and that the log says so where
// they are not.
func TestRedisAccess(t *testing.T) {
	s := shared(t, versions()[0])
	client := s.redisClient(t)
	ctx := t.Context()
	require.NoError(t, client.ConfigSet(ctx, "requirepass", "redis-secret").Err())
	t.Cleanup(func() {
		require.NoError(t, client.Do(context.Background(), "AUTH", "redis-secret").Err())
		require.NoError(t, client.ConfigSet(context.Background(), "requirepass", "").Err())
	})
	folder := t.TempDir()
	proxy, ca := tlsProxy(t, s.RedisAddr, folder)
	_, port, err := net.SplitHostPort(proxy)
	require.NoError(t, err)

	for name, settings := range map[string][]string{
		"password": s.onRedis("LATERAL_REDIS_PASSWORD=redis-secret"),
		"url":      {"LATERAL_REDIS_URL=redis://default:redis-secret@" + s.RedisAddr + "/2"},
		"TLS": {
			"LATERAL_REDIS_HOST=127.0.0.1", "LATERAL_REDIS_PORT=" + port, "LATERAL_REDIS_PASSWORD=redis-secret",
			"LATERAL_REDIS_TLS=true", "LATERAL_REDIS_TLS_CA=" + ca, "LATERAL_REDIS_TLS_SERVER_NAME=redis.test",
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := s.serve(t, nil, settings...)
			require.Equal(t, 200, v.reads(v.tokens(t, "admin", "admin").Access))
		})
	}
	for name, test := range map[string]struct {
		settings []string
		logged   string
	}{
		"no password":    {s.onRedis(), "NOAUTH"},
		"wrong password": {s.onRedis("LATERAL_REDIS_PASSWORD=not-it"), "WRONGPASS"},
		"unknown CA": {
			[]string{"LATERAL_REDIS_HOST=127.0.0.1", "LATERAL_REDIS_PORT=" + port, "LATERAL_REDIS_TLS=true"},
			"certificate",
		},
		"no TLS there": {s.onRedis("LATERAL_REDIS_TLS=true"), "TLS handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			v := s.serve(t, nil, test.settings...)
			v.eventually(t, "the reason in the log", func() answer { return answer{} }, func(answer) bool {
				log := v.log.String()
				return strings.Contains(log, "check=tokens") && strings.Contains(log, test.logged)
			})
			require.NotContains(t, v.log.String(), "not-it")
			got := v.send("GET", "/api/res.partner", strings.Repeat("a", 40), "")
			require.Equal(t, "token_store_unavailable", got.code(), "%s", got.body)
		})
	}
	command := exec.Command(binary.path, "serve")
	command.Env = []string{
		"LATERAL_DATABASE_DSN=" + s.DSN, "LATERAL_ODOO_URL=" + s.OdooURL, "LATERAL_ODOO_DATABASE=" + s.Database,
		"LATERAL_REDIS_HOST=x", "LATERAL_REDIS_TLS=true", "LATERAL_REDIS_TLS_CA=" + filepath.Join(folder, "none.pem"),
	}
	output, err := command.CombinedOutput()
	require.Error(t, err, "a CA file that is not there ends the service at its start")
	require.Contains(t, string(output), "none.pem")
}

// tlsProxy speaks TLS for a Redis until the test ends, under a certificate for the name redis.test
// that it returns the file of.
func tlsProxy(t *testing.T, target, folder string) (address, certificate string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"redis.test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	certificate = filepath.Join(folder, "ca.pem")
	require.NoError(t, os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))

	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	require.NoError(t, err)
	var running sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { join(client, target) })
		}
	})
	return listener.Addr().String(), certificate
}

// join copies between a connection and a new one to target until either ends.
func join(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	})
	_, _ = io.Copy(server, client)
	_ = server.Close()
	back.Wait()
}
