package writer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"lateral/auth"
)

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

// executeJSON makes the same call through Odoo's /jsonrpc, whose answers know null and any integer
// (Odoo 14.0: odoo/http.py, JsonRequest; 19.0: addons/rpc/controllers/jsonrpc.py). Errors are
// *Fault.
func (x *XMLRPC) executeJSON(ctx context.Context, who auth.Credentials, c call, args []any, kwargs map[string]any) (any, error) {
	began := time.Now()
	result, err := x.roundTripJSON(ctx, who, c, args, kwargs)
	x.observe(c, began, err)
	return result, err
}

func (x *XMLRPC) roundTripJSON(ctx context.Context, who auth.Credentials, c call, args []any, kwargs map[string]any) (any, error) {
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
	answer, err := x.send(ctx, "/jsonrpc", "application/json", body)
	if err != nil {
		return nil, err
	}
	var reply struct {
		Result any
		Error  *struct {
			Data struct{ Name, Message string }
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.UseNumber()
	if err := decoder.Decode(&reply); err != nil {
		return nil, &Fault{Kind: Internal, Message: "Odoo's answer is not JSON-RPC", cause: err}
	}
	if reply.Error != nil {
		return nil, faultOfException(reply.Error.Data.Name, reply.Error.Data.Message, c)
	}
	result, err := exactNumbers(reply.Result)
	if err != nil {
		return nil, &Fault{Kind: Internal, Message: "Odoo's answer holds a number out of range", cause: err}
	}
	return result, nil
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
