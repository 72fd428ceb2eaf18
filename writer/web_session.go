package writer

import (
	"bytes"
	"container/list"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"lateral/auth"
)

// webSessions keeps the web sessions that reports are fetched with, one per access token. They are
// bounded: beyond, the one that was not used for longest goes. A session ends with its token.
type webSessions struct {
	most int
	now  func() time.Time

	mu     sync.Mutex
	known  map[auth.Key]*list.Element // of *webSession
	recent *list.List                 // the one used last in front
}

func newWebSessions(most int, now func() time.Time) *webSessions {
	return &webSessions{most: most, now: now, known: map[auth.Key]*list.Element{}, recent: list.New()}
}

// of returns the session of a user's token, which may not be open yet. Credentials without a token
// get one that nobody keeps.
func (w *webSessions) of(who auth.Credentials) *webSession {
	if who.Token == (auth.Key{}) {
		return newWebSession(who)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expire()
	if found, ok := w.known[who.Token]; ok {
		w.recent.MoveToFront(found)
		return found.Value.(*webSession)
	}
	for w.recent.Len() >= w.most {
		w.drop(w.recent.Back())
	}
	session := newWebSession(who)
	w.known[who.Token] = w.recent.PushFront(session)
	return session
}

// forget drops the session of a token.
func (w *webSessions) forget(token auth.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if found, ok := w.known[token]; ok {
		w.drop(found)
	}
}

// expire drops the sessions whose tokens have ended. There are few, so that all are looked at.
func (w *webSessions) expire() {
	for at := w.recent.Front(); at != nil; {
		next := at.Next()
		if ends := at.Value.(*webSession).ends; !ends.IsZero() && !w.now().Before(ends) {
			w.drop(at)
		}
		at = next
	}
}

func (w *webSessions) drop(at *list.Element) {
	delete(w.known, at.Value.(*webSession).token)
	w.recent.Remove(at)
}

// webSession is one session of Odoo's web client.
type webSession struct {
	token auth.Key
	ends  time.Time // zero: never

	opening chan struct{} // holds one element while somebody opens or looks
	cookie  string        // empty: not open
	// refused is Odoo's refusal of a session, until when it is not asked again, zero for the token's
	// life: Odoo counts failed logins by address and, after some, refuses everybody's.
	refused *Fault
	until   time.Time
}

func newWebSession(who auth.Credentials) *webSession {
	return &webSession{token: who.Token, ends: who.Expires, opening: make(chan struct{}, 1)}
}

// open returns the session's cookie, logging in where there is none or where the one there is has
// turned out to have ended.
func (s *webSession) open(ctx context.Context, ended string, login func(context.Context) (string, error)) (string, error) {
	select {
	case s.opening <- struct{}{}:
		defer func() { <-s.opening }()
	case <-ctx.Done():
		return "", transportFault(ctx, ctx.Err(), true)
	}
	if s.refused != nil && (s.until.IsZero() || time.Now().Before(s.until)) {
		return "", s.refused
	}
	s.refused = nil
	if s.cookie != "" && s.cookie != ended {
		return s.cookie, nil
	}
	cookie, err := login(ctx)
	if fault, ok := errors.AsType[*Fault](err); ok && fault.Kind == NoSession {
		s.refused, s.until = fault, time.Time{}
		if errors.Is(fault, errUnclearLogin) {
			s.until = time.Now().Add(unclearPause)
		}
	}
	s.cookie = cookie
	return cookie, err
}

// renamed takes over a new id that Odoo gave the session (from 18.0 on it does so every few hours).
func (s *webSession) renamed(from, to string) {
	select {
	case s.opening <- struct{}{}:
		if s.cookie == from {
			s.cookie = to
		}
		<-s.opening
	default:
		// Somebody is opening it anew.
	}
}

// sessionCookie is the name of Odoo's session cookie.
const sessionCookie = "session_id"

// cookieOf returns the session id that an answer sets, empty where it sets none.
func cookieOf(response *http.Response) string {
	for _, cookie := range response.Cookies() {
		if cookie.Name == sessionCookie {
			return cookie.Value
		}
	}
	return ""
}

// noSession is the fault of logins for which Odoo grants no session: those with an API key, which is also all that
// users with two-factor authentication have outside of the web client.
func noSession(cause error) *Fault {
	return &Fault{
		Kind: NoSession,
		Message: "Odoo grants this login no web session, which printing needs. A login with an API key has none: get tokens with " +
			"the user's password. A user with two-factor authentication has none either: print as another user",
		cause: cause,
	}
}

// secondFactor is the fault of users whose session Odoo does not open before it has a second factor, which they have
// set up since they got their tokens.
func secondFactor() *Fault {
	return &Fault{
		Kind: NoSession,
		Message: "This user has two-factor authentication, so that Odoo grants lateral no web session, which printing needs: " +
			"print as a user without it who may read the records",
	}
}

// logIn opens a session as the web client does and returns its cookie (Odoo 14.0:
// addons/web/controllers/main.py, Session.authenticate; 19.0: addons/web/controllers/session.py).
func (r *Reports) logIn(ctx context.Context, who auth.Credentials) (string, error) {
	body, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "method": "call", "id": 1,
		"params": map[string]any{"db": r.config.Database, "login": who.Login, "password": who.Secret},
	})
	if err != nil {
		return "", &Fault{Kind: Internal, Message: "the login cannot be written", cause: err}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.config.URL+"/web/session/authenticate", bytes.NewReader(body))
	if err != nil {
		return "", transportFault(ctx, err, true)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := r.client.Do(request)
	if err != nil {
		return "", transportFault(ctx, err, false)
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusInternalServerError:
		return "", noSession(errUnclearLogin)
	default:
		return "", statusFault(response.StatusCode)
	}
	var reply struct {
		Result struct{ UID any }
		Error  *struct {
			Data struct{ Name, Message string }
		}
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxSessionAnswer)).Decode(&reply); err != nil {
		if ctx.Err() != nil {
			return "", transportFault(ctx, err, false)
		}
		return "", &Fault{Kind: Internal, Message: "Odoo's answer to a login is not JSON-RPC", cause: err}
	}
	if e := reply.Error; e != nil {
		fault := faultOfException(e.Data.Name, e.Data.Message, "", call{method: "authenticate", secret: who.Secret})
		if strings.HasSuffix(e.Data.Name, ".AccessDenied") {
			return "", noSession(fault)
		}
		return "", fault
	}
	uid, known := reply.Result.UID.(float64)
	cookie := cookieOf(response)
	switch {
	case !known:
		// The session is there, but is nobody's as long as the second factor is missing.
		return "", secondFactor()
	case int64(uid) != who.UID || cookie == "":
		return "", noSession(nil)
	}
	return cookie, nil
}

// errUnclearLogin is a login answered with status 500: where it serves several databases, 14.0 does
// that with a refused one (14.0: odoo/http.py, JsonRequest without a database), but also for want of
// its database. So Odoo is asked again after unclearPause.
var errUnclearLogin = errors.New("a login answered with HTTP status 500")

const unclearPause = time.Minute

// maxSessionAnswer bounds what Odoo tells of a session, in bytes: it is some 10 kB.
const maxSessionAnswer = 4 << 20
