package bench

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// measured is what a load of requests found.
type measured struct {
	Requests int
	Took     time.Duration
	// Times of all requests, sorted. In an open loop a request's time counts from when it was due, not from when a
	// client was free for it, so that a stall is felt by all that it delays.
	Times []time.Duration
}

// perSecond is the throughput.
func (m measured) perSecond() float64 { return float64(m.Requests) / m.Took.Seconds() }

// quantile returns the time within which a share of the requests was answered.
func (m measured) quantile(share float64) time.Duration {
	if len(m.Times) == 0 {
		return 0
	}
	return m.Times[min(int(share*float64(len(m.Times))), len(m.Times)-1)]
}

// client makes one request; it is used by one goroutine at a time.
type client interface {
	do(ctx context.Context) error
	close()
}

// closedLoop keeps clients busy for a time, each with one request after the other.
func closedLoop(ctx context.Context, clients []client, duration time.Duration) (measured, error) {
	var (
		mu     sync.Mutex
		wait   sync.WaitGroup
		m      measured
		failed error
	)
	begin := time.Now()
	end := begin.Add(duration)
	for _, c := range clients {
		wait.Go(func() {
			var times []time.Duration
			var err error
			// At least one request each, however long it takes.
			for now := time.Now(); err == nil && (len(times) == 0 || now.Before(end)); {
				err = c.do(ctx)
				after := time.Now()
				times = append(times, after.Sub(now))
				now = after
			}
			mu.Lock()
			defer mu.Unlock()
			m.Times = append(m.Times, times...)
			failed = errors.Join(failed, err)
		})
	}
	wait.Wait()
	m.Took = time.Since(begin)
	m.Requests = len(m.Times)
	slices.Sort(m.Times)
	return m, failed
}

// openLoop makes requests at a fixed rate for a time, whatever becomes of earlier ones.
func openLoop(ctx context.Context, clients []client, rate float64, duration time.Duration) (measured, error) {
	var (
		mu     sync.Mutex
		wait   sync.WaitGroup
		m      measured
		failed error
	)
	interval := time.Duration(float64(time.Second) / rate)
	total := int(rate * duration.Seconds())
	begin := time.Now()
	due := make(chan time.Time, total)
	for _, c := range clients {
		wait.Go(func() {
			var times []time.Duration
			var err error
			for at := range due {
				if err == nil {
					err = c.do(ctx)
				}
				times = append(times, time.Since(at))
			}
			mu.Lock()
			defer mu.Unlock()
			m.Times = append(m.Times, times...)
			failed = errors.Join(failed, err)
		})
	}
	for i := range total {
		at := begin.Add(time.Duration(i) * interval)
		time.Sleep(time.Until(at))
		due <- at
	}
	close(due)
	wait.Wait()
	m.Took = time.Since(begin)
	m.Requests = len(m.Times)
	slices.Sort(m.Times)
	return m, failed
}
