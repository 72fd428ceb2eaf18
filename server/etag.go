package server

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/valyala/fasthttp"
)

// askAgain tells caches that what one user may see, another may not, and not for ever: each use is to be
// asked for again.
func (x *exchange) askAgain() {
	header := &x.ctx.Response.Header
	header.Set("Cache-Control", "private, no-cache")
	header.Set("Vary", "Access-Token, Authorization")
}

// tag gives an answer all of which is there the tag of its body, and takes the body back where the client has it.
// The tag is made of nothing but the bytes that would be sent: an answer is only called unchanged after it was
// read, so that what is called so is never out of date. It is a weak one, since a content coding may follow.
func (x *exchange) tag() {
	sum := sha256.Sum256(x.ctx.Response.Body())
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	x.ctx.Response.Header.Set("ETag", "W/"+tag)
	x.unchanged(tag)
}

// unchanged reports whether the client has what the tag is of, and answers so then: 304, without a body.
func (x *exchange) unchanged(tag string) bool {
	if !matches(string(x.ctx.Request.Header.Peek("If-None-Match")), tag) {
		return false
	}
	response := &x.ctx.Response
	response.ResetBody()
	response.SetStatusCode(fasthttp.StatusNotModified)
	response.Header.Del("Content-Type")
	return true
}

// matches reports whether an If-None-Match names the tag. Weak comparison, as RFC 9110 has it.
func matches(header, tag string) bool {
	if strings.TrimSpace(header) == "*" {
		return true
	}
	for _, one := range strings.Split(header, ",") {
		if strings.TrimPrefix(strings.TrimSpace(one), "W/") == tag {
			return true
		}
	}
	return false
}
