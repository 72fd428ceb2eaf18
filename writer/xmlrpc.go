package writer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kolo/xmlrpc"

	"lateral/auth"
)

// Config configures the way to Odoo.
type Config struct {
	// URL is Odoo's address, such as "https://odoo.example.com"; Database the database's name.
	URL, Database string
	// Timeout is the longest a call may take, waiting for a connection included; 0 means two
	// minutes. The context of a call can only shorten it.
	Timeout time.Duration
	// MaxConns bounds the connections, and so the calls, at a time; 0 means 16.
	MaxConns int
	// MaxResponse bounds the bytes of an answer; 0 means 128 MiB.
	MaxResponse int64
	// Observe, if set, is told each call's method ("res.partner.read", "authenticate"), duration
	// and outcome: "ok" or the name of a Kind. It must be safe for concurrent use.
	Observe func(method string, d time.Duration, outcome string)
}

// XMLRPC is the Caller that speaks XML-RPC, Odoo's second endpoint, which 14.0 to 19.0 have. It is
// safe for concurrent use and keeps connections open between calls.
type XMLRPC struct {
	config Config
	client *http.Client
	slots  chan struct{}

	database databaseSession
}

var _ Caller = (*XMLRPC)(nil)

// Where no connection can be made, it is tried again after these pauses, each three times the one
// before: an Odoo that restarts one of its processes is back by then.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 300 * time.Millisecond
)

// NewXMLRPC returns a Caller. It does not connect yet.
func NewXMLRPC(config Config) *XMLRPC {
	config.URL = strings.TrimRight(config.URL, "/")
	if config.Timeout <= 0 {
		config.Timeout = 2 * time.Minute
	}
	if config.MaxConns <= 0 {
		config.MaxConns = 16
	}
	if config.MaxResponse <= 0 {
		config.MaxResponse = 128 << 20
	}
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxConnsPerHost:     config.MaxConns,
		MaxIdleConns:        config.MaxConns,
		MaxIdleConnsPerHost: config.MaxConns,
		// Servers and proxies close idle connections after a minute or so. A call sent just then
		// fails, and may not be repeated, so this side closes first.
		IdleConnTimeout: 20 * time.Second,
	}
	return &XMLRPC{
		config: config,
		client: &http.Client{
			Transport: transport,
			// A redirect leads to a login page or to another scheme; the secret does not follow it.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		slots:    make(chan struct{}, config.MaxConns),
		database: newDatabaseSession(),
	}
}

// Close closes the idle connections.
func (x *XMLRPC) Close() { x.client.CloseIdleConnections() }

// Authenticate checks a login; the secret is a password or an API key. See Caller.
func (x *XMLRPC) Authenticate(ctx context.Context, login, secret string) (int64, error) {
	c := call{method: "authenticate", secret: secret}
	result, err := x.do(ctx, "common", "authenticate", c, x.config.Database, login, secret, map[string]any{})
	if err != nil {
		return 0, err
	}
	// A refused login is not a fault but the answer false (19.0: odoo/service/common.py,
	// exp_authenticate).
	uid, ok := result.(int64)
	if !ok || uid <= 0 {
		return 0, &Fault{Kind: AccessDenied, class: "AccessDenied", Message: "Access Denied"}
	}
	return uid, nil
}

// Execute calls a method. See Caller.
func (x *XMLRPC) Execute(ctx context.Context, who auth.Credentials, model, method string, args []any, kwargs map[string]any) (any, error) {
	c := call{model: model, method: method, uid: who.UID, secret: who.Secret}
	if strings.HasPrefix(method, "_") {
		return nil, privateMethod(c, true)
	}
	if args == nil {
		args = []any{}
	}
	if kwargs == nil {
		kwargs = map[string]any{}
	}
	result, err := x.do(ctx, "object", "execute_kw", c, x.config.Database, who.UID, who.Secret, model, method, args, kwargs)
	if unanswerable(method, err) {
		return x.executeAgain(ctx, who, c, args, kwargs, err)
	}
	return result, err
}

// Version returns Odoo's version, such as "19.0-20260101". It needs no login and shows that Odoo
// answers.
func (x *XMLRPC) Version(ctx context.Context) (string, error) {
	result, err := x.do(ctx, "common", "version", call{method: "version"})
	if err != nil {
		return "", err
	}
	version, _ := result.(map[string]any)
	if text, ok := version["server_version"].(string); ok && text != "" {
		return text, nil
	}
	return "", &Fault{Kind: Internal, Message: "Odoo tells no version"}
}

// do makes one call and tells the observer of it.
func (x *XMLRPC) do(ctx context.Context, service, rpc string, c call, params ...any) (any, error) {
	began := time.Now()
	result, err := x.roundTrip(ctx, service, rpc, c, params)
	x.observe(ctx, c, began, err)
	return result, err
}

// observe tells the observer of a call that has ended, and its context where it is one that may
// change something.
func (x *XMLRPC) observe(ctx context.Context, c call, began time.Time, err error) {
	if c.model != "" && !repeatable[c.method] {
		Note(ctx, err)
	}
	if x.config.Observe == nil {
		return
	}
	name, outcome := c.method, "ok"
	if c.model != "" {
		name = c.model + "." + c.method
	}
	if fault, ok := errors.AsType[*Fault](err); ok {
		outcome = fault.Kind.String()
	}
	x.config.Observe(name, time.Since(began), outcome)
}

// roundTrip makes one call. Its errors are *Fault.
func (x *XMLRPC) roundTrip(ctx context.Context, service, rpc string, c call, params []any) (any, error) {
	body, err := encodeCall(rpc, params...)
	if err != nil {
		return nil, &Fault{Kind: BadValue, Message: err.Error(), unsent: true}
	}
	answer, err := x.send(ctx, "/xmlrpc/2/"+service, "text/xml", body)
	if err != nil {
		return nil, err
	}
	result, err := decodeResponse(answer)
	if err != nil {
		if fault, ok := errors.AsType[xmlrpc.FaultError](err); ok {
			return nil, parseFault(fault, c)
		}
		return nil, &Fault{Kind: Internal, Message: "Odoo's answer is not XML-RPC", cause: err}
	}
	return result, nil
}

// send posts a call within the configured time, once one of the connections is free.
func (x *XMLRPC) send(ctx context.Context, path, content string, body message) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, x.config.Timeout)
	defer cancel()
	select {
	case x.slots <- struct{}{}:
		defer func() { <-x.slots }()
	case <-ctx.Done():
		return nil, transportFault(ctx, ctx.Err(), true)
	}
	session := x.sessionOf(ctx)
	for pause := firstPause; ; pause *= 3 {
		answer, err := x.post(ctx, path, content, session, body)
		fault, failed := errors.AsType[*Fault](err)
		// What has not left cannot have run. Anything else is never sent twice.
		if !failed || !fault.unsent || fault.Kind != Unavailable || pause > lastPause {
			return answer, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// databaseHeader tells Odoo 19.0 the database of a request; without it, it asks PostgreSQL for the
// list of all databases before every call (odoo/http.py, _get_session_and_dbname). Older Odoos do
// not know it.
const databaseHeader = "X-Odoo-Database"

// post sends a call's body of the content type, in a session or in none, and returns the answer's.
func (x *XMLRPC) post(ctx context.Context, path, content string, session *http.Cookie, body message) ([]byte, error) {
	// Without a connection nothing has left; with one, anything may have.
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, x.config.URL+path, body.reader())
	if err != nil {
		return nil, transportFault(ctx, err, true)
	}
	request.ContentLength = body.size()
	request.GetBody = func() (io.ReadCloser, error) { return body.reader(), nil }
	request.Header.Set("Content-Type", content)
	request.Header.Set(databaseHeader, x.config.Database)
	if session != nil {
		request.Header.Set("Cookie", session.Name+"="+session.Value)
	}
	response, err := x.client.Do(request)
	if err != nil {
		return nil, transportFault(ctx, err, !connected.Load())
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, statusFault(response.StatusCode)
	}

	var answer bytes.Buffer
	if response.ContentLength > 0 && response.ContentLength <= x.config.MaxResponse {
		answer.Grow(int(response.ContentLength) + bytes.MinRead)
	}
	if _, err := answer.ReadFrom(io.LimitReader(response.Body, x.config.MaxResponse+1)); err != nil {
		return nil, transportFault(ctx, err, false)
	}
	if int64(answer.Len()) > x.config.MaxResponse {
		return nil, &Fault{Kind: TooLarge, Message: fmt.Sprintf("Odoo's answer is bigger than %d bytes", x.config.MaxResponse)}
	}
	return answer.Bytes(), nil
}

// transportFault describes a call that got no answer.
func transportFault(ctx context.Context, err error, unsent bool) *Fault {
	// What http wraps around an error is the address, which is nobody's business but the
	// configuration's.
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	fault := &Fault{Kind: Unavailable, Message: "Odoo cannot be reached", unsent: unsent, cause: err}
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		fault.Kind, fault.Message = Canceled, "the call was given up"
	case ctx.Err() != nil:
		fault.Kind, fault.Message = Timeout, "Odoo did not answer in time"
	case isNet && timeout.Timeout() && !unsent:
		fault.Kind, fault.Message = Timeout, "Odoo did not answer in time"
	}
	return fault
}

// statusFault describes an answer that is not Odoo's XML-RPC, whose own faults come with status
// 200. A 500 is what Odoo gives where it fails before it gets to the call, mostly for want of its
// database (14.0: odoo/http.py, setup_db).
func statusFault(status int) *Fault {
	cause := &statusError{code: status}
	text := "Odoo answered with " + cause.Error()
	switch {
	case status == http.StatusGatewayTimeout, status == http.StatusRequestTimeout:
		return &Fault{Kind: Timeout, Message: text, cause: cause}
	case status >= 500, status == http.StatusTooManyRequests:
		return &Fault{Kind: Unavailable, Message: text, cause: cause}
	case status >= 300 && status < 400:
		return &Fault{Kind: Unavailable, Message: text + ": Odoo's address leads elsewhere", cause: cause}
	case status == http.StatusNotFound:
		return &Fault{Kind: Unavailable, Message: text + ": there is no XML-RPC at Odoo's address", cause: cause}
	default:
		return &Fault{Kind: Internal, Message: text, cause: cause}
	}
}

// statusError is an HTTP status that is no answer to a call.
type statusError struct{ code int }

func (e *statusError) Error() string { return fmt.Sprintf("HTTP status %d", e.code) }
