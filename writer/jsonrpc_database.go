package writer

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// databaseFor is how long it is believed that Odoo takes JSON-RPC's requests as ones of our database.
const databaseFor = time.Hour

// jsonDatabase makes Odoo serve /jsonrpc as a request of the configured database. Where it has
// several and none is chosen, 14.0 and 15.0 answer exceptions with a bare HTTP status 500 instead
// of telling them (14.0: odoo/http.py, _dispatch_nodb). A session that has chosen the database,
// though no user, makes them tell.
type jsonDatabase struct {
	mu      sync.Mutex
	checked time.Time
	cookie  *http.Cookie // nil: none is needed, or none helps
}

// chosen returns the cookie to send with requests of /jsonrpc, or nil.
func (x *XMLRPC) chosen(ctx context.Context) *http.Cookie {
	d := &x.database
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Since(d.checked) < databaseFor {
		return d.cookie
	}
	tells, err := x.tellsErrors(ctx, nil)
	if err != nil {
		return d.cookie
	}
	var cookie *http.Cookie
	if !tells {
		if cookie, err = x.chooseDatabase(ctx); err != nil {
			return d.cookie
		}
	}
	d.cookie, d.checked = cookie, time.Now()
	return cookie
}

// tellsErrors reports whether Odoo tells the exception of a request that it has no method for.
func (x *XMLRPC) tellsErrors(ctx context.Context, cookie *http.Cookie) (bool, error) {
	const nonsense = `{"jsonrpc": "2.0", "method": "call", "id": 1, "params": {"service": "common", "method": "", "args": []}}`
	_, err := x.send(ctx, "/jsonrpc", jsonHeader(cookie), message{nonsense})
	var status *statusError
	if errors.As(err, &status) && status.code == http.StatusInternalServerError {
		return false, nil
	}
	return err == nil, err
}

// chooseDatabase begins a session of the database, which belongs to no user, and returns its cookie:
// nil where Odoo gives none that helps.
func (x *XMLRPC) chooseDatabase(ctx context.Context) (*http.Cookie, error) {
	ctx, cancel := context.WithTimeout(ctx, x.config.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, x.config.URL+"/web?db="+url.QueryEscape(x.config.Database), nil)
	if err != nil {
		return nil, transportFault(ctx, err, true)
	}
	response, err := x.client.Do(request)
	if err != nil {
		return nil, transportFault(ctx, err, false)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)); err != nil {
		return nil, transportFault(ctx, err, false)
	}
	for _, cookie := range response.Cookies() {
		if cookie.Name != "session_id" {
			continue
		}
		if tells, err := x.tellsErrors(ctx, cookie); tells || err != nil {
			return cookie, err
		}
	}
	return nil, nil
}

func jsonHeader(cookie *http.Cookie) http.Header {
	header := http.Header{"Content-Type": {"application/json"}}
	if cookie != nil {
		header.Set("Cookie", cookie.Name+"="+cookie.Value)
	}
	return header
}
