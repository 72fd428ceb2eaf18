package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lateral/integration/stack"
	"lateral/reader"
	"lateral/schema"
)

// header is what the readers of TestSnapshot get of an order.
type header struct {
	ID    int64       `json:"id"`
	Ref   string      `json:"client_order_ref"`
	Lines []orderLine `json:"order_line"`
}

type orderLine struct {
	ID  int64   `json:"id"`
	Qty float64 `json:"product_uom_qty"`
}

// mark is what a writer notes in the header of the lines that it writes in the same transaction.
func (h header) mark() string {
	sum := 0.0
	for _, line := range h.Lines {
		sum += line.Qty
	}
	return fmt.Sprintf("%d lines, %g in all", len(h.Lines), sum)
}

// Ensure a nested read never shows a header of one moment with lines of another, while orders are
// edited in Odoo's name: each edit writes lines and header in one transaction.
func TestSnapshot(t *testing.T) {
	eachFork(t, func(t *testing.T, s *stand) { s.isNeverTorn(t, 8*time.Second) })
}

func (s *stand) isNeverTorn(t *testing.T, duration time.Duration) {
	admin := s.login(t, stack.RoleAdmin)
	product := s.call(t, admin, "product.product", "search",
		[]any{[]any{[]any{"sale_ok", "=", true}, []any{"type", "=", "service"}}}, map[string]any{"limit": int64(1)}).([]any)[0]
	partner := s.call(t, admin, "res.partner", "search", []any{[]any{}}, map[string]any{"limit": int64(1)}).([]any)[0]
	newLine := func(qty int) []any {
		return []any{int64(0), int64(0), map[string]any{"product_id": product, "product_uom_qty": float64(qty)}}
	}
	var orders []int64
	for range 2 {
		id := s.call(t, admin, "sale.order", "create", []any{map[string]any{
			"partner_id": partner, "client_order_ref": "1 lines, 1 in all", "order_line": []any{newLine(1)},
		}}, nil)
		orders = append(orders, id.(int64))
	}
	include, err := schema.ParseLiteral("['client_order_ref', ('order_line', [('id', 'product_uom_qty')])]")
	if err != nil {
		t.Fatal(err)
	}
	one := func(id int64) reader.Query {
		return reader.Query{Model: "sale.order", One: true, ID: id, Exclude: "*", Include: include}
	}
	page := reader.Query{Model: "sale.order", Exclude: "*", Include: include, Filters: []any{[]any{"id", "in", []any{orders[0], orders[1]}}}}

	ctx, stop := context.WithTimeout(t.Context(), duration)
	defer stop()
	var work sync.WaitGroup
	var writes, reads, changes atomic.Int64
	for _, id := range orders {
		work.Go(func() { // the writer of one order
			for qty := 2; ctx.Err() == nil; qty++ {
				documents, err := readDocuments(t, s, admin, one(id))
				var now header
				if err != nil || len(documents) != 1 || json.Unmarshal([]byte(documents[0]), &now) != nil {
					t.Errorf("reading before a write: %v, %v", documents, err)
					return
				}
				lines := []any{newLine(qty)}
				next := header{Lines: append([]orderLine{{Qty: float64(qty)}}, now.Lines...)}
				if len(now.Lines) >= 5 {
					lines = append(lines, []any{int64(2), now.Lines[0].ID, int64(0)}, []any{int64(2), now.Lines[1].ID, int64(0)})
					next.Lines = append([]orderLine{{Qty: float64(qty)}}, now.Lines[2:]...)
				}
				values := map[string]any{"client_order_ref": next.mark(), "order_line": lines}
				if _, err := s.odoo.Execute(t.Context(), admin, "sale.order", "write", []any{[]any{id}, values}, nil); err != nil {
					t.Errorf("writing: %v", err)
					return
				}
				writes.Add(1)
			}
		})
	}
	for i := range 3 {
		work.Go(func() { // a reader
			queries, last := []reader.Query{one(orders[0]), one(orders[1]), page}, ""
			for n := i; ctx.Err() == nil; n++ {
				documents, err := readDocuments(t, s, admin, queries[n%len(queries)])
				if err != nil {
					t.Errorf("reading: %v", err)
					return
				}
				for _, document := range documents {
					var h header
					if err := json.Unmarshal([]byte(document), &h); err != nil || h.Ref != h.mark() {
						t.Errorf("a torn read: %s, %v", document, err)
						return
					}
					if document != last {
						changes.Add(1)
						last = document
					}
				}
				reads.Add(1)
			}
		})
	}
	work.Wait()
	t.Logf("%d reads beside %d writes, %d changes seen", reads.Load(), writes.Load(), changes.Load())
	if reads.Load() < 200 || writes.Load() < 10 {
		t.Errorf("too little happened to tell anything")
	}
}
