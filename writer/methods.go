package writer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"lateral/auth"
	"lateral/schema"
)

// Methods calls methods by name with named arguments (contract, section 7). It is safe for
// concurrent use.
//
// Whether a method is one of records or of the model (@api.model) stands only in Odoo's code, and
// decides what the ids are: the records it runs on, or one positional argument too many. So a
// method is first called without ids. One of the model runs; one of records fails before it has
// begun (Fault WantsRecords), which is remembered, and is called again with them.
type Methods struct {
	caller JSONCaller
	now    func() time.Time

	mu sync.Mutex
	// records holds when a method was found to be one of records. What is known belongs to one
	// stamp of the catalogue: installing modules changes methods.
	records map[methodName]time.Time
	stamp   string
}

type methodName struct{ model, method string }

// knownFor is how long it is believed that a method is one of records, since code may change
// without a signal.
const knownFor = 10 * time.Minute

// NewMethods returns what calls methods through caller.
func NewMethods(caller JSONCaller, now func() time.Time) *Methods {
	return &Methods{caller: caller, now: now, records: map[methodName]time.Time{}}
}

// Call calls a method on records, or of the model, whatever the ids then are, and returns its
// result as JSON: a recordset is ["model", [ids]]. The method runs at most once. Errors are *Fault,
// and *ValueError for arguments that cannot be given.
func (m *Methods) Call(ctx context.Context, who auth.Credentials, c *schema.Catalogue, model, method string, ids []int64, arguments, callContext map[string]any) (json.RawMessage, error) {
	if strings.HasPrefix(method, "_") || method == "init" {
		return nil, privateMethod(call{model: model, method: method}, true)
	}
	if _, ok := arguments["context"]; ok {
		return nil, &ValueError{Field: "context", Path: "context", Msg: "the context is given as __context__"}
	}
	kwargs := make(map[string]any, len(arguments)+1)
	for name, value := range arguments {
		kwargs[name] = value
	}
	kwargs["context"] = callContext
	args := []any{}
	if method == "create" {
		// Odoo's RPC looks at the first argument to know how to answer.
		for _, name := range []string{"vals_list", "vals"} {
			if values, ok := kwargs[name]; ok && len(args) == 0 {
				delete(kwargs, name)
				args = append(args, values)
			}
		}
		if len(args) == 0 {
			return nil, &ValueError{Field: "vals_list", Path: "vals_list", Msg: "create wants the values of the new records"}
		}
	}
	name := methodName{model, method}
	if !m.ofRecords(c, name) {
		result, err := m.caller.ExecuteJSON(ctx, who, model, method, args, kwargs)
		if fault, ok := errors.AsType[*Fault](err); !ok || fault.Kind != WantsRecords {
			return m.answer(c, name, result), err
		}
		m.learn(name)
	}
	if ids == nil {
		ids = []int64{}
	}
	result, err := m.caller.ExecuteJSON(ctx, who, model, method, []any{ids}, kwargs)
	return m.answer(c, name, result), err
}

// ofRecords reports whether a method is known to be one of records.
func (m *Methods) ofRecords(c *schema.Catalogue, name methodName) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stamp != c.Stamp {
		m.stamp = c.Stamp
		clear(m.records)
	}
	found, ok := m.records[name]
	return ok && m.now().Sub(found) < knownFor
}

func (m *Methods) learn(name methodName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records[name] = m.now()
}

// returned are the methods of the ORM and of messaging that return records, by the model of these,
// empty for the method's own. RPC answers the bare ids, or the one id (14.0: odoo/api.py, returns;
// 19.0: odoo/service/model.py, call_kw), which any other list of numbers looks like.
var returned = map[string]string{
	"copy": "", "create": "", "exists": "", "search": "", "find_or_create": "", "message_post": "mail.message",
}

// recordset is how 14.0 writes records that a method returns without saying so beforehand: as
// Python shows them.
var recordset = regexp.MustCompile(`^([a-z][a-z0-9_.]*)\((?:(\d+(?:, \d+)*),?)?\)$`)

// answer writes a result as the contract has it.
func (m *Methods) answer(c *schema.Catalogue, name methodName, result json.RawMessage) json.RawMessage {
	if len(result) == 0 {
		return result
	}
	switch first := result[0]; {
	case first == '"':
		var text string
		if json.Unmarshal(result, &text) != nil {
			return result
		}
		if found := recordset.FindStringSubmatch(text); found != nil && c.Model(found[1]) != nil {
			return fmt.Appendf(nil, `["%s", [%s]]`, found[1], found[2])
		}
	default:
		model, ok := returned[name.method]
		if !ok {
			return result
		}
		if model == "" {
			model = name.model
		}
		var id int64
		var ids []int64
		switch {
		case json.Unmarshal(result, &id) == nil && first >= '1' && first <= '9' && name.method != "search":
			return fmt.Appendf(nil, `["%s", [%d]]`, model, id)
		case json.Unmarshal(result, &ids) == nil && first == '[':
			return fmt.Appendf(nil, `["%s", %s]`, model, result)
		}
	}
	return result
}
