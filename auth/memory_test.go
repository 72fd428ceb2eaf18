package auth

import (
	"context"
	"crypto/sha256"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func numberedKey(i int) Key { return sha256.Sum256([]byte(strconv.Itoa(i))) }

// Ensure that expired entries go although nobody asks for them.
func TestMemorySweeps(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	clock := newClock()
	m := NewMemory(100_000, clock.Now)
	for i := range 10_000 {
		require.NoError(t, m.Put(ctx, numberedKey(i), []byte("x"), time.Minute))
	}
	clock.Advance(time.Minute)
	for i := range 10_000 {
		require.NoError(t, m.Put(ctx, numberedKey(10_000+i), []byte("x"), time.Hour))
	}
	require.LessOrEqual(t, m.Len(), 11_000)
}

// Ensure that a full store stays at its limit and keeps what is in use.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	m := NewMemory(6400, time.Now)
	used := numberedKey(0)
	require.NoError(t, m.Put(ctx, used, []byte("x"), 0))
	for i := 1; i < 100_000; i++ {
		require.NoError(t, m.Put(ctx, numberedKey(i), []byte("x"), 0))
		_, err := m.Get(ctx, used)
		require.NoError(t, err)
	}
	require.LessOrEqual(t, m.Len(), 6400)
}

// Ensure that the store does what a map with expiry does, whatever the operations.
func TestMemoryModel(t *testing.T) {
	t.Parallel()
	type entry struct {
		value   string
		expires time.Time
	}
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		clock := newClock()
		m := NewMemory(1_000_000, clock.Now)
		model := map[Key]entry{}
		alive := func(key Key) (entry, bool) {
			e, ok := model[key]
			return e, ok && (e.expires.IsZero() || clock.Now().Before(e.expires))
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			key := numberedKey(rapid.IntRange(0, 5).Draw(t, "key"))
			value := rapid.StringN(0, 3, -1).Draw(t, "value")
			known, ok := alive(key)
			switch rapid.IntRange(0, 5).Draw(t, "operation") {
			case 0:
				lifetime := time.Duration(rapid.IntRange(0, 5).Draw(t, "lifetime")) * time.Millisecond
				require.NoError(t, m.Put(ctx, key, []byte(value), lifetime))
				model[key] = entry{value: value}
				if lifetime > 0 {
					model[key] = entry{value, clock.Now().Add(lifetime)}
				}
			case 1:
				got, err := m.Get(ctx, key)
				requireEntry(t, ok, known.value, got, err)
			case 2:
				got, err := m.Swap(ctx, key, []byte(value))
				requireEntry(t, ok, known.value, got, err)
				if ok {
					model[key] = entry{value, known.expires}
				}
			case 3:
				got, err := m.Take(ctx, key)
				requireEntry(t, ok, known.value, got, err)
				delete(model, key)
			case 4:
				require.NoError(t, m.Delete(ctx, key))
				delete(model, key)
			case 5:
				clock.Advance(time.Duration(rapid.IntRange(1, 4).Draw(t, "pause")) * time.Millisecond)
			}
		}
	})
}

func requireEntry(t *rapid.T, found bool, want string, got []byte, err error) {
	if !found {
		require.ErrorIs(t, err, ErrNotStored)
		return
	}
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}
