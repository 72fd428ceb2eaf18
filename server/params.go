package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"lateral/schema"
)

// params are a request's parameters by name: those of the query string, replaced by those of the body.
type params map[string]param

// param is one parameter. Of texts in a URL or a form, what they mean depends on who asks.
type param struct {
	text   string
	isText bool // text holds it, as the client typed it
	value  any  // otherwise: its value in JSON
}

// parsed returns a parameter's value: texts are Python literals, else JSON, else themselves. It
// reports whether the parameter says anything: an empty text, None, null and False do not.
func (p params) parsed(name string) (value any, given bool) {
	found, ok := p[name]
	if !ok {
		return nil, false
	}
	value = found.value
	if found.isText {
		value = schema.ParseParam(found.text)
	}
	if value == nil || value == "" || value == false {
		return nil, false
	}
	return value, true
}

// empty reports whether a parameter is an empty text.
func (p params) empty(name string) bool {
	found := p[name]
	return found.value == "" || found.isText && schema.ParseParam(found.text) == ""
}

// word returns a parameter that is a text by nature. In a URL it may be written as a Python string.
func (p params) word(name string) (text string, given bool, err error) {
	value, given := p.parsed(name)
	if !given {
		return "", false, nil
	}
	if text, ok := value.(string); ok {
		return text, true, nil
	}
	if found := p[name]; found.isText {
		return found.text, true, nil
	}
	return "", true, errors.New("it must be a text")
}

// verbatim returns a parameter that is a text and never a literal, such as a password.
func (p params) verbatim(name string) (string, error) {
	found, ok := p[name]
	switch {
	case !ok:
		return "", nil
	case found.isText:
		return found.text, nil
	}
	switch value := found.value.(type) {
	case nil:
		return "", nil
	case string:
		return value, nil
	case bool:
		if !value {
			return "", nil
		}
	}
	return "", errors.New("it must be a text")
}

// readParams reads the parameters of a request. Errors are problems that say where.
func readParams(ctx *fasthttp.RequestCtx) (params, error) {
	p := make(params)
	if err := p.addForm(string(ctx.URI().QueryString()), "query string"); err != nil {
		return nil, err
	}
	if err := p.addBody(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

func (p params) addBody(ctx *fasthttp.RequestCtx) error {
	body := bytes.TrimSpace(bytes.TrimPrefix(ctx.PostBody(), []byte("\xef\xbb\xbf")))
	header := &ctx.Request.Header
	if encoding := header.ContentEncoding(); len(body) > 0 && len(encoding) > 0 && !bytes.EqualFold(encoding, []byte("identity")) {
		return badRequest("Request body: compressed bodies are not read, send it without Content-Encoding.")
	}
	media, _, _ := strings.Cut(strings.ToLower(string(header.ContentType())), ";")
	switch {
	case len(body) == 0:
		return nil
	case body[0] == '{':
		err := p.addJSON(body)
		if len(body) > largeBody {
			// What was read of it is kept; the body itself need not stay for as long as Odoo works.
			ctx.Request.SwapBody(nil)
		}
		return err
	case json.Valid(body):
		return badRequest("Request body: it must be a JSON object.")
	case body[0] != '[' && strings.TrimSpace(media) == "application/x-www-form-urlencoded":
		return p.replaceForm(string(body))
	case strings.HasPrefix(media, "multipart/"):
		return badRequest("Request body: multipart forms are not read, send a JSON object.")
	}
	_, err := schema.DecodeJSON(body)
	return notJSON(err)
}

// largeBody is the length in bytes from which on a body is not kept beside what was read of it.
const largeBody = 1 << 20

func notJSON(err error) error {
	text := "Request body: it is not JSON"
	if err != nil {
		text += ": " + shorten(err.Error(), 300)
	}
	return badRequest(text + ".")
}

func (p params) addJSON(body []byte) error {
	object, repeated, err := schema.DecodeObject(body)
	if err != nil {
		return notJSON(err)
	}
	if repeated != "" {
		return badRequest("Request body: the key " + quoted(repeated) + " stands there twice.")
	}
	for key, item := range object {
		p[key] = param{value: item}
	}
	return nil
}

// replaceForm adds a form's fields in place of parameters of the query string.
func (p params) replaceForm(body string) error {
	fields := make(params)
	if err := fields.addForm(body, "request body"); err != nil {
		return err
	}
	for key, field := range fields {
		p[key] = field
	}
	return nil
}

// addForm adds the fields of a urlencoded text, of each key the first.
func (p params) addForm(text, where string) error {
	for text != "" {
		var pair string
		pair, text, _ = strings.Cut(text, "&")
		if pair == "" {
			continue
		}
		rawKey, rawValue, assigned := strings.Cut(pair, "=")
		key, err := unescape(rawKey, true)
		if err != nil {
			return badForm(where, "a parameter's name", err)
		}
		if !assigned && where != "query string" {
			return badRequest("Request body: it is neither a JSON object nor a form: " + quoted(key) + " has no value.")
		}
		value, err := unescape(rawValue, true)
		if err != nil {
			return badForm(where, "the parameter "+quoted(key), err)
		}
		if _, ok := p[key]; !ok {
			p[key] = param{text: value, isText: true}
		}
	}
	return nil
}

func badForm(where, what string, err error) error {
	return badRequest(strings.ToUpper(where[:1]) + where[1:] + ", " + what + ": " + err.Error() + ".")
}

// unescape decodes percent-encoding, and "+" as a space where form is set. What cannot be meant is
// an error, since a filter that is guessed may find too much.
func unescape(text string, form bool) (string, error) {
	decoded := text
	if strings.ContainsAny(text, "%+") {
		b := make([]byte, 0, len(text))
		for i := 0; i < len(text); i++ {
			switch c := text[i]; {
			case c == '+' && form:
				b = append(b, ' ')
			case c == '%':
				if i+2 >= len(text) {
					return "", errPercent
				}
				n, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
				if err != nil {
					return "", errPercent
				}
				b = append(b, byte(n))
				i += 2
			default:
				b = append(b, c)
			}
		}
		decoded = string(b)
	}
	switch {
	case !utf8.ValidString(decoded):
		return "", errors.New("it is not valid UTF-8")
	case strings.IndexByte(decoded, 0) >= 0:
		return "", errors.New("it holds the character NUL")
	}
	return decoded, nil
}

var errPercent = errors.New("a percent sign is not followed by two hexadecimal digits; a percent sign itself is written %25")
