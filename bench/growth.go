package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"lateral/integration/stack"
)

// growth measures how cost grows with what is asked for, and with what there is.
func (b *bench) growth(ctx context.Context) error {
	for _, curve := range []struct {
		name    string
		measure func(context.Context) error
	}{
		{"page", b.pageSizes},
		{"depth", b.depths},
		{"offset", b.offsets},
		{"rules", b.numbersOfRules},
		{"table", b.sizesOfTable},
		// The last, since afterwards pages begin with orders that are unlike the others.
		{"lines", b.linesPerOrder},
	} {
		if len(b.Curves) > 0 && !slices.Contains(b.Curves, curve.name) {
			continue
		}
		if err := curve.measure(ctx); err != nil {
			return err
		}
	}
	return nil
}

// mostWebClients is up to how many clients Odoo is asked too: its two workers answer them one after the other, so that more only
// wait longer.
const mostWebClients = 32

// numbersOfClients measures reads of one order with more and more clients.
func (b *bench) numbersOfClients(ctx context.Context) error {
	for _, clients := range b.Clients {
		s := sample{x: float64(clients), clients: clients, web: clients <= mostWebClients, workload: b.find("one"), clones: b.clones, service: b.service}
		if err := b.curve(ctx, "one order, clients", s); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) pageSizes(ctx context.Context) error {
	for _, limit := range []int{1, 10, 80, 500, 5000, 50_000} {
		if limit > b.Sizes.Orders {
			break
		}
		w := b.find("page")
		w.Page.Limit, w.Records = limit, limit
		if err := b.curve(ctx, "page size", sample{x: float64(limit), workload: w, service: b.service}); err != nil {
			return err
		}
	}
	return nil
}

// depths measures trees that are deeper and deeper; what cost is to grow with are the records in the answer.
func (b *bench) depths(ctx context.Context) error {
	for depth := 1; depth <= 6; depth++ {
		if err := b.depth(ctx, depth); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) depth(ctx context.Context, depth int) (err error) {
	w := b.find("page")
	w.Tree = nested(depth)
	service, err := startService(ctx, b.Executable, b.Stack, 2, map[string]tree{w.Model: w.Tree}, []string{w.Role})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.stop()) }()
	answer, err := service.get(ctx, "/api/"+w.Model+w.Page.query(), w.Role)
	if err != nil {
		return err
	}
	var page struct{ Results any }
	if err := json.Unmarshal(answer, &page); err != nil {
		return err
	}
	return b.curve(ctx, "depth", sample{x: float64(depth), amount: objects(page.Results), workload: w, service: service})
}

// objects counts the objects in a value.
func objects(value any) float64 {
	n := 0.0
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			n += objects(item)
		}
	case map[string]any:
		n = 1
		for _, item := range value {
			n += objects(item)
		}
	}
	return n
}

// nested is a tree of some depth, along orders' lines, their products and on.
func nested(depth int) tree {
	path := []node{
		{Name: "order_line", List: true},
		{Name: "product_id"},
		{Name: "product_tmpl_id"},
		{Name: "categ_id"},
		{Name: "parent_id"},
	}
	var t tree
	for level := depth - 1; level >= 0; level-- {
		inner := t
		t = tree{{Name: "id"}, {Name: "name"}}
		if level < depth-1 {
			n := path[level]
			n.Sub = inner
			t = append(t, n)
		}
	}
	return t
}

// offsets measures pages that lie further and further behind the first, by their offset and by key.
func (b *bench) offsets(ctx context.Context) error {
	for _, offset := range []int{1, 10, 100, 1000, 10_000, 40_000, 100_000, 400_000} {
		w := b.find("page")
		if offset+w.Page.Limit > b.Sizes.Orders {
			break
		}
		w.Page.Offset = offset
		if err := b.curve(ctx, "offset", sample{x: float64(offset), workload: w, service: b.service}); err != nil {
			return err
		}
		var err error
		if w.Page.After, err = b.behind(ctx, w, offset); err != nil {
			return err
		}
		if err := b.curve(ctx, "page by key behind", sample{x: float64(offset), workload: w, service: b.service}); err != nil {
			return err
		}
	}
	return nil
}

// numbersOfRules measures the salesman's page with more and more record rules, all of which let everything pass, so that
// the answer stays what it is.
func (b *bench) numbersOfRules(ctx context.Context) (err error) {
	admin := b.users[stack.RoleAdmin]
	models, err := b.Odoo.Execute(ctx, admin, "ir.model", "search", []any{[]any{[]any{"model", "=", "sale.order"}}}, nil)
	if err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	var rules []any
	defer func() {
		if len(rules) > 0 {
			_, failed := b.Odoo.Execute(context.WithoutCancel(ctx), admin, "ir.rule", "unlink", []any{rules}, nil)
			err = errors.Join(err, failed)
		}
	}()
	for _, n := range []int{0, 1, 5, 20, 50} {
		for len(rules) < n {
			rule := map[string]any{
				"name": fmt.Sprintf("bench %d", len(rules)), "model_id": models.([]any)[0],
				"domain_force": fmt.Sprintf("['|', ('partner_id.name', '!=', 'nobody %d'), ('user_id', '=', user.id)]", len(rules)),
			}
			id, err := b.Odoo.Execute(ctx, admin, "ir.rule", "create", []any{rule}, nil)
			if err != nil {
				return fmt.Errorf("rules: %w", err)
			}
			rules = append(rules, id)
		}
		s := sample{x: float64(n), amount: float64(n + 1), workload: b.find("page-salesman"), service: b.service}
		if err := b.curve(ctx, "record rules beside Odoo's own", s); err != nil {
			return err
		}
	}
	return nil
}

// linesPerOrder measures single orders with more and more lines.
func (b *bench) linesPerOrder(ctx context.Context) error {
	const orders = 20
	for _, lines := range []int{1, 4, 20, 100, 500} {
		clones, err := b.Stack.Clone(ctx, stack.Sizes{Orders: orders, Lines: lines})
		if err != nil {
			return err
		}
		s := sample{x: float64(lines), workload: b.find("one"), clones: clones, service: b.service}
		if err := b.curve(ctx, "lines of an order", s); err != nil {
			return err
		}
	}
	return nil
}

// sizesOfTable measures the same reads while the table has more and more orders.
func (b *bench) sizesOfTable(ctx context.Context) error {
	orders := 0
	for _, size := range append([]int{b.Sizes.Orders}, slices.Sorted(slices.Values(b.Tables))...) {
		more := size - orders
		if more <= 0 {
			continue // the table has more already
		}
		if orders > 0 {
			b.say("cloning %d more orders", more)
			partners := int(int64(b.Sizes.Partners) * int64(more) / int64(b.Sizes.Orders))
			if _, err := b.Stack.Clone(ctx, stack.Sizes{Orders: more, Lines: b.Sizes.Lines, Partners: partners}); err != nil {
				return err
			}
		}
		orders = size
		for _, name := range []string{"one", "page", "filter"} {
			w := b.find(name)
			if err := b.curve(ctx, w.Title+", orders in the table", sample{x: float64(orders), workload: w, clones: b.clones, service: b.service}); err != nil {
				return err
			}
		}
	}
	return nil
}
