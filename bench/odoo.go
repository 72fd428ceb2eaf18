package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"lateral/auth"
	"lateral/integration/stack"
	"lateral/writer"
)

// webClient reads as Odoo's own web client does: one call of web_read or web_search_read (17.0 and later), which gives the whole
// tree, over /jsonrpc.
type webClient struct {
	http     *http.Client
	url      string
	database string
	uid      int64
	password string
	workload workload
	next     func() read
	// named tells Odoo in a header which database is meant, which spares it a list of all databases for every call.
	named bool
}

func newWebClient(odoo *stack.Stack, who auth.Credentials, w workload, next func() read) *webClient {
	return &webClient{
		http: &http.Client{Timeout: 5 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 1}},
		url:  odoo.OdooURL + "/jsonrpc", database: odoo.Database, uid: who.UID, password: who.Secret, workload: w, next: next, named: true,
	}
}

// plain makes the client one that knows nothing of the header, as clients of /jsonrpc commonly are.
func (c *webClient) plain() *webClient {
	c.named = false
	return c
}

func (c *webClient) do(ctx context.Context) error {
	_, err := c.read(ctx, c.next())
	return err
}

// read makes a read and returns its records.
func (c *webClient) read(ctx context.Context, r read) (json.RawMessage, error) {
	specification := c.workload.Tree.specification()
	method, args, kwargs := "web_search_read", []any{}, map[string]any{"specification": specification, "domain": r.domain()}
	switch {
	case r.ID != 0:
		method, args, kwargs = "web_read", []any{[]int64{r.ID}}, map[string]any{"specification": specification}
	case r.Limit > 0:
		kwargs["limit"] = r.Limit
		fallthrough
	default:
		kwargs["order"], kwargs["offset"] = r.Order, r.Offset
		kwargs["count_limit"] = r.Limit // otherwise it counts all that match, which nobody has asked for
	}
	body, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "method": "call", "params": map[string]any{
			"service": "object", "method": "execute_kw",
			"args": []any{c.database, c.uid, c.password, c.workload.Model, method, args, kwargs},
		},
	})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	if c.named {
		request.Header.Set("X-Odoo-Database", c.database)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("odoo: %w", err)
	}
	defer response.Body.Close()
	var answer struct {
		Result json.RawMessage
		Error  json.RawMessage
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("odoo: %w", err)
	}
	if answer.Error != nil {
		return nil, fmt.Errorf("odoo: %.500s", answer.Error)
	}
	if method == "web_read" {
		return answer.Result, nil
	}
	var page struct{ Records json.RawMessage }
	if err := json.Unmarshal(answer.Result, &page); err != nil {
		return nil, fmt.Errorf("odoo: %w", err)
	}
	return page.Records, nil
}

func (c *webClient) close() { c.http.CloseIdleConnections() }

func (r read) domain() []any {
	if r.Domain == nil {
		return []any{}
	}
	return r.Domain
}

// levelClient reads as integrations usually do over XML-RPC: a search, then a read of each level's records, all of a
// level at once, with the ids that the level above gave.
type levelClient struct {
	odoo     *writer.XMLRPC
	who      auth.Credentials
	workload workload
	comodels map[string]string // "model.field" to the model that it points to
	next     func() read
}

func (c *levelClient) do(ctx context.Context) error {
	r := c.next()
	ids := []any{r.ID}
	if r.ID == 0 {
		kwargs := map[string]any{"order": r.Order, "offset": r.Offset}
		if r.Limit > 0 {
			kwargs["limit"] = r.Limit
		}
		found, err := c.odoo.Execute(ctx, c.who, c.workload.Model, "search", []any{r.domain()}, kwargs)
		if err != nil {
			return fmt.Errorf("xmlrpc: %w", err)
		}
		ids = found.([]any)
	}
	return c.level(ctx, c.workload.Model, c.workload.Tree, ids)
}

// level reads records and, of each relation that is nested, the records that it points to.
func (c *levelClient) level(ctx context.Context, model string, t tree, ids []any) error {
	if len(ids) == 0 {
		return nil
	}
	rows, err := c.odoo.Execute(ctx, c.who, model, "read", []any{ids}, map[string]any{"fields": t.names()})
	if err != nil {
		return fmt.Errorf("xmlrpc: %w", err)
	}
	for _, n := range t {
		if n.Sub == nil {
			continue
		}
		seen := map[int64]bool{}
		var targets []any
		for _, row := range rows.([]any) {
			for _, id := range idsOf(row.(map[string]any)[n.Name], n.List) {
				if !seen[id] {
					seen[id] = true
					targets = append(targets, id)
				}
			}
		}
		if err := c.level(ctx, c.comodels[model+"."+n.Name], n.Sub, targets); err != nil {
			return err
		}
	}
	return nil
}

// idsOf are the ids in a relation as read gives it: a list, or an id with a name.
func idsOf(value any, list bool) []int64 {
	items, ok := value.([]any)
	if !ok {
		return nil
	}
	if !list {
		items = items[:1]
	}
	ids := make([]int64, 0, len(items))
	for _, item := range items {
		if id, ok := item.(int64); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

func (c *levelClient) close() {}
