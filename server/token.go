package server

import (
	"strings"

	"lateral/auth"
)

// authenticate resolves the request's access token to its user, and holds the token to its rate. It
// does so once per request, however often it is called.
func (x *exchange) authenticate() (auth.Credentials, error) {
	if x.who.UID != 0 {
		return x.who, nil
	}
	token := x.accessToken()
	if token == "" {
		return auth.Credentials{}, noToken()
	}
	who, err := x.s.deps.Tokens.Resolve(x.s.base, token)
	if err != nil {
		return auth.Credentials{}, err
	}
	x.uid = who.UID
	if x.s.rate != nil {
		if wait := x.s.rate.take(token, x.start); wait > 0 {
			return auth.Credentials{}, tooMany("Too many requests with this token.", wholeSeconds(wait))
		}
	}
	x.who = who
	return who, nil
}

// accessToken finds the token in the request's header: Access-Token, in any case and with "_" for
// "-", else Authorization: Bearer.
func (x *exchange) accessToken() string {
	header := &x.ctx.Request.Header
	if token := header.Peek("Access-Token"); len(token) > 0 {
		return strings.TrimSpace(string(token))
	}
	for key, value := range header.All() {
		if len(value) > 0 && isTokenHeader(key) {
			return strings.TrimSpace(string(value))
		}
	}
	scheme, token, _ := strings.Cut(strings.TrimSpace(string(header.Peek("Authorization"))), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return ""
}

func isTokenHeader(name []byte) bool {
	const want = "access-token"
	if len(name) != len(want) {
		return false
	}
	for i, c := range name {
		switch {
		case c == '_':
			c = '-'
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		}
		if c != want[i] {
			return false
		}
	}
	return true
}
