package kv

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// clock is a clock that tests move.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func put(value string, lifetime time.Duration) Change {
	return func([]byte) ([]byte, time.Duration) { return []byte(value), lifetime }
}

// read returns a cell's value, "" where there is none.
func read(t require.TestingT, cells Cells, name string) (value string) {
	require.NoError(t, cells.Update(context.Background(), name, func(old []byte) ([]byte, time.Duration) {
		value = string(old)
		return old, 0
	}))
	return value
}

// Ensure that cells do what a map with expiry does.
func TestMemoryModel(t *testing.T) {
	t.Parallel()
	type entry struct {
		value   string
		expires time.Time
	}
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		c := &clock{now: time.UnixMilli(1_700_000_000_000)}
		m := NewMemory(1<<20, c.Now)
		model := map[string]entry{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			name := strconv.Itoa(rapid.IntRange(0, 4).Draw(t, "name"))
			switch rapid.IntRange(0, 2).Draw(t, "operation") {
			case 0:
				value := rapid.StringN(1, 5, -1).Draw(t, "value")
				lifetime := time.Duration(rapid.IntRange(1, 5).Draw(t, "lifetime")) * time.Second
				var before string
				require.NoError(t, m.Update(ctx, name, func(old []byte) ([]byte, time.Duration) {
					before = string(old)
					return []byte(value), lifetime
				}))
				known := model[name]
				if !c.now.Before(known.expires) {
					known = entry{}
				}
				require.Equal(t, known.value, before)
				if before != value {
					model[name] = entry{value, c.now.Add(lifetime)}
				}
			case 1:
				require.NoError(t, m.Update(ctx, name, func([]byte) ([]byte, time.Duration) { return nil, 0 }))
				delete(model, name)
			case 2:
				c.now = c.now.Add(time.Duration(rapid.IntRange(1, 3).Draw(t, "pause")) * time.Second)
			}
			for name, known := range model {
				if c.now.Before(known.expires) {
					require.Equal(t, known.value, read(t, m, name))
				} else {
					require.Empty(t, read(t, m, name))
				}
			}
		}
	})
}

// Ensure that a full store refuses rather than forgets, until something expires.
func TestMemoryRefuses(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	c := &clock{now: time.Now()}
	m := NewMemory(10_000, c.Now)
	count := 0
	var err error
	for ; err == nil; count++ {
		err = m.Update(ctx, strconv.Itoa(count), put("value", time.Minute))
	}
	require.ErrorIs(t, err, ErrFull)
	require.Greater(t, count, 40)
	require.LessOrEqual(t, m.Size(), 10_000)
	require.Equal(t, "value", read(t, m, "0"))
	require.ErrorIs(t, m.Update(ctx, "0", put(string(make([]byte, 5000)), time.Minute)), ErrFull)
	require.Equal(t, "value", read(t, m, "0"), "what does not fit changes nothing")
	c.now = c.now.Add(time.Minute)
	require.NoError(t, m.Update(ctx, "new", put("value", time.Minute)))
	require.Less(t, m.Size(), 1000)
}

// Ensure that a store of what is recent forgets what was not changed for the longest time.
func TestRecentForgets(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	m := NewRecent(10_000, time.Now)
	for i := range 10_000 {
		require.NoError(t, m.Update(ctx, strconv.Itoa(i), put("value", time.Hour)))
		require.NoError(t, m.Update(ctx, "used", put(strconv.Itoa(i), time.Hour)))
	}
	require.LessOrEqual(t, m.Size(), 10_000)
	require.Equal(t, "9999", read(t, m, "used"))
	require.Equal(t, "value", read(t, m, "9999"))
	require.Empty(t, read(t, m, "1"))
}

// Ensure that no change is lost.
func TestMemoryAtOnce(t *testing.T) {
	t.Parallel()
	m := NewMemory(10_000, time.Now)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 500 {
				err := m.Update(context.Background(), "sum", func(old []byte) ([]byte, time.Duration) {
					n, _ := strconv.Atoi(string(old))
					return []byte(strconv.Itoa(n + 1)), time.Hour
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	require.Equal(t, "4000", read(t, m, "sum"))
}

// Ensure that a configuration that cannot be meant is an error, which never holds the password.
func TestRedisConfig(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]RedisConfig{
		"nothing":        {},
		"no URL":         {URL: "http://:hidden@x"},
		"broken URL":     {URL: "redis://user:hidden%zz@x:y/0"},
		"CA without TLS": {Host: "x", CAFile: "ca.pem"},
		"no CA":          {Host: "x", TLS: true, CAFile: "/nowhere/ca.pem"},
		"no certificate": {Host: "x", TLS: true, CAFile: "memory_test.go"},
	} {
		_, err := OpenRedis(config)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "hidden", name)
		require.False(t, errors.Is(err, ErrUnavailable), name)
	}
	for name, config := range map[string]RedisConfig{
		"URL":  {URL: "rediss://user:secret@x:1/3", ServerName: "y"},
		"host": {Host: "x", Port: 1, TLS: true, DB: 3, Username: "user", Password: "secret", ServerName: "y"},
	} {
		options, err := config.options()
		require.NoError(t, err, name)
		require.Equal(t, []any{"x:1", 3, "user", "secret", "y"},
			[]any{options.Addr, options.DB, options.Username, options.Password, options.TLSConfig.ServerName}, name)
	}
}
