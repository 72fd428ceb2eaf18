package reader

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"

	"lateral/auth"
	"lateral/schema"
	"lateral/writer"
)

// fakeOdoo answers search and read from records in memory.
type fakeOdoo struct {
	records map[string]map[recordID]map[string]any
	hidden  map[string]map[recordID]bool
	most    int       // ids of one read whose answer is not too large; 0: any
	apart   [2]string // fields that no answer can carry together
	needs   [2]string // a field that is refused unless another is read with it
	calls   []string
}

func (f *fakeOdoo) Authenticate(context.Context, string, string) (int64, error) { return 0, nil }

func (f *fakeOdoo) Execute(_ context.Context, _ auth.Credentials, model, method string, args []any, kwargs map[string]any) (any, error) {
	if method == "search" {
		f.calls = append(f.calls, fmt.Sprint(model, ".search", args, kwargs))
		if model == "order" {
			return []any{int64(2), int64(1)}, nil
		}
		var found []any
		for id := range f.records[model] {
			if !f.hidden[model][id] {
				found = append(found, id)
			}
		}
		return found, nil
	}
	ids, fields := args[0].([]recordID), kwargs["fields"].([]string)
	f.calls = append(f.calls, fmt.Sprint(model, ids, fields))
	if kwargs["load"] != "" {
		return nil, errors.New("names of many2ones are asked for")
	}
	if f.most > 0 && len(ids) > f.most {
		return nil, &writer.Fault{Kind: writer.TooLarge, Message: "too large"}
	}
	if slices.Contains(fields, f.apart[0]) && slices.Contains(fields, f.apart[1]) {
		return nil, &writer.Fault{Kind: writer.ReturnedNone, Message: "None beside bytes"}
	}
	if slices.Contains(fields, f.needs[0]) && !slices.Contains(fields, f.needs[1]) {
		return nil, &writer.Fault{Kind: writer.Access, Message: "not in the cache"}
	}
	var rows []any
	for _, id := range ids {
		if f.hidden[model][id] {
			return nil, &writer.Fault{Kind: writer.Access, Message: "hidden"}
		}
		record, ok := f.records[model][id]
		if !ok {
			continue
		}
		row := map[string]any{"id": id}
		for _, name := range fields {
			if name != "id" {
				row[name] = record[name]
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// world is a catalogue of orders, lines, products and tags, and records of them.
type world struct {
	catalogue *schema.Catalogue
	odoo      *fakeOdoo
}

func newWorld() *world {
	model := func(name string, fields ...*schema.Field) *schema.Model {
		m := &schema.Model{Name: name, Table: strings.ReplaceAll(name, ".", "_"), Fields: map[string]*schema.Field{}}
		fields = append(fields,
			&schema.Field{Name: "id", Type: schema.Integer, Stored: true, Column: "id"},
			&schema.Field{Name: "create_date", Type: schema.Datetime, Stored: true, Column: "create_date"})
		for _, f := range fields {
			f.Model = m
			m.Fields[f.Name] = f
		}
		return m
	}
	column := func(name string, typ schema.FieldType, comodel string) *schema.Field {
		f := &schema.Field{Name: name, Type: typ, Stored: true, Comodel: comodel}
		if !typ.X2many() {
			f.Column = name
		}
		return f
	}
	catalogue := schema.NewCatalogue(
		model("order", column("name", schema.Char, ""), column("line_ids", schema.One2many, "line"), column("tag_ids", schema.Many2many, "tag"),
			&schema.Field{Name: "total", Type: schema.Float}),
		model("line", column("qty", schema.Float, ""), column("product_id", schema.Many2one, "product"), column("order_id", schema.Many2one, "order")),
		model("product", column("name", schema.Char, "")),
		model("tag", column("color", schema.Integer, "")),
		model("account", &schema.Field{Name: "root_id", Type: schema.Many2one, Comodel: "root"}),
		model("root", &schema.Field{Name: "name", Type: schema.Char}),
	)
	records := map[string]map[recordID]map[string]any{
		"order": {
			int64(1): {"name": "S1", "line_ids": []any{int64(11), int64(10)}, "tag_ids": []any{}, "total": 7.0},
			int64(2): {"name": false, "line_ids": []any{}, "tag_ids": []any{int64(30)}, "total": 0.0},
		},
		"line": {
			int64(10): {"qty": 1.0, "product_id": int64(20), "order_id": int64(1)},
			int64(11): {"qty": 2.5, "product_id": int64(20), "order_id": int64(1)},
			int64(12): {"qty": 3.0, "product_id": false, "order_id": int64(99)},
		},
		"product": {int64(20): {"name": "Desk"}},
		"account": {int64(40): {"root_id": "10"}, int64(41): {"root_id": false}},
		"root":    {"10": {"name": "10"}},
		"tag":     {int64(30): {"color": int64(4)}},
	}
	return &world{catalogue: catalogue, odoo: &fakeOdoo{records: records, hidden: map[string]map[recordID]bool{}}}
}

func (w *world) level(model string, nodes ...*Node) *Level {
	m := w.catalogue.Model(model)
	for _, n := range nodes {
		n.Field = m.Field(n.Key)
		n.Null = NullPolicy{False: true, Empty: true}
	}
	return &Level{Model: m, Nodes: nodes, Access: &auth.ModelAccess{Model: m, Readable: true}}
}

// documents returns the documents of records, and the calls made.
func (w *world) documents(root *Level, ids ...int64) (string, error) {
	o := &odooExecutor{caller: w.odoo}
	var documents []string
	err := o.documents(context.Background(), auth.Credentials{}, &Plan{Catalogue: w.catalogue, Root: root}, ids, func(_ int64, document []byte) error {
		documents = append(documents, string(document))
		return nil
	})
	return strings.Join(documents, "\n"), err
}

// Ensure a tree is read level by level, one call each, a shared record once, and missing ones are
// left out.
func TestOdooDocuments(t *testing.T) {
	w := newWorld()
	product := w.level("product", &Node{Key: "id"}, &Node{Key: "name"})
	line := w.level("line", &Node{Key: "qty"}, &Node{Key: "product_id", Shape: Object, Sub: product})
	root := w.level("order", &Node{Key: "id"}, &Node{Key: "name"},
		&Node{Key: "line_ids", Shape: Objects, Sub: line},
		&Node{Key: "tag_ids", Shape: SingleObject, Sub: w.level("tag", &Node{Key: "id"})})
	got, err := w.documents(root, 2, 77, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":2,"name":null,"line_ids":[],"tag_ids":{"id":30}}` + "\n" +
		`{"id":1,"name":"S1","line_ids":[{"qty":2.5,"product_id":{"id":20,"name":"Desk"}},{"qty":1.0,"product_id":{"id":20,"name":"Desk"}}],"tag_ids":null}`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	slices.Sort(w.odoo.calls)
	wantCalls := []string{
		"line [11 10] [qty product_id]",
		"order [2 77 1] [name line_ids tag_ids]",
		"product [20] [name]",
		"tag [30] [create_date]",
	}
	for i, call := range w.odoo.calls {
		w.odoo.calls[i] = strings.Replace(call, "[", " [", 1)
	}
	if !reflect.DeepEqual(w.odoo.calls, wantCalls) {
		t.Errorf("got calls %q, want %q", w.odoo.calls, wantCalls)
	}
}

// Ensure every shape of a many2one is written, empty and dangling ones included.
func TestOdooMany2one(t *testing.T) {
	for shape, want := range map[Shape]string{
		ID:         `{"product_id":20,"order_id":1}` + "\n" + `{"product_id":null,"order_id":99}`,
		NamedID:    `{"product_id":{"id":20,"name":"Desk"},"order_id":{"id":1,"name":"S1"}}` + "\n" + `{"product_id":null,"order_id":{"id":99}}`,
		Object:     `{"product_id":{"id":20},"order_id":{"name":"S1"}}` + "\n" + `{"product_id":null,"order_id":null}`,
		ObjectList: `{"product_id":[{"id":20}],"order_id":[{"name":"S1"}]}` + "\n" + `{"product_id":[],"order_id":[]}`,
	} {
		w := newWorld()
		product, order := &Node{Key: "product_id", Shape: shape}, &Node{Key: "order_id", Shape: shape}
		if shape == Object || shape == ObjectList {
			product.Sub = w.level("product", &Node{Key: "id"})
			order.Sub = w.level("order", &Node{Key: "name"})
		}
		if shape == NamedID {
			product.Sub = w.level("product", &Node{Key: "id"}, &Node{Key: "name"})
			order.Sub = w.level("order", &Node{Key: "id"}, &Node{Key: "name"})
		}
		if got, err := w.documents(w.level("line", product, order), 10, 12); err != nil || got != want {
			t.Errorf("shape %d: got %s, %v, want %s", shape, got, err, want)
		}
	}
}

// Ensure the ids of a model that counts in texts are written as such.
func TestOdooTextIDs(t *testing.T) {
	for shape, want := range map[Shape]string{
		ID:      `{"root_id":"10"}` + "\n" + `{"root_id":null}`,
		NamedID: `{"root_id":{"id":"10","name":"10"}}` + "\n" + `{"root_id":null}`,
		Object:  `{"root_id":{"id":"10","name":"10"}}` + "\n" + `{"root_id":null}`,
	} {
		w := newWorld()
		root := &Node{Key: "root_id", Shape: shape}
		if shape != ID {
			root.Sub = w.level("root", &Node{Key: "id"}, &Node{Key: "name"})
		}
		if got, err := w.documents(w.level("account", root), 40, 41); err != nil || got != want {
			t.Errorf("shape %d: got %s, %v, want %s", shape, got, err, want)
		}
	}
}

// Ensure a named id has no name where the user may not read the target, which fails nothing.
func TestOdooNamedHidden(t *testing.T) {
	w := newWorld()
	w.odoo.hidden["product"] = map[recordID]bool{int64(20): true}
	node := &Node{Key: "product_id", Shape: NamedID, Sub: w.level("product", &Node{Key: "id"}, &Node{Key: "name"})}
	got, err := w.documents(w.level("line", node), 10)
	if want := `{"product_id":{"id":20}}`; err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

// Ensure a nested record that the user may not read fails the call, though only its id is asked for.
func TestOdooDenied(t *testing.T) {
	w := newWorld()
	w.odoo.hidden["product"] = map[recordID]bool{int64(20): true}
	root := w.level("order", &Node{Key: "line_ids", Shape: Objects, Sub: w.level("line", &Node{Key: "product_id", Shape: Object, Sub: w.level("product", &Node{Key: "id"})})})
	_, err := w.documents(root, 1)
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Kind != Denied || e.Path != "line_ids.product_id" {
		t.Fatalf("got %#v", err)
	}
	if fault, ok := errors.AsType[*writer.Fault](err); !ok || fault.Kind != writer.Access {
		t.Fatalf("the fault is out of reach of %v", err)
	}
}

// Ensure several records in one-record form are an error that names the field.
func TestOdooNotSingle(t *testing.T) {
	w := newWorld()
	root := w.level("order", &Node{Key: "line_ids", Shape: SingleObject, Sub: w.level("line", &Node{Key: "qty"})})
	_, err := w.documents(root, 1)
	if e, ok := errors.AsType[*Error](err); !ok || e.Kind != NotSingle || e.Path != "line_ids" || e.Field != "line_ids" {
		t.Fatalf("got %#v", err)
	}
}

// Ensure an answer that is too large is asked for again in parts, down to one record.
func TestOdooTooLarge(t *testing.T) {
	w := newWorld()
	w.odoo.most = 1
	root := w.level("order", &Node{Key: "id"}, &Node{Key: "line_ids", Shape: Objects, Sub: w.level("line", &Node{Key: "qty"})})
	got, err := w.documents(root, 1, 2)
	if want := `{"id":1,"line_ids":[{"qty":2.5},{"qty":1.0}]}` + "\n" + `{"id":2,"line_ids":[]}`; err != nil || got != want {
		t.Fatalf("got %s, %v", got, err)
	}
}

// Ensure fields of which no answer can carry all are read in parts.
func TestOdooFieldsApart(t *testing.T) {
	w := newWorld()
	w.odoo.apart = [2]string{"name", "total"}
	got, err := w.documents(w.level("order", &Node{Key: "id"}, &Node{Key: "name"}, &Node{Key: "total"}), 2, 77, 1)
	if want := `{"id":2,"name":null,"total":0.0}` + "\n" + `{"id":1,"name":"S1","total":7.0}`; err != nil || got != want {
		t.Fatalf("got %s, %v", got, err)
	}
}

// Ensure one request does not hold more ids in a call than a chunk has, and reads what chunks share
// once.
func TestOdooChunks(t *testing.T) {
	w := newWorld()
	var ids []int64
	for id := int64(1000); id < 1000+2*odooChunk+1; id++ {
		w.odoo.records["line"][id] = map[string]any{"product_id": int64(20)}
		ids = append(ids, id)
	}
	root := w.level("line", &Node{Key: "product_id", Shape: Object, Sub: w.level("product", &Node{Key: "name"})})
	got, err := w.documents(root, ids...)
	if err != nil || strings.Count(got, `{"product_id":{"name":"Desk"}}`) != len(ids) {
		t.Fatalf("got %.100s, %v", got, err)
	}
	if len(w.odoo.calls) != 4 {
		t.Errorf("got %d calls, want three of lines and one of the product", len(w.odoo.calls))
	}
}

// Ensure yield's error ends the read and comes back.
func TestOdooYieldError(t *testing.T) {
	w := newWorld()
	stop := errors.New("stop")
	o := &odooExecutor{caller: w.odoo}
	count := 0
	err := o.documents(t.Context(), auth.Credentials{}, &Plan{Catalogue: w.catalogue, Root: w.level("order", &Node{Key: "id"})}, []int64{1, 2}, func(int64, []byte) error {
		count++
		return stop
	})
	if !errors.Is(err, stop) || count != 1 {
		t.Fatalf("got %v after %d", err, count)
	}
}

// Ensure computed fields of the hybrid path come by id and in the nodes' order, with a field that
// makes Odoo check the record.
func TestOdooRender(t *testing.T) {
	w := newWorld()
	level := w.level("order", &Node{Key: "total"}, &Node{Key: "name"})
	o := &odooExecutor{caller: w.odoo}
	got, err := o.render(t.Context(), auth.Credentials{}, &Plan{Catalogue: w.catalogue, Root: level}, level, level.Nodes[:1], []int64{1, 2, 3})
	if err != nil || len(got) != 2 || string(got[1][0]) != "7.0" || string(got[2][0]) != "0.0" {
		t.Fatalf("got %v, %v", got, err)
	}
	if want := "order[1 2 3] [total create_date]"; w.odoo.calls[0] != want {
		t.Errorf("got %s, want %s", w.odoo.calls[0], want)
	}
}

// Ensure a field that Odoo computes only with what another has left in its cache is read with it.
func TestOdooRenderTogether(t *testing.T) {
	w := newWorld()
	w.odoo.needs = [2]string{"total", "name"}
	level := w.level("order", &Node{Key: "total"}, &Node{Key: "name"})
	o := &odooExecutor{caller: w.odoo}
	got, err := o.render(t.Context(), auth.Credentials{}, &Plan{Catalogue: w.catalogue, Root: level}, level, level.Nodes[:1], []int64{1})
	if err != nil || len(got) != 1 || string(got[1][0]) != "7.0" {
		t.Fatalf("got %v, %v", got, err)
	}
	w.odoo.needs[1] = "tag_ids"
	if _, err := o.render(t.Context(), auth.Credentials{}, &Plan{Catalogue: w.catalogue, Root: level}, level, level.Nodes[:1], []int64{1}); err == nil {
		t.Fatal("what is refused with all of the level's fields is answered")
	}
}

// Ensure a search sends what the plan says and no more.
func TestOdooSearch(t *testing.T) {
	w := newWorld()
	o := &odooExecutor{caller: w.odoo}
	active := false
	plan := &Plan{Root: w.level("order")}
	if ids, err := o.search(t.Context(), auth.Credentials{}, plan); err != nil || !reflect.DeepEqual(ids, []int64{2, 1}) {
		t.Fatalf("got %v, %v", ids, err)
	}
	plan.RawDomain, plan.Offset, plan.Limit, plan.Order = []any{[]any{"id", ">", int64(1)}}, 5, 10, "name desc"
	plan.Context = Context{Lang: "fr_FR", ActiveTest: &active}
	if _, err := o.search(t.Context(), auth.Credentials{}, plan); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"order.search[[]]map[context:map[]]",
		"order.search[[[id > 1]]]map[context:map[active_test:false lang:fr_FR] limit:10 offset:5 order:name desc]",
	}
	for i, call := range w.odoo.calls {
		w.odoo.calls[i] = strings.ReplaceAll(call, " map", "map")
	}
	if !reflect.DeepEqual(w.odoo.calls, want) {
		t.Errorf("got %q, want %q", w.odoo.calls, want)
	}
}

// Ensure ids that no record can have are not sent to Odoo, of which some versions fail on them.
func TestPossibleIDs(t *testing.T) {
	const beyond = int64(1) << 40
	got := possibleIDs([]any{
		"|",
		[]any{"id", "=", beyond},
		"!",
		schema.Tuple{"id", "!=", new(big.Int).Lsh(big.NewInt(1), 80)},
		[]any{"id", "=", int64(7)},
		[]any{"id", "in", []any{beyond}},
		[]any{"amount", "=", beyond},
		[]any{"id"},
	})
	want := []any{
		"|",
		[]any{int64(0), "=", int64(1)},
		"!",
		[]any{int64(1), "=", int64(1)},
		[]any{"id", "=", int64(7)},
		[]any{"id", "in", []any{beyond}},
		[]any{"amount", "=", beyond},
		[]any{"id"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
