package bench

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/valyala/fasthttp"

	"lateral/pg/socket"
)

// httpClient is a keep-alive connection to lateral that makes the reads of a workload.
type httpClient struct {
	host     *fasthttp.HostClient
	request  fasthttp.Request
	response fasthttp.Response
	base     string
	next     func() read
}

// dial connects so that a client takes as little of the processors as it can, which it shares with what it measures.
func dial(address string) (net.Conn, error) {
	conn, err := fasthttp.Dial(address)
	if err != nil {
		return nil, err
	}
	return socket.Wrap(conn), nil
}

// client returns a client of a workload's reads.
func (s *service) client(w workload, next func() read) client {
	c := &httpClient{
		host: &fasthttp.HostClient{Addr: s.address, Dial: dial, MaxConns: 1, ReadTimeout: time.Minute, DisablePathNormalizing: true},
		base: "http://" + s.address + "/api/" + w.Model, next: next,
	}
	c.request.Header.Set("Access-Token", s.tokens[w.Role])
	if w.Poll {
		return &pollingClient{c}
	}
	return c
}

func (c *httpClient) do(context.Context) error {
	if err := c.send(); err != nil {
		return err
	}
	return c.want(fasthttp.StatusOK)
}

func (c *httpClient) send() error {
	c.request.SetRequestURI(c.base + c.next().query())
	if err := c.host.Do(&c.request, &c.response); err != nil {
		return fmt.Errorf("lateral: %w", err)
	}
	return nil
}

func (c *httpClient) want(status int) error {
	if got := c.response.StatusCode(); got != status {
		return fmt.Errorf("lateral: %d: %.300s", got, c.response.Body())
	}
	return nil
}

func (c *httpClient) close() { c.host.CloseIdleConnections() }

// pollingClient asks for the same again and tells which answer it has.
type pollingClient struct{ *httpClient }

func (c *pollingClient) do(context.Context) error {
	asked := len(c.request.Header.Peek(fasthttp.HeaderIfNoneMatch)) > 0
	if err := c.send(); err != nil {
		return err
	}
	if asked {
		return c.want(fasthttp.StatusNotModified)
	}
	if tag := c.response.Header.Peek(fasthttp.HeaderETag); len(tag) > 0 {
		c.request.Header.SetBytesV(fasthttp.HeaderIfNoneMatch, tag)
	}
	return c.want(fasthttp.StatusOK)
}
