package stack

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress tells a waiting person what is being done and how long it took.
type progress struct {
	mu  sync.Mutex
	out io.Writer
}

func newProgress(out io.Writer) *progress {
	if out == nil {
		out = io.Discard
	}
	return &progress{out: out}
}

// step announces something that takes a while and returns a function that says it is done. Meanwhile it gives a sign
// of life now and then.
func (p *progress) step(format string, arguments ...any) (done func()) {
	what := fmt.Sprintf(format, arguments...)
	start := time.Now()
	p.print("%s ...", what)
	end := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		ticker := time.NewTicker(20 * time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				p.print("%s ... %.0f s", what, time.Since(start).Seconds())
			case <-end:
				return
			}
		}
	})
	return func() {
		close(end)
		wait.Wait()
		p.print("%s: %.1f s", what, time.Since(start).Seconds())
	}
}

func (p *progress) print(format string, arguments ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// Progress that cannot be shown is no reason to stop.
	_, _ = fmt.Fprintf(p.out, "stack: "+format+"\n", arguments...)
}
