package writer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"lateral/auth"
)

// JSONCaller calls methods of Odoo's models as Caller does, and returns results as JSON. Calls of
// any method go this way, since XML-RPC cannot carry the results of many. Implementations are safe
// for concurrent use.
type JSONCaller interface {
	// ExecuteJSON runs model.method(*args, **kwargs) in one Odoo transaction and returns the
	// result as JSON in UTF-8, null for None. Errors are *Fault.
	ExecuteJSON(ctx context.Context, who auth.Credentials, model, method string, args []any, kwargs map[string]any) (json.RawMessage, error)
}

var _ JSONCaller = (*XMLRPC)(nil)

// jsonContent is the content type of JSON-RPC.
const jsonContent = "application/json"

// repeatable are the methods that only read, so that a call whose answer XML-RPC could not carry
// may be made again.
var repeatable = map[string]bool{
	"fields_get": true, "read": true, "search": true, "search_count": true, "search_read": true,
	"web_read": true, "web_search_read": true,
}

// unanswerable reports whether a call of a reading method failed only because XML-RPC has no form
// for its result: None, or an integer beyond 32 bits.
func unanswerable(method string, err error) bool {
	fault, ok := errors.AsType[*Fault](err)
	return ok && repeatable[method] && (fault.Kind == ReturnedNone || fault.Kind == Unreturnable)
}

// executeAgain makes the same call through Odoo's /jsonrpc and returns the result in the types of
// Execute. Where JSON has no form for it either, such as bytes beside None, Odoo's answer is a bare
// status 500, and the fault is the one of XML-RPC.
func (x *XMLRPC) executeAgain(ctx context.Context, who auth.Credentials, c call, args []any, kwargs map[string]any, failed error) (any, error) {
	text, err := x.ExecuteJSON(ctx, who, c.model, c.method, args, kwargs)
	if status, ok := errors.AsType[*statusError](err); ok && status.code == http.StatusInternalServerError {
		return nil, failed
	}
	if err != nil {
		return nil, err
	}
	var result any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&result); err != nil {
		return nil, &Fault{Kind: Internal, Message: "Odoo's answer is not JSON-RPC", cause: err}
	}
	if result, err = exactNumbers(result); err != nil {
		return nil, &Fault{Kind: Internal, Message: "Odoo's answer holds a number out of range", cause: err}
	}
	return result, nil
}

// ExecuteJSON calls a method through Odoo's /jsonrpc, whose answers know null and any integer (Odoo
// 14.0: odoo/http.py, JsonRequest; 19.0: addons/rpc/controllers/jsonrpc.py). See JSONCaller.
func (x *XMLRPC) ExecuteJSON(ctx context.Context, who auth.Credentials, model, method string, args []any, kwargs map[string]any) (json.RawMessage, error) {
	c := call{model: model, method: method, uid: who.UID, secret: who.Secret}
	began := time.Now()
	result, err := x.roundTripJSON(ctx, who, c, args, kwargs)
	x.observe(ctx, c, began, err)
	return result, err
}

func (x *XMLRPC) roundTripJSON(ctx context.Context, who auth.Credentials, c call, args []any, kwargs map[string]any) (json.RawMessage, error) {
	if args == nil {
		args = []any{}
	}
	if kwargs == nil {
		kwargs = map[string]any{}
	}
	body, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "method": "call", "id": 1,
		"params": map[string]any{
			"service": "object", "method": "execute_kw",
			"args": []any{x.config.Database, who.UID, who.Secret, c.model, c.method, args, kwargs},
		},
	})
	if err != nil {
		return nil, &Fault{Kind: BadValue, Message: err.Error(), unsent: true}
	}
	answer, err := x.send(ctx, "/jsonrpc", jsonContent, message{string(body)})
	if err != nil {
		return nil, err
	}
	var reply struct {
		// Result is left out for None (14.0: odoo/http.py, _json_response).
		Result json.RawMessage
		Error  *struct {
			Data struct{ Name, Message, Debug string }
		}
	}
	if err := json.Unmarshal(standardJSON(answer), &reply); err != nil {
		return nil, &Fault{Kind: Internal, Message: "Odoo's answer is not JSON-RPC", cause: err}
	}
	if reply.Error != nil {
		data := reply.Error.Data
		return nil, faultOfException(data.Name, data.Message, data.Debug, c)
	}
	if reply.Result == nil {
		return json.RawMessage("null"), nil
	}
	return reply.Result, nil
}

// standardJSON returns what Python's json.dumps has written as JSON by the standard and in UTF-8:
// NaN and infinity become null, escapes of characters beyond ASCII the characters themselves.
func standardJSON(text []byte) []byte {
	if !bytes.ContainsAny(text, `\NI`) {
		return text
	}
	standard := make([]byte, 0, len(text))
	inText := false
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '"':
			inText = !inText
		case inText && c == '\\' && i+1 < len(text):
			r, size := escapedRune(text[i:])
			if size > 0 {
				standard = append(standard, string(r)...)
				i += size
				continue
			}
			standard = append(standard, c, text[i+1])
			i += 2
			continue
		case !inText && (c == 'N' || c == 'I' || c == '-'):
			if word := notNumber(text[i:]); word != "" {
				standard = append(standard, "null"...)
				i += len(word)
				continue
			}
		}
		standard = append(standard, text[i])
		i++
	}
	return standard
}

// notNumber returns the word at the beginning of text that Python writes for a float that JSON does
// not know, empty where there is none.
func notNumber(text []byte) string {
	for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
		if bytes.HasPrefix(text, []byte(word)) {
			return word
		}
	}
	return ""
}

// escapedRune decodes an escape \uXXXX, or a pair of them, at the beginning of text, where it stands
// for a character beyond ASCII. Otherwise the size is 0.
func escapedRune(text []byte) (r rune, size int) {
	if len(text) < 6 || text[1] != 'u' {
		return 0, 0
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil || n < 0x80 {
		return 0, 0
	}
	if n < 0xD800 || n > 0xDFFF {
		return rune(n), 6
	}
	if n < 0xDC00 && len(text) >= 12 && strings.HasPrefix(string(text[6:8]), `\u`) {
		low, err := strconv.ParseUint(string(text[8:12]), 16, 16)
		if err == nil && low >= 0xDC00 && low <= 0xDFFF {
			return rune((n-0xD800)<<10|(low-0xDC00)) + 0x10000, 12
		}
	}
	return '\uFFFD', 6 // half a character, which UTF-8 has no form for
}

// exactNumbers turns JSON's numbers into int64 and float64, as Execute returns them.
func exactNumbers(v any) (any, error) {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n, nil
		}
		f, err := v.Float64()
		if err != nil {
			return nil, fmt.Errorf("the number %s: %w", v, err)
		}
		return f, nil
	case []any:
		for i := range v {
			var err error
			if v[i], err = exactNumbers(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key := range v {
			var err error
			if v[key], err = exactNumbers(v[key]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}
