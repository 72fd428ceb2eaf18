package server

import (
	"bytes"
	"context"
	"errors"
	"math/big"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"lateral/auth"
	"lateral/writer"
)

// MaxLifetime bounds what clients may ask for: beyond it, only 0 (no expiry) is meant.
const MaxLifetime = 10 * 365 * 24 * time.Hour

// getTokens logs a user in: GET or POST /auth/get_tokens.
func (s *Server) getTokens(x *exchange) {
	p, err := x.secretParams()
	if err != nil {
		x.fail(err)
		return
	}
	login, secret, err := loginOf(p)
	if err != nil {
		x.fail(err)
		return
	}
	access, err := lifetime(p, "access_lifetime", s.config.AccessLifetime)
	if err != nil {
		x.fail(err)
		return
	}
	refresh, err := lifetime(p, "refresh_lifetime", s.config.RefreshLifetime)
	if err != nil {
		x.fail(err)
		return
	}
	ctx, _, cancel := x.context()
	defer cancel()
	uid, err := x.logIn(ctx, login, secret)
	if err != nil {
		x.fail(endedBy(ctx, err))
		return
	}
	x.uid = uid
	user, err := s.deps.Users.User(ctx, uid)
	if err != nil {
		x.fail(endedBy(ctx, err))
		return
	}
	who := auth.Credentials{UID: uid, Login: login, Secret: secret}
	grant, err := s.deps.Tokens.Issue(ctx, who, access, refresh)
	if err != nil {
		x.fail(endedBy(ctx, err))
		return
	}
	x.send(fasthttp.StatusOK, loginBody(uid, user, grant))
}

// logIn has Odoo judge a login, unless too many have failed lately.
func (x *exchange) logIn(ctx context.Context, login, secret string) (uid int64, err error) {
	if x.s.deps.Logins == nil {
		return x.s.deps.Odoo.Authenticate(ctx, login, secret)
	}
	end, err := x.s.deps.Logins.Begin(ctx, login, clientAddress(x.ctx, x.s.config.TrustedProxies))
	if err != nil {
		return 0, err
	}
	outcome := auth.LoginUnjudged
	// It is deferred since a login that panics must not stay under way.
	defer func() {
		if failed := end(outcome); failed != nil && err == nil {
			err = failed
		}
	}()
	uid, err = x.s.deps.Odoo.Authenticate(ctx, login, secret)
	switch {
	case err == nil:
		outcome = auth.LoginSucceeded
	case errors.Is(err, writer.ErrAccessDenied):
		outcome = auth.LoginFailed
	}
	return uid, err
}

// refreshToken replaces an access token: POST /auth/refresh_token.
func (s *Server) refreshToken(x *exchange) {
	p, token, err := x.refreshParams()
	if err != nil {
		x.fail(err)
		return
	}
	access, err := lifetime(p, "access_lifetime", s.config.AccessLifetime)
	if err != nil {
		x.fail(err)
		return
	}
	ctx, _, cancel := x.context()
	defer cancel()
	renewed, expires, err := s.deps.Tokens.Refresh(ctx, token, access)
	if err != nil {
		x.fail(endedBy(ctx, err))
		return
	}
	var b bytes.Buffer
	b.WriteString(`{"access_token": `)
	writeText(&b, renewed)
	b.WriteString(`, "expires_in": ` + strconv.FormatInt(expires, 10) + `}`)
	x.send(fasthttp.StatusOK, b.Bytes())
}

// deleteTokens logs out: POST /auth/delete_tokens.
func (s *Server) deleteTokens(x *exchange) {
	_, token, err := x.refreshParams()
	if err != nil {
		x.fail(err)
		return
	}
	ctx, _, cancel := x.context()
	defer cancel()
	if err := s.deps.Tokens.Revoke(ctx, token); err != nil && !errors.Is(err, auth.ErrInvalidToken) {
		x.fail(endedBy(ctx, err))
		return
	}
	x.send(fasthttp.StatusOK, []byte("{}"))
}

// secretParams reads the parameters of a route whose requests and answers hold secrets, which must
// not be kept on the way.
func (x *exchange) secretParams() (params, error) {
	x.secret = true
	x.ctx.Response.Header.Set("Cache-Control", "no-store")
	return readParams(x.ctx)
}

func (x *exchange) refreshParams() (params, string, error) {
	p, err := x.secretParams()
	if err != nil {
		return nil, "", err
	}
	token, err := p.verbatim("refresh_token")
	if err != nil {
		return nil, "", badRequest("refresh_token: " + err.Error() + ".")
	}
	if token == "" {
		return nil, "", same(fasthttp.StatusBadRequest, "no_refresh_token", "No refresh token was provided in the request.")
	}
	return p, token, nil
}

func loginOf(p params) (login, secret string, err error) {
	if login, err = p.verbatim("username"); err != nil {
		return "", "", badRequest("username: " + err.Error() + ".")
	}
	if secret, err = p.verbatim("password"); err != nil {
		return "", "", badRequest("password: " + err.Error() + ".")
	}
	if login == "" || secret == "" {
		return "", "", same(fasthttp.StatusBadRequest, "empty_username_or_password", "The username or the password is empty.")
	}
	return login, secret, nil
}

// lifetime is the one the client asks for, else the configuration's.
func lifetime(p params, name string, preset time.Duration) (time.Duration, error) {
	found, ok := p[name]
	if !ok || found.isText && found.text == "" || !found.isText && found.value == nil {
		return preset, nil
	}
	value := found.value
	if found.isText {
		n, err := strconv.ParseInt(found.text, 10, 64)
		if err != nil {
			return 0, badRequest(name + ": it must be a number of seconds, 0 or more.")
		}
		value = n
	}
	switch n := value.(type) {
	case int64:
		if n >= 0 && n <= int64(MaxLifetime/time.Second) {
			return time.Duration(n) * time.Second, nil
		}
		if n > 0 {
			return 0, badRequest(name + ": it is too long; 0 means no expiry.")
		}
	case *big.Int:
		return 0, badRequest(name + ": it is too long; 0 means no expiry.")
	}
	return 0, badRequest(name + ": it must be a number of seconds, 0 or more.")
}

// loginBody is the answer to a login, in the key order of the contract. Empty values of the context
// are false, as Odoo's context_get has them.
func loginBody(uid int64, user User, grant auth.Grant) []byte {
	id := strconv.FormatInt(uid, 10)
	var b bytes.Buffer
	b.WriteString(`{"uid": ` + id + `, "user_context": {"lang": `)
	writeTextOrFalse(&b, user.Lang)
	b.WriteString(`, "tz": `)
	writeTextOrFalse(&b, user.Tz)
	b.WriteString(`, "uid": ` + id + `}, "company_id": ` + strconv.FormatInt(user.CompanyID, 10) + `, "access_token": `)
	writeText(&b, grant.AccessToken)
	b.WriteString(`, "expires_in": ` + strconv.FormatInt(grant.ExpiresIn, 10) + `, "refresh_token": `)
	writeText(&b, grant.RefreshToken)
	b.WriteString(`, "refresh_expires_in": ` + strconv.FormatInt(grant.RefreshExpiresIn, 10) + `}`)
	return b.Bytes()
}

func writeTextOrFalse(b *bytes.Buffer, text string) {
	if text == "" {
		b.WriteString("false")
		return
	}
	writeText(b, text)
}
