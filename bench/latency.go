package bench

import (
	"context"
	"math/rand/v2"
)

const (
	// latencyClients is how many clients there are for the mixed load.
	latencyClients = 16
	// latencyRounds is how many rounds there are for each of the comparison: the tail of a few seconds is mostly what else happened
	// in them.
	latencyRounds = 3
)

// latency measures how long reads take while they come in at half the rate that lateral can sustain: nine of ten are
// of one order, one is a page. It does so in rounds, each of which first finds what is sustained and then sends at half of that,
// so that both are of the machine as it is in that minute.
func (b *bench) latency(ctx context.Context) error {
	one, page := b.find("one"), b.find("page")
	mixed := func() client {
		return &mixedClient{
			often: b.service.client(one, func() read { return one.next(b.clones) }),
			rare:  b.service.client(page, func() read { return page.next(b.clones) }),
		}
	}
	found := &Latency{}
	rounds := latencyRounds * b.Rounds
	for round := range rounds {
		b.say("latency of mixed load: round %d of %d", round+1, rounds)
		saturated, err := loop(ctx, latencyClients, b.Duration/latencyRounds, mixed)
		if err != nil {
			return err
		}
		sustained := saturated.perSecond()
		m, err := b.openTurn(ctx, sustained/2, mixed)
		if err != nil {
			return err
		}
		found.Rounds = append(found.Rounds, LatencyRound{
			Saturated: sustained, Rate: sustained / 2, Requests: m.Requests,
			P50: m.quantile(0.5), P90: m.quantile(0.9), P99: m.quantile(0.99), P999: m.quantile(0.999),
		})
	}
	found.finish()
	b.report.Latency = found
	return nil
}

// openTurn is a turn of requests at a fixed rate.
func (b *bench) openTurn(ctx context.Context, rate float64, make func() client) (measured, error) {
	list := []client{}
	for range latencyClients {
		c := make()
		defer c.close()
		list = append(list, c)
	}
	return openLoop(ctx, list, rate, b.Duration)
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
