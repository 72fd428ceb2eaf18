package writer

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Times of looking for a session of the database.
const (
	databaseFor   = time.Hour        // how long what was found is believed
	databaseAgain = 5 * time.Second  // after a failure, until it is tried again
	databaseWait  = 10 * time.Second // longest wait for Odoo
)

// databaseSession makes Odoo serve calls as requests of the configured database, through a session
// that has chosen the database, though no user. Odoo below 19.0 knows no other way to say it
// beforehand, and without it asks PostgreSQL for the list of all databases at every call, which
// takes several times as long as a small call itself (14.0: odoo/http.py, setup_db). Where it then
// finds several, 14.0 and 15.0 answer the exceptions of /jsonrpc with a bare HTTP status 500 instead
// of telling them (odoo/http.py, _dispatch_nodb).
type databaseSession struct {
	looking chan struct{} // holds one element while somebody looks
	until   time.Time     // when to look again
	cookie  *http.Cookie  // nil: none is needed, or none helps
}

// newDatabaseSession returns one that has not looked yet.
func newDatabaseSession() databaseSession {
	return databaseSession{looking: make(chan struct{}, 1)}
}

// sessionOf returns the cookie to send with calls, nil for none.
func (x *XMLRPC) sessionOf(ctx context.Context) *http.Cookie {
	d := &x.database
	select {
	case d.looking <- struct{}{}:
		defer func() { <-d.looking }()
	case <-ctx.Done():
		return nil
	}
	if time.Now().Before(d.until) {
		return d.cookie
	}
	looking, cancel := context.WithTimeout(ctx, databaseWait)
	defer cancel()
	cookie, err := x.chooseDatabase(looking)
	if err != nil {
		// The call itself will tell what is wrong with Odoo.
		if ctx.Err() == nil {
			d.until = time.Now().Add(databaseAgain)
		}
		return d.cookie
	}
	d.cookie, d.until = cookie, time.Now().Add(databaseFor)
	return d.cookie
}

// chooseDatabase begins a session of the database, which belongs to no user, and returns its cookie:
// nil where Odoo gives none, as 19.0 does where a header names the database, or none that helps.
func (x *XMLRPC) chooseDatabase(ctx context.Context) (*http.Cookie, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, x.config.URL+"/web?db="+url.QueryEscape(x.config.Database), nil)
	if err != nil {
		return nil, transportFault(ctx, err, true)
	}
	request.Header.Set(databaseHeader, x.config.Database)
	response, err := x.client.Do(request)
	if err != nil {
		return nil, transportFault(ctx, err, false)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)); err != nil {
		return nil, transportFault(ctx, err, false)
	}
	for _, cookie := range response.Cookies() {
		if cookie.Name != sessionCookie {
			continue
		}
		if tells, err := x.tellsErrors(ctx, cookie); tells || err != nil {
			return cookie, err
		}
	}
	return nil, nil
}

// tellsErrors reports whether Odoo tells the exception of a request that it has no method for, as it
// does where the cookie's session has a database.
func (x *XMLRPC) tellsErrors(ctx context.Context, cookie *http.Cookie) (bool, error) {
	const nonsense = `{"jsonrpc": "2.0", "method": "call", "id": 1, "params": {"service": "common", "method": "", "args": []}}`
	_, err := x.post(ctx, "/jsonrpc", jsonContent, cookie, message{nonsense})
	var status *statusError
	if errors.As(err, &status) && status.code == http.StatusInternalServerError {
		return false, nil
	}
	return err == nil, err
}
