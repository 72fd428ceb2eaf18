package server

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"lateral/reader"
	"lateral/schema"
)

// blamesRequest fails the test unless an error is a problem that blames the request.
func blamesRequest(t *testing.T, err error) {
	t.Helper()
	p, ok := errors.AsType[*problem](err)
	if !ok || p.classic != 400 && p.classic != 409 || p.code == "" || p.text == "" || len(p.text) > 2000 || !utf8.ValidString(p.text) {
		t.Fatalf("got %#v", err)
	}
}

// request makes the parameters of a request of a query string and a body.
func request(query, body, media string) (params, error) {
	var ctx fasthttp.RequestCtx
	ctx.Request.Header.SetMethod("PUT")
	ctx.Request.Header.SetContentType(media)
	ctx.Request.SetRequestURI("/api/res.partner/1")
	ctx.URI().SetQueryString(query)
	ctx.Request.SetBodyString(body)
	return readParams(&ctx)
}

// FuzzParams reads requests: what is refused is refused as the client's mistake, what is taken is
// sound, and says the same when it is written again.
func FuzzParams(f *testing.F) {
	for _, seed := range []string{
		`{"a": 1}`, `a=1&b=%41+`, `[`, "\xff", `{"a": {"a": "\u0000"}}`, `%`, `a&b`, ``, `filters=[('a','=','b%25c')]`, `{"a": 1, "a": 2}`, `{"a": 1} x`, "\xef\xbb\xbf{}",
		`a=1&a=2`, `=x`, `a==b`, `&&a=%E9`, `a=%00`, `[1]`, `null`, `"a"`, `limit=-1`, `limit=99999999999999999999`, `{"limit": 1.0}`, `count=planned&offset=0x1`, `{"order": 5}`,
		`password=%5B1%5D`, `{"": null}`, `a=%F0%9F%98%80`, `a=%u1234`, `a=%+1`, `{"a": ` + strings.Repeat("[", 101) + strings.Repeat("]", 101) + `}`,
	} {
		for _, media := range []string{"", "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
			f.Add(seed, "", media)
			f.Add("", seed, media)
			f.Add(seed, seed, media)
		}
	}
	f.Fuzz(func(t *testing.T, query, body, media string) {
		if len(query)+len(body) > 64<<10 {
			return
		}
		start := time.Now()
		defer func() {
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		}()
		p, err := request(query, body, media)
		if err != nil {
			blamesRequest(t, err)
			return
		}
		form, allText := url.Values{}, true
		for name, found := range p {
			if !utf8.ValidString(name+found.text) || strings.Contains(name+found.text, "\x00") {
				t.Fatalf("got the parameter %q: %q", name, found.text)
			}
			value, given := p.parsed(name)
			if given == (value == nil || value == "" || value == false) {
				t.Fatalf("%q: %#v, given %v", name, value, given)
			}
			if n, err := wholeNumber(p, name); err != nil {
				blamesRequest(t, err)
			} else if n < 0 {
				t.Fatalf("%q is the whole number %d", name, n)
			}
			if text, err := p.verbatim(name); err == nil && found.isText && text != found.text {
				t.Fatalf("%q is %q verbatim, and was %q", name, text, found.text)
			}
			if word, wordGiven, err := p.word(name); err == nil && (wordGiven != given || !wordGiven && word != "") {
				t.Fatalf("%q is the word %q, %v", name, word, wordGiven)
			}
			form.Set(name, found.text)
			allText = allText && found.isText
		}
		if _, _, err := countMode(p); err != nil {
			blamesRequest(t, err)
		}
		q := reader.Query{Offset: 1}
		if err := pageByKey(p, &q); err != nil {
			blamesRequest(t, err)
		} else if q.Keyset {
			t.Fatalf("a page by key with an offset: %+v", p)
		}
		if !allText {
			return
		}
		// As a query string and as a form the same parameters say the same.
		if again, err := request(form.Encode(), "", ""); err != nil || !reflect.DeepEqual(again, p) {
			t.Fatalf("%+v became %+v, %v", p, again, err)
		}
		if len(p) > 0 {
			again, err := request("", form.Encode(), "application/x-www-form-urlencoded")
			if err != nil || !reflect.DeepEqual(again, p) {
				t.Fatalf("%+v became %+v as a form, %v", p, again, err)
			}
		}
	})
}

// Ensure ids and escaped segments of a path are read strictly.
func FuzzSegment(f *testing.F) {
	for _, text := range []string{"1", "007", "0", "-1", "%31", "1.0", "9223372036854775808", "a%20b", "a+b", "%", "%zz", "١", "1%00", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := recordID(text); err != nil {
			blamesRequest(t, err)
		} else if id < 1 {
			t.Fatalf("%q is the id %d", text, id)
		}
		if decoded, err := unescape(text, false); err == nil {
			if again, err := unescape(url.PathEscape(decoded), false); err != nil || again != decoded {
				t.Fatalf("%q: %q became %q, %v", text, decoded, again, err)
			}
			if again, err := unescape(url.QueryEscape(decoded), true); err != nil || again != decoded {
				t.Fatalf("%q: %q became %q as a form, %v", text, decoded, again, err)
			}
		}
	})
}

// Ensure that reading a long request takes time by its length, not by the square of it.
func TestLongRequests(t *testing.T) {
	for _, part := range []string{"a&", "a=1&", "%41", "&", "=", "+", `"a":1,`, `{"a":`, "[1],", `[["id","=",1]],`} {
		text := strings.Repeat(part, (1<<18)/len(part))
		start := time.Now()
		for _, wrap := range [][2]string{{"", ""}, {"{", "}"}, {`{"a":[`, "]}"}} {
			p, err := request(text, wrap[0]+text+wrap[1], "application/x-www-form-urlencoded")
			if err == nil {
				_, _ = schema.ParseDomain(p["a"].value)
			}
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("repeated %q took %v", part, took)
		}
	}
}
