package integration

import (
	"encoding/json"
	"fmt"
	"net/url"
	"testing"

	"lateral/integration/stack"
)

// The models of the soak: boards of orders with lines, made as in Odoo's user interface, so that a write costs
// Odoo little. A line carries a key that its client gives it. The second board is closed for the salesman by record rules.
const (
	soakBoard   = "x_soak_board"
	soakOrders  = "x_soak_order"
	soakLines   = "x_soak_line"
	soakClosed  = 1 // index of the closed board
	soakPerUser = 3 // orders of a writer
	soakPerLine = 4 // lines of an order at the start
)

// soakGround is where a soak takes place.
type soakGround struct {
	boards  []int64
	orders  [][]int64 // by writer
	board   []int64   // by writer
	lines   map[int64]int64
	start   []soakOrder
	bumping int64 // the server action that increments a count
}

// soakGround makes the models and, for each writer, its orders.
func (s *stand) soakGround(t *testing.T, writers int) *soakGround {
	t.Helper()
	admin := s.login(t, stack.RoleAdmin)
	create := func(model string, values ...any) []int64 {
		ids, err := int64s(s.call(t, admin, model, "create", []any{values}, nil))
		if err != nil || len(ids) != len(values) {
			t.Fatalf("creating %s: %v, %v", model, ids, err)
		}
		return ids
	}
	field := func(name, kind string, more fields) any {
		values := fields{"name": name, "ttype": kind, "field_description": name, "state": "manual"}
		for key, value := range more {
			values[key] = value
		}
		return list{int64(0), int64(0), values}
	}
	// Each call makes Odoo set up its models anew, so that there are few.
	model := func(name string, columns ...any) any {
		return fields{"name": name, "model": name, "state": "manual", "field_id": columns}
	}
	models := create("ir.model",
		model(soakBoard, field("x_name", "char", nil), field("x_closed_for", "many2one", fields{"relation": "res.users"})),
		model(soakOrders, field("x_name", "char", nil), field("x_total", "integer", nil), field("x_stamp", "integer", nil), field("x_count", "integer", nil),
			field("x_board_id", "many2one", fields{"relation": soakBoard, "on_delete": "cascade"})),
		model(soakLines, field("x_name", "char", nil), field("x_key", "integer", nil), field("x_value", "integer", nil),
			field("x_order_id", "many2one", fields{"relation": soakOrders, "on_delete": "cascade"})))
	inverse := func(model int64, name, comodel, of string) any {
		return fields{"name": name, "model_id": model, "ttype": "one2many", "relation": comodel, "relation_field": of, "field_description": name, "state": "manual"}
	}
	create("ir.model.fields", inverse(models[0], "x_order_ids", soakOrders, "x_board_id"), inverse(models[1], "x_line_ids", soakLines, "x_order_id"))
	var access, rules []any
	for i, path := range []string{"", "x_board_id.", "x_order_id.x_board_id."} {
		access = append(access, fields{"name": "soak", "model_id": models[i], "perm_read": true, "perm_create": true, "perm_write": true, "perm_unlink": true})
		rules = append(rules, fields{"name": "soak", "model_id": models[i], "domain_force": "[('" + path + "x_closed_for', '!=', user.id)]"})
	}
	create("ir.model.access", access...)
	create("ir.rule", rules...)
	g := &soakGround{lines: map[int64]int64{}, orders: make([][]int64, writers)}
	g.bumping = create("ir.actions.server", fields{
		"name": "soak", "model_id": models[1], "state": "code",
		"code": "order = env['" + soakOrders + "'].browse(env.context['x_order'])\norder.write({'x_count': order.x_count + 1})\naction = order.x_count",
	})[0]
	g.boards = create(soakBoard, fields{"x_name": "open"}, fields{"x_name": "closed", "x_closed_for": s.login(t, stack.RoleSalesman).UID})
	var orders []any
	for writer := range writers {
		g.board = append(g.board, g.boards[writer%len(g.boards)])
		for range soakPerUser {
			o := soakOrder{lines: map[int64]int64{}}
			lines := list{}
			for i := range soakPerLine {
				key := int64(len(g.start)*soakPerLine + i + 1)
				o.lines[key] = 10 * key
				o.total += 10 * key
				lines = append(lines, list{int64(0), int64(0), fields{"x_key": key, "x_value": 10 * key}})
			}
			g.start = append(g.start, o)
			orders = append(orders, fields{"x_name": "order", "x_board_id": g.board[writer], "x_total": o.total, "x_stamp": int64(0), "x_count": int64(0), "x_line_ids": lines})
		}
	}
	for i, id := range create(soakOrders, orders...) {
		g.start[i].id = id
		g.orders[i/soakPerUser] = append(g.orders[i/soakPerUser], id)
	}
	for _, line := range s.call(t, admin, soakLines, "search_read", []any{list{}, list{"x_key"}}, nil).([]any) {
		record := line.(map[string]any)
		g.lines[record["x_key"].(int64)] = record["id"].(int64)
	}
	return g
}

// soakOrderFields are the fields of an order with its lines, in the JSON form of include_fields.
const soakOrderFields = `"x_total", "x_stamp", "x_count", ["x_line_ids", ["x_key", "x_value"]]`

// The forms in which orders are read: each is one request.
func (g *soakGround) boardPath(board int64) string {
	return fmt.Sprintf("/v2/%s/%d?exclude_fields=*&include_fields=%s", soakBoard, board, url.QueryEscape(`[["x_order_ids", ["id", `+soakOrderFields+`]]]`))
}

func (g *soakGround) orderPath(order int64) string {
	return fmt.Sprintf("/v2/%s/%d?exclude_fields=*&include_fields=%s", soakOrders, order, url.QueryEscape(`[`+soakOrderFields+`]`))
}

// pagePath is a page of the orders of all boards that the user may see.
func (g *soakGround) pagePath(offset, limit int) string {
	return fmt.Sprintf("/v2/%s?order=id&offset=%d&limit=%d&exclude_fields=*&include_fields=%s", soakOrders, offset, limit, url.QueryEscape(`[`+soakOrderFields+`]`))
}

// linesPath is all lines of a board, each with its order.
func (g *soakGround) linesPath(board int64) string {
	return fmt.Sprintf("/v2/%s?order=id&exclude_fields=*&filters=%s&include_fields=%s", soakLines,
		url.QueryEscape(fmt.Sprintf(`[["x_order_id.x_board_id", "=", %d]]`, board)),
		url.QueryEscape(`["x_key", "x_value", ["x_order_id", ["id", "x_total", "x_stamp", "x_count"]]]`))
}

// soakParser makes orders of answers. Orders that are written alike are one in memory. It is for one goroutine.
type soakParser struct{ known map[string]*soakOrder }

type soakJSON struct {
	ID    int64 `json:"id"`
	Total int64 `json:"x_total"`
	Stamp int64 `json:"x_stamp"`
	Count int64 `json:"x_count"`
	Lines []struct {
		Key   int64 `json:"x_key"`
		Value int64 `json:"x_value"`
	} `json:"x_line_ids"`
}

// order returns the order of one JSON object.
func (p *soakParser) order(text json.RawMessage) (*soakOrder, error) {
	if known := p.known[string(text)]; known != nil {
		return known, nil
	}
	var read soakJSON
	if err := json.Unmarshal(text, &read); err != nil {
		return nil, err
	}
	o := &soakOrder{id: read.ID, total: read.Total, stamp: read.Stamp, count: read.Count, lines: map[int64]int64{}}
	for _, line := range read.Lines {
		if _, twice := o.lines[line.Key]; twice {
			return nil, fmt.Errorf("order %d has line %d twice", o.id, line.Key)
		}
		o.lines[line.Key] = line.Value
	}
	p.known[string(text)] = o
	return o, nil
}

// orders returns what an answer shows: one order, a page of them, a board, or a page of lines.
func (p *soakParser) orders(body []byte) ([]*soakOrder, error) {
	var answer struct {
		Results *[]json.RawMessage
		Orders  *[]json.RawMessage `json:"x_order_ids"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	texts := []json.RawMessage{body}
	switch {
	case answer.Orders != nil:
		texts = *answer.Orders
	case answer.Results != nil:
		texts = *answer.Results
	}
	orders := make([]*soakOrder, 0, len(texts))
	for _, text := range texts {
		o, err := p.order(text)
		if err != nil {
			return nil, err
		}
		orders = append(orders, o)
	}
	return orders, nil
}

// ordersOfLines returns the orders of a page of lines.
func (p *soakParser) ordersOfLines(body []byte) ([]*soakOrder, error) {
	var page struct {
		Results []struct {
			Key   int64    `json:"x_key"`
			Value int64    `json:"x_value"`
			Order soakJSON `json:"x_order_id"`
		}
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return nil, err
	}
	var orders []*soakOrder
	byID := map[int64]*soakOrder{}
	for _, line := range page.Results {
		o := byID[line.Order.ID]
		if o == nil {
			o = &soakOrder{id: line.Order.ID, total: line.Order.Total, stamp: line.Order.Stamp, count: line.Order.Count, lines: map[int64]int64{}}
			byID[o.id] = o
			orders = append(orders, o)
		}
		if o.total != line.Order.Total || o.stamp != line.Order.Stamp || o.count != line.Order.Count {
			return nil, fmt.Errorf("order %d is shown in two states", o.id)
		}
		if _, twice := o.lines[line.Key]; twice {
			return nil, fmt.Errorf("order %d has line %d twice", o.id, line.Key)
		}
		o.lines[line.Key] = line.Value
	}
	return orders, nil
}
