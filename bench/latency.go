package bench

import (
	"context"
	"math/rand/v2"
	"time"
)

// latency measures how long reads take while they come in at half the rate that lateral can sustain: nine of ten are
// of one order, one is a page.
func (b *bench) latency(ctx context.Context) error {
	one, page := b.find("one"), b.find("page")
	mixed := func() client {
		return &mixedClient{
			often: b.service.client(one, func() read { return one.next(b.clones) }),
			rare:  b.service.client(page, func() read { return page.next(b.clones) }),
		}
	}
	const clients = 16
	b.say("latency: how much mixed load is sustained")
	saturated, err := loop(ctx, clients, b.Duration, mixed)
	if err != nil {
		return err
	}
	rate := saturated.perSecond() / 2
	b.say("latency: %.0f requests/s", rate)
	list := []client{}
	for range clients {
		c := mixed()
		defer c.close()
		list = append(list, c)
	}
	m, err := openLoop(ctx, list, rate, time.Duration(b.Rounds)*b.Duration)
	if err != nil {
		return err
	}
	b.report.Latency = &Latency{
		Saturated: saturated.perSecond(), Rate: rate, Requests: m.Requests,
		P50: m.quantile(0.5), P90: m.quantile(0.9), P99: m.quantile(0.99), P999: m.quantile(0.999),
	}
	return nil
}

// mixedClient makes a rare request now and then, for one in ten: by chance, since clients that count to ten would do so in step,
// and ask for their pages all at once.
type mixedClient struct {
	often, rare client
}

func (c *mixedClient) do(ctx context.Context) error {
	if rand.IntN(10) == 0 {
		return c.rare.do(ctx)
	}
	return c.often.do(ctx)
}

func (c *mixedClient) close() {
	c.often.close()
	c.rare.close()
}
