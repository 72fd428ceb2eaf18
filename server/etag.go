package server

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/valyala/fasthttp"

	"lateral/reader"
)

// askAgain tells caches that what one user may see, another may not, and not for ever: each use is to be
// asked for again.
func (x *exchange) askAgain() {
	header := &x.ctx.Response.Header
	header.Set("Cache-Control", "private, no-cache")
	header.Set("Vary", "Access-Token, Authorization")
}

// tag gives an answer all of which is there the tag of its body, and takes the body back where the client has it.
// The tag is made of nothing but the bytes that would be sent. It is a weak one, since a content coding may follow. Its
// hash is not a cryptographic one, which took an eighth of the processor time of a page of 128 KB: nobody gains by an
// answer that is taken for another of the same client's.
func (x *exchange) tag(rows Rows) {
	body := x.ctx.Response.Body()
	tag := `"` + strconv.FormatInt(int64(len(body)), 36) + "-" + strconv.FormatUint(xxhash.Sum64(body), 36) + `"`
	x.ctx.Response.Header.Set("ETag", "W/"+tag)
	rows.Remember(tag)
	x.unchanged(tag)
}

// known answers where the reader knows that the client has the answer, and reports whether it does.
func (x *exchange) known(rows Rows) bool {
	tag := rows.Unchanged()
	if tag == "" {
		return false
	}
	x.ctx.Response.Header.Set("ETag", "W/"+tag)
	return x.unchanged(tag)
}

// streamTag gives a long answer a tag before it is there, where the reader can tell later that it would be the same; ""
// otherwise. The tag is a number that no other answer has.
func (x *exchange) streamTag(rows Rows) string {
	if !rows.Lasting() {
		return ""
	}
	var number [16]byte
	// It never fails: crypto/rand ends the program instead.
	_, _ = rand.Read(number[:])
	tag := `"s` + base64.RawURLEncoding.EncodeToString(number[:]) + `"`
	x.ctx.Response.Header.Set("ETag", "W/"+tag)
	return tag
}

// asker tells the reader which answers the client has, nil where that is of no use: of a page also where the client names none,
// since a stream is remembered when it is sent first. What the reader knows to be unchanged without reading it is
// answered like what was read and is the same.
func (x *exchange) asker(q reader.Query) *reader.Asker {
	header := string(x.ctx.Request.Header.Peek("If-None-Match"))
	if header == "" && q.One || strings.TrimSpace(header) == "*" {
		return nil
	}
	request := &x.ctx.Request
	asks := sha256.New()
	asks.Write(request.URI().FullURI())
	asks.Write([]byte{0})
	asks.Write(request.Body())
	return &reader.Asker{
		Asks: string(asks.Sum(nil)),
		Has:  func(tag string) bool { return matches(header, tag) },
	}
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
