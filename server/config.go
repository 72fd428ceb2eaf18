package server

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Config is how a Server behaves. Sizes are bytes. A limit of 0 means none, but for MaxBody,
// MaxHeader and MaxConns, where it means fasthttp's own (4 MiB, 4 KiB, 262,144).
type Config struct {
	// AccessLifetime and RefreshLifetime are how long tokens live where the client does not say;
	// 0: without end.
	AccessLifetime  time.Duration
	RefreshLifetime time.Duration

	// CORS is the value of Access-Control-Allow-Origin; empty: the header is not sent.
	CORS string
	// EscapeUnicode writes everything beyond ASCII as \u escapes.
	EscapeUnicode bool

	MaxBody     int
	MaxHeader   int // of all headers and the URL
	MaxConns    int
	MaxInFlight int   // requests worked on at once
	MaxPage     int64 // records of one page; longer or unlimited pages are refused
	BufferSize  int   // of a page that is answered whole rather than streamed

	// RatePerToken is how many requests per second one access token may make, in bursts of RateBurst.
	RatePerToken float64
	RateBurst    int

	// TrustedProxies are the networks of proxies whose X-Forwarded-For tells the client's address.
	TrustedProxies []netip.Prefix

	// IdempotencyLifetime is how long an Idempotency-Key stands for its first answer, of which at most
	// IdempotencyAnswer bytes are kept. IdempotencyMemory bounds all of them, where they are in memory.
	IdempotencyLifetime time.Duration
	IdempotencyAnswer   int
	IdempotencyMemory   int

	ReadTimeout    time.Duration // of receiving one request
	WriteTimeout   time.Duration // of sending one piece of an answer, 64 KiB
	IdleTimeout    time.Duration // between two requests of a connection
	RequestTimeout time.Duration // of the work until the answer begins

	// AccessLog logs every request; otherwise only failures are logged.
	AccessLog bool
}

// DefaultConfig returns the configuration a Server has where nothing else is said.
func DefaultConfig() Config {
	return Config{
		AccessLifetime:  600 * time.Second,
		RefreshLifetime: 7200 * time.Second,
		CORS:            "null",
		MaxBody:         32 << 20,
		MaxHeader:       64 << 10,
		MaxConns:        16 << 10,
		MaxInFlight:     256,
		BufferSize:      256 << 10,
		RateBurst:       50,

		IdempotencyLifetime: 24 * time.Hour,
		IdempotencyAnswer:   1 << 20,
		IdempotencyMemory:   64 << 20,

		ReadTimeout:    30 * time.Second,
		WriteTimeout:   30 * time.Second,
		IdleTimeout:    2 * time.Minute,
		RequestTimeout: 2 * time.Minute,
		AccessLog:      true,
	}
}

func (c Config) validate() error {
	var wrong []error
	for name, d := range map[string]time.Duration{
		"access token lifetime": c.AccessLifetime, "refresh token lifetime": c.RefreshLifetime,
		"read timeout": c.ReadTimeout, "write timeout": c.WriteTimeout,
		"idle timeout": c.IdleTimeout, "request timeout": c.RequestTimeout,
	} {
		if d < 0 {
			wrong = append(wrong, fmt.Errorf("%s must not be negative", name))
		}
	}
	if c.AccessLifetime > MaxLifetime || c.RefreshLifetime > MaxLifetime {
		wrong = append(wrong, errors.New("token lifetimes are at most ten years; 0 means no expiry"))
	}
	if c.MaxBody < 0 || c.MaxHeader < 0 || c.MaxConns < 0 || c.MaxInFlight < 0 || c.MaxPage < 0 || c.BufferSize < 0 {
		wrong = append(wrong, errors.New("limits must not be negative"))
	}
	if c.RatePerToken < 0 || c.RatePerToken > 0 && c.RateBurst < 1 {
		wrong = append(wrong, errors.New("a rate must not be negative and needs a burst of at least 1"))
	}
	if c.IdempotencyLifetime <= 0 || c.IdempotencyAnswer < 0 || c.IdempotencyMemory < 0 {
		wrong = append(wrong, errors.New("the lifetime of idempotency keys must be positive, and their sizes not negative"))
	}
	if strings.ContainsAny(c.CORS, "\r\n\x00") {
		wrong = append(wrong, errors.New("the CORS value must be one line"))
	}
	if len(wrong) > 0 {
		return fmt.Errorf("server configuration: %w", errors.Join(wrong...))
	}
	return nil
}
