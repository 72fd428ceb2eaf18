package auth

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"lateral/auth/kv"
)

// Redis is a Store that several processes share. Whoever reads all of the Redis can resolve no
// token from it: names are hashes of tokens, and values are sealed under the tokens themselves. Errors are
// ErrNotStored, and kv.ErrUnavailable where the Redis cannot be reached.
type Redis struct{ redis *kv.Redis }

// NewRedis returns a Store in a Redis.
func NewRedis(r *kv.Redis) *Redis { return &Redis{redis: r} }

func (r *Redis) name(key Key) string { return r.redis.Name("token", key.String()) }

// Put implements Store.
func (r *Redis) Put(ctx context.Context, key Key, value []byte, lifetime time.Duration) error {
	return kv.Unavailable(r.redis.Client().Set(ctx, r.name(key), value, lifetime).Err())
}

// Get implements Store.
func (r *Redis) Get(ctx context.Context, key Key) ([]byte, error) {
	return found(r.redis.Client().Get(ctx, r.name(key)).Bytes())
}

// Swap implements Store.
func (r *Redis) Swap(ctx context.Context, key Key, value []byte) ([]byte, error) {
	return found(r.redis.Client().SetArgs(ctx, r.name(key), value, redis.SetArgs{Mode: "XX", Get: true, KeepTTL: true}).Bytes())
}

// Take implements Store.
func (r *Redis) Take(ctx context.Context, key Key) ([]byte, error) {
	return found(r.redis.Client().GetDel(ctx, r.name(key)).Bytes())
}

// Delete implements Store.
func (r *Redis) Delete(ctx context.Context, key Key) error {
	return kv.Unavailable(r.redis.Client().Del(ctx, r.name(key)).Err())
}

func found(value []byte, err error) ([]byte, error) {
	if errors.Is(err, redis.Nil) {
		return nil, ErrNotStored
	}
	return value, kv.Unavailable(err)
}

var _ Store = (*Redis)(nil)
