package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// slowRate is how many bytes a slow client takes in a second.
const slowRate = 200 << 10

// streams measures one page of all orders, nested, to clients that take what they get and to one that takes 200 kB/s.
func (b *bench) streams(ctx context.Context) error {
	everything := func(body io.Reader) (int64, error) { return io.Copy(io.Discard, body) }
	for _, client := range []struct {
		name, coding string
		take         func(body io.Reader) (int64, error)
	}{
		{"fast client", "identity", everything},
		{"fast client, zstd", "zstd", everything},
		{"client of 200 kB/s, 20 s of it", "identity", func(body io.Reader) (int64, error) { return takeSlowly(body, 20*time.Second) }},
	} {
		b.say("all orders as one stream, %s", client.name)
		s, err := b.stream(ctx, client.coding, client.take)
		if err != nil {
			return err
		}
		s.Name = client.name
		b.report.Streams = append(b.report.Streams, s)
	}
	return nil
}

// stream measures a stream in a content coding to a client.
func (b *bench) stream(ctx context.Context, coding string, take func(body io.Reader) (int64, error)) (Stream, error) {
	page := b.find("page")
	// One page first, so that what a service keeps is counted as idle.
	if _, err := b.service.get(ctx, "/api/sale.order"+page.Page.query(), page.Role); err != nil {
		return Stream{}, err
	}
	idle, err := memory(b.service.pid, "VmRSS")
	if err != nil {
		return Stream{}, err
	}
	if err := resetPeak(b.service.pid); err != nil {
		return Stream{}, err
	}
	begin := time.Now()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.service.address+"/api/sale.order?order=id", http.NoBody)
	if err != nil {
		return Stream{}, err
	}
	request.Header.Set("Access-Token", b.service.tokens[page.Role])
	request.Header.Set("Accept-Encoding", coding)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return Stream{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return Stream{}, fmt.Errorf("the stream is answered with %s", response.Status)
	}
	var s Stream
	if _, err := io.ReadFull(response.Body, make([]byte, 1)); err != nil {
		return Stream{}, err
	}
	s.FirstByte = time.Since(begin)
	if s.Bytes, err = take(response.Body); err != nil {
		return Stream{}, err
	}
	s.Took = time.Since(begin)
	peak, err := memory(b.service.pid, "VmHWM")
	s.AboveIdle = max(peak-idle, 0)
	return s, err
}

// takeSlowly reads at slowRate for a time.
func takeSlowly(body io.Reader, duration time.Duration) (int64, error) {
	const pieces = 20 // in a second
	ticker := time.NewTicker(time.Second / pieces)
	defer ticker.Stop()
	var taken int64
	for end := time.Now().Add(duration); time.Now().Before(end); {
		n, err := io.CopyN(io.Discard, body, slowRate/pieces)
		taken += n
		if errors.Is(err, io.EOF) {
			return taken, nil // there was no more
		}
		if err != nil {
			return taken, err
		}
		<-ticker.C
	}
	return taken, nil
}
