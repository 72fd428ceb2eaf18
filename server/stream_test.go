package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"lateral/reader"
)

// Ensure long pages are streamed, whole and valid.
func TestStream(t *testing.T) {
	for _, escape := range []bool{false, true} {
		h := setup(t, func(_ *Deps, c *Config) { c.EscapeUnicode = escape })
		h.reader.docs = docs(3000, 300)
		h.reader.docs[5] = fmt.Sprintf(`{"id": 6, "name": "é%s"}`, strings.Repeat("y", 5*pieceSize))
		h.reader.total = 9000
		got := h.do("GET", "/v2/res.partner?count=true", "")
		if got.err != nil || got.status != 200 || got.header.Get("Content-Length") != "" || got.header.Get("X-Read-Path") != "direct" {
			t.Fatalf("got %d, %v, %v", got.status, got.err, got.header)
		}
		var page struct {
			Results []struct {
				ID int `json:"id"`
			} `json:"results"`
			Count int `json:"count"`
			Total int `json:"total"`
		}
		if err := json.Unmarshal([]byte(got.body), &page); err != nil {
			t.Fatal(err)
		}
		if page.Count != 3000 || page.Total != 9000 || len(page.Results) != 3000 || page.Results[2999].ID != 3000 {
			t.Errorf("got %d of %d, %d records", page.Count, page.Total, len(page.Results))
		}
		if strings.Contains(got.body, "é") == escape {
			t.Error("escaping was not as configured")
		}
		if h.reader.closed.Load() != 1 {
			t.Error("the answer was not closed")
		}
	}
}

// Ensure a stream that fails breaks, so that the client sees an error and not a short list.
func TestStreamAborts(t *testing.T) {
	h := setup(t, nil)
	h.reader.docs = docs(3000, 300)
	h.reader.torn = errors.New("connection lost")
	got := h.do("GET", "/api/res.partner", "")
	if !errors.Is(got.err, io.ErrUnexpectedEOF) {
		t.Errorf("got %d bytes and %v", len(got.body), got.err)
	}
	if h.reader.closed.Load() != 1 {
		t.Error("the answer was not closed")
	}
	if got := h.anonymous("GET", "/metrics", ""); !strings.Contains(got.body, "lateral_responses_broken_total 1") {
		t.Errorf("not counted: %s", got.body)
	}
	if logged := h.logged.String(); !strings.Contains(logged, "connection lost") || !strings.Contains(logged, `"broken":true`) {
		t.Errorf("not logged: %s", logged)
	}
}

// Ensure an error before the buffer is full is still an ordinary error.
func TestErrorBeforeStream(t *testing.T) {
	h := setup(t, nil)
	h.reader.docs = docs(10, 300)
	h.reader.torn = &reader.Error{Kind: reader.DatabaseUnavailable, Message: "gone"}
	if got := h.do("GET", "/api/res.partner", ""); got.status != 503 || got.code() != "database_unavailable" {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

// Ensure clients of HTTP/1.0 get long pages in one piece.
func TestStreamToOldClient(t *testing.T) {
	h := setup(t, nil)
	h.reader.docs = docs(3000, 300)
	got := h.raw("GET /api/res.partner HTTP/1.0\r\nAccess-Token: " + token + "\r\n\r\n")
	if !strings.Contains(got, "Content-Length: ") || strings.Contains(got, "chunked") || !strings.HasSuffix(got, "]}") {
		t.Errorf("got %.300s", got)
	}
}

// Ensure a client that reads nothing is given up after the write timeout, and its answer closed.
func TestStreamToStuckClient(t *testing.T) {
	closed := make(chan struct{})
	h := setup(t, func(d *Deps, c *Config) {
		c.WriteTimeout = 20 * time.Millisecond
		d.Reader = closeSignal{d.Reader, closed}
	})
	h.reader.docs = docs(3000, 300)
	request, err := http.NewRequest("GET", "http://lateral/api/res.partner", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Access-Token", token)
	conn, err := h.network.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := request.Write(conn); err != nil {
		t.Fatal(err)
	}
	// Nothing is read: the pipe has no buffer, so the first piece waits.
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Fatal("the server still waits")
	}
}

// closeSignal closes done when the answer is closed.
type closeSignal struct {
	Reader
	done chan struct{}
}

func (c closeSignal) Read(ctx context.Context, who credentials, q reader.Query) (Rows, error) {
	rows, err := c.Reader.Read(ctx, who, q)
	return signalRows{rows, c.done}, err
}

type signalRows struct {
	Rows
	done chan struct{}
}

func (r signalRows) Close() error {
	close(r.done)
	return r.Rows.Close()
}

// Ensure shutting down waits for a stream and lets it end.
func TestShutdownFinishesStreams(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	h := setup(t, nil)
	h.reader.docs = docs(3000, 300)
	h.reader.read = func(context.Context) error {
		close(started)
		<-release
		return nil
	}
	answered := make(chan answer, 1)
	go func() { answered <- h.do("GET", "/api/res.partner", "") }()
	<-started
	stopped := make(chan error, 1)
	go func() { stopped <- h.server.Shutdown(context.Background()) }()
	for !h.server.draining.Load() {
		time.Sleep(time.Millisecond)
	}
	close(release)
	if got := <-answered; got.err != nil || got.status != 200 || !strings.HasSuffix(got.body, `"count": 3000}`) {
		t.Errorf("got %d, %v", got.status, got.err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// Ensure shutting down stops what does not end in time.
func TestShutdownGivesUp(t *testing.T) {
	started := make(chan struct{})
	h := setup(t, nil)
	h.reader.read = func(ctx context.Context) error {
		close(started)
		<-ctx.Done()
		return ctx.Err()
	}
	answered := make(chan answer, 1)
	go func() { answered <- h.do("GET", "/api/res.partner", "") }()
	<-started
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := h.server.Shutdown(ctx); err == nil {
		t.Error("it claims to have finished")
	}
	if got := <-answered; got.status != 503 || got.code() != "overloaded" {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

// Ensure pieces of a stream arrive while the rest is not there yet.
func TestStreamIsIncremental(t *testing.T) {
	release := make(chan struct{})
	h := setup(t, func(d *Deps, _ *Config) { d.Reader = heldReader{d.Reader, 2000, release} })
	h.reader.docs = docs(3000, 300)
	conn, err := h.network.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /api/res.partner HTTP/1.1\r\nHost: x\r\nAccess-Token: "+token+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, response.Body, 400_000); err != nil {
		t.Fatal(err)
	}
	close(release)
	rest, err := io.ReadAll(response.Body)
	if err != nil || !strings.HasSuffix(string(rest), `"count": 3000}`) {
		t.Errorf("got %d bytes, %v", len(rest), err)
	}
}

// heldReader's answers stop after some records until release is closed.
type heldReader struct {
	Reader
	after   int
	release chan struct{}
}

func (r heldReader) Read(ctx context.Context, who credentials, q reader.Query) (Rows, error) {
	rows, err := r.Reader.Read(ctx, who, q)
	return &heldRows{Rows: rows, left: r.after, release: r.release}, err
}

type heldRows struct {
	Rows
	left    int
	release chan struct{}
}

func (r *heldRows) Next(ctx context.Context) ([]byte, error) {
	if r.left--; r.left == 0 {
		<-r.release
	}
	return r.Rows.Next(ctx)
}
