package server

import (
	"errors"
	"hash/maphash"
	"math"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// admit takes a slot for the request's work, which finish gives back. Work that finds none is
// refused at once: a queue would only make everybody's answers late.
func (x *exchange) admit() error {
	if x.s.draining.Load() {
		return overloaded("The server is shutting down.")
	}
	if x.s.slots == nil {
		return nil
	}
	select {
	case x.s.slots <- struct{}{}:
		x.slot = true
		return nil
	default:
		return overloaded("The server works on as many requests as it may.")
	}
}

// unreadable answers where a request could not be received or understood as HTTP.
func (s *Server) unreadable(ctx *fasthttp.RequestCtx, err error) {
	x := s.newExchange(ctx)
	s.deps.Metrics.inFlight.Inc()
	x.route = "unreadable"
	var header *fasthttp.ErrSmallBuffer
	var late interface{ Timeout() bool } // of networks and of fasthttp's pipes
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		x.fail(tooLarge("The request body is larger than this server takes."))
	case errors.As(err, &header):
		x.fail(tooLarge("The request's URL and headers are larger than this server takes."))
	case errors.As(err, &late) && late.Timeout():
		x.fail(same(fasthttp.StatusRequestTimeout, "request_timeout", "The request did not arrive in time."))
	default:
		x.fail(badRequest("The request is not valid HTTP."))
	}
	x.finish(nil)
}

// rateLimit lets every key make requests at a rate, in bursts (the generic cell rate algorithm:
// all that is kept of a key is when its present burst would be worn off).
type rateLimit struct {
	interval time.Duration // between two requests of a key
	burst    time.Duration // by how much a key may run ahead

	seed maphash.Seed
	mu   sync.Mutex
	ends map[uint64]time.Time
	swap time.Time // when keys that are worn off are next dropped
}

// rateSweep is how often the keys of a rateLimit are looked through.
const rateSweep = time.Minute

func newRateLimit(perSecond float64, burst int) *rateLimit {
	interval := time.Duration(float64(time.Second) / perSecond)
	return &rateLimit{
		interval: interval,
		burst:    interval * time.Duration(burst-1),
		seed:     maphash.MakeSeed(),
		ends:     make(map[uint64]time.Time),
	}
}

// take counts a request of a key and returns 0, or how long to wait before the next is taken.
func (r *rateLimit) take(key string, now time.Time) time.Duration {
	hash := maphash.String(r.seed, key)
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.After(r.swap) {
		for key, end := range r.ends {
			if end.Before(now) {
				delete(r.ends, key)
			}
		}
		r.swap = now.Add(rateSweep)
	}
	end := r.ends[hash]
	if end.Before(now) {
		end = now
	}
	if ahead := end.Sub(now); ahead > r.burst {
		return ahead - r.burst
	}
	r.ends[hash] = end.Add(r.interval)
	return 0
}

// wholeSeconds rounds up, as Retry-After wants it.
func wholeSeconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }
