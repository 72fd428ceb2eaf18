package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"
)

// longRead is a page of every version that is streamed and far longer than what sockets hold.
func longRead() string {
	user := "('create_uid', ('id', 'login', ('partner_id', ('id', 'name', 'email', 'street', 'city', 'zip', ('country_id', ('id', 'name', 'code')))), ('company_id', ('id', 'name'))))"
	return "/api/ir.model.data?include_fields=" + url.QueryEscape("['module', 'model', 'res_id', 'noupdate', 'create_date', 'write_date', "+user+", "+strings.Replace(user, "create_uid", "write_uid", 1)+"]")
}

// stalled is a read whose answer the client has begun to take and then leaves alone.
type stalled struct {
	conn   net.Conn
	reader *bufio.Reader
}

// stall starts a long read and takes no more than its headers.
func (v *service) stall(t *testing.T, token string) stalled {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(v.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := errors.Join(conn.(*net.TCPConn).SetReadBuffer(16<<10), conn.SetDeadline(time.Now().Add(3*time.Minute))); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAccess-Token: %s\r\nConnection: close\r\n\r\n", longRead(), token); err != nil {
		t.Fatal(err)
	}
	s := stalled{conn: conn, reader: bufio.NewReaderSize(conn, 4<<10)}
	line, err := s.reader.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 200 ") {
		t.Fatalf("the long read: %q, %v", line, err)
	}
	for line != "\r\n" {
		if line, err = s.reader.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// rest takes what is left of a stalled answer. It is torn where its chunks do not come to an end.
func (s stalled) rest() (body []byte, torn bool) {
	head := strings.NewReader("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(io.MultiReader(head, s.reader)), nil)
	if err != nil {
		return nil, true
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return body, err != nil
}

// Ensure that a signal to stop finishes a read that is being streamed, takes no new requests, and ends
// the process without an error.
func TestGracefulShutdown(t *testing.T) {
	s := shared(t, versions()[0])
	v := s.serve(t, nil, "--shutdown-timeout=2m")
	token := v.admin(t, s)
	running := v.stall(t, token)
	if err := v.process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	v.eventuallyTrue(t, "no new connections", func() bool {
		conn, err := net.DialTimeout("tcp", strings.TrimPrefix(v.url, "http://"), time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
	body, torn := running.rest()
	var page struct {
		Count   int
		Results []json.RawMessage
	}
	if err := json.Unmarshal(body, &page); torn || err != nil || page.Count != len(page.Results) || page.Count < 1000 {
		t.Errorf("the read that was running: %d bytes, torn %v, %d of %d records, %v", len(body), torn, len(page.Results), page.Count, err)
	}
	t.Logf("%d records, %.1f MB finished", page.Count, megabytes(int64(len(body))))
	// That the process ends without an error, serve checks.
}

// eventuallyTrue polls for a condition.
func (v *service) eventuallyTrue(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in time\n%s", what, v.log)
		}
	}
}

// Ensure that work beyond the limit is refused at once and told when to come again, that health is
// told all the same, and that the place of a finished or broken read is free again.
func TestOverload(t *testing.T) {
	s := shared(t, versions()[0])
	v := s.serve(t, nil, "--limits-in-flight=2")
	token := v.admin(t, s)
	read := func() answer { return v.send("GET", "/api/res.partner?limit=1", token, "") }
	first, second := v.stall(t, token), v.stall(t, token)
	if got := read(); got.status != 503 || got.code() != "overloaded" || got.header.Get("Retry-After") != "1" {
		t.Errorf("beyond the limit: %d %s %v", got.status, got.body, got.header)
	}
	if got := v.send("POST", "/api/auth/get_tokens", "", `{"username": "a", "password": "b"}`); got.status != 503 || got.code() != "overloaded" {
		t.Errorf("a login beyond the limit: %d %s", got.status, got.body)
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if got := v.send("GET", path, "", ""); got.status != 200 {
			t.Errorf("%s while overloaded: %d %s", path, got.status, got.body)
		}
	}
	if got := v.send("OPTIONS", "/api/res.partner", "", ""); got.status != 204 {
		t.Errorf("a preflight while overloaded: %d", got.status)
	}
	_ = first.conn.Close() // a client that hangs up
	v.eventually(t, "room after a client hung up", read, func(a answer) bool { return a.status == 200 })
	if _, torn := second.rest(); torn {
		t.Error("the second read was torn")
	}
	v.eventually(t, "room for two", func() answer { return v.send("GET", "/metrics", "", "") }, func(a answer) bool {
		return strings.Contains(string(a.body), "\nlateral_requests_in_flight 1\n") && strings.Contains(string(a.body), "\nlateral_responses_broken_total 1\n")
	})
	s.waitForQuiet(t, s.owner(t))
}

// Ensure that clients which do not send, do not read or do not leave are given up in time, and that
// the database does not go on working for them.
func TestSlowClients(t *testing.T) {
	s := shared(t, versions()[0])
	v := s.serve(t, nil, "--limits-read-timeout=1s", "--limits-write-timeout=1s", "--limits-idle-timeout=1s")
	token := v.admin(t, s)
	if got := v.raw(t, "POST /api/auth/get_tokens HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\n{\"username\""); !strings.HasPrefix(got, "HTTP/1.1 408 ") || !strings.Contains(got, "request_timeout") {
		t.Errorf("half a body: %q", got)
	}
	for _, half := range []string{"", "GET /api/res.partner HT", "GET /api/res.partner HTTP/1.1\r\nHost: x\r\nAccess-To"} {
		if got := v.raw(t, half); strings.Contains(got, " 200 ") {
			t.Errorf("%q: %q", half, got)
		}
	}
	// A connection kept alive is closed when nothing comes.
	if got := v.raw(t, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 200 ") || strings.Contains(got, "HTTP/1.1 408") {
		t.Errorf("an idle connection: %q", got)
	}
	reading := v.stall(t, token)
	broken := v.eventually(t, "the slow reader is given up", func() answer { return v.send("GET", "/metrics", "", "") }, func(a answer) bool {
		return strings.Contains(string(a.body), "\nlateral_responses_broken_total 1\n")
	})
	if !strings.Contains(string(broken.body), "\nlateral_pool_connections_acquired 0\n") {
		t.Errorf("a connection of the database is still in use:\n%.4000s", broken.body)
	}
	if body, torn := reading.rest(); !torn {
		t.Errorf("a part of %d bytes looks like the whole", len(body))
	}
	s.waitForQuiet(t, s.owner(t))
	if !strings.Contains(v.log.String(), "broken=true") {
		t.Errorf("the log does not tell of the broken answer:\n%s", v.log)
	}
}

// Ensure that waiting for a lock or for a statement ends in time and says so, that a token has its
// rate, and that the connection is fit for the next read.
func TestTimeouts(t *testing.T) {
	s := shared(t, versions()[0])
	v := s.serve(t, nil, "--database-lock-timeout=300ms", "--limits-request-timeout=20s")
	impatient := s.serve(t, nil, "--limits-request-timeout=6s", "--database-lock-timeout=0s")
	hasty := s.serve(t, nil, "--limits-rate=0.01", "--limits-burst=3")
	const path = "/api/res.bank?limit=1"
	token, other := v.admin(t, s), ""
	if got := v.send("GET", path, token, ""); got.status != 200 {
		t.Fatalf("before the lock: %d %s", got.status, got.body)
	}
	// What is asked of Odoo first may take longer than the impatient service waits, but is kept.
	answered := func(a answer) bool { return a.status == 200 }
	impatient.eventually(t, "a login", func() answer {
		got := impatient.send("POST", "/api/auth/get_tokens", "", `{"username": "admin", "password": "admin"}`)
		other = textOf(got.body, "access_token")
		return got
	}, answered)
	impatient.eventually(t, "a read", func() answer { return impatient.send("GET", path, other, "") }, answered)
	s.locked(t, "res_bank", func() {
		for name, got := range map[string]answer{
			"a lock": v.send("GET", path, token, ""), "a request": impatient.send("GET", path, other, ""),
		} {
			if got.status != 504 || got.code() != "timeout" {
				t.Errorf("the time of %s: %d %s", name, got.status, got.body)
			}
		}
	})
	for range 3 {
		a, b := v.send("GET", path, token, ""), impatient.send("GET", path, other, "")
		if a.status != 200 || b.status != 200 {
			t.Errorf("after the lock: %d %s, %d %s", a.status, a.body, b.status, b.body)
		}
	}
	statuses := ""
	limited := hasty.admin(t, s)
	for range 5 {
		got := hasty.send("GET", "/api/no.such", limited, "")
		statuses += fmt.Sprint(got.status, " ")
		if got.status == 429 && (got.code() != "too_many_requests" || got.header.Get("Retry-After") == "") {
			t.Errorf("beyond the rate: %s %v", got.body, got.header)
		}
	}
	if statuses != "404 404 404 429 429 " {
		t.Errorf("a rate of 3: %s", statuses)
	}
}

// locked runs something while nobody can read a table.
func (s *stand) locked(t *testing.T, table string, run func()) {
	t.Helper()
	ctx := context.Background()
	tx, err := s.owner(t).Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tx.Rollback(ctx); err != nil {
			t.Error(err)
		}
	}()
	if _, err := tx.Exec(ctx, "LOCK TABLE "+table+" IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	run()
}
