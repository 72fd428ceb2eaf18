package integration

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"lateral/auth"
	"lateral/integration/stack"
	"lateral/reader"
	"lateral/schema"
)

// walk is a read of all records of a model in an order, page by page.
type walk struct {
	version string // of Odoo; empty: any
	model   string
	order   string // empty: the model's own
	filters []any
	context map[string]any
	// mixed is a field of which some of the records have no value, so that NULLs are walked over.
	mixed string
	// user is the only one to do it; empty: all.
	user string
}

var walks = []walk{
	{model: "res.partner"},
	{model: "res.partner", order: "city desc, name", mixed: "city"},
	{model: "res.partner", order: "parent_id desc, name desc, id", mixed: "parent_id"},
	{model: "res.partner", order: "country_id, email, id desc", mixed: "country_id"},
	{model: "res.partner", order: "is_company desc, color, create_date desc"},
	{model: "res.partner", order: "active desc, parent_id, city", filters: []any{[]any{"active", "in", []any{true, false}}}},
	{model: "res.partner", order: "partner_latitude desc, vat desc"},
	{model: "res.partner", order: "id desc", filters: []any{"|", []any{"name", "ilike", "a"}, []any{"email", "!=", false}}},
	{version: "19.0", model: "res.partner", order: "parent_id nulls first, ref desc nulls last, city asc nulls first", mixed: "parent_id"},
	{version: "19.0", model: "res.partner", order: "parent_id.id desc nulls last, name", mixed: "parent_id"},
	{model: "sale.order"},
	{model: "sale.order", order: "partner_id, amount_total desc"},
	{model: "sale.order", order: "client_order_ref, state desc", mixed: "client_order_ref"},
	{model: "sale.order", order: "user_id desc, commitment_date desc, amount_total"},
	{model: "sale.order", order: "amount_total, date_order", filters: []any{[]any{"amount_total", ">", 0.0}}},
	{model: "sale.order", order: "team_id, partner_id desc, name"},
	{model: "sale.order.line"},
	{model: "sale.order.line", order: "order_id desc, product_id, discount desc"},
	{model: "sale.order.line", order: "price_unit desc, qty_delivered, order_partner_id"},
	{model: "product.template", context: map[string]any{"lang": "fr_FR"}},
	{model: "product.template", order: "name desc", context: map[string]any{"lang": "fr_FR"}},
	{model: "product.template", order: "categ_id, list_price desc, default_code", mixed: "default_code"},
	{model: "product.product", order: "default_code desc, product_tmpl_id", mixed: "default_code"},
	{model: "product.category", order: "parent_id, name", context: map[string]any{"lang": "fr_FR"}},
	{model: "res.country", order: "phone_code desc", context: map[string]any{"lang": "fr_FR"}},
	{model: "res.country", order: "currency_id desc, name", context: map[string]any{"lang": "fr_FR"}},
	{model: "account.move", user: stack.RoleAdmin},
	{model: "account.move", order: "invoice_date, ref desc, amount_total desc", user: stack.RoleAdmin},
}

// walkPage is the length of pages, small so that they begin at many records.
const walkPage = 7

func (w walk) query() reader.Query {
	q := reader.Query{Model: w.model, Order: w.order, Context: w.context, Profile: reader.Typed(), Exclude: "*"}
	if w.filters != nil {
		q.Filters = w.filters
	}
	if w.mixed != "" {
		q.Include = w.mixed
	}
	return q
}

// page reads a page by key, and the cursor behind it.
func (s *stand) page(t testing.TB, who auth.Credentials, q reader.Query) (documents []string, cursor string) {
	t.Helper()
	result, err := s.reader.Read(t.Context(), who, q)
	if err != nil {
		t.Fatalf("%s by %q: %v", q.Model, q.Order, err)
	}
	for {
		document, err := result.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s by %q: %v", q.Model, q.Order, err)
		}
		documents = append(documents, string(document))
	}
	cursor, asked, err := result.Cursor()
	if err != nil || asked != q.Keyset {
		t.Fatalf("%s by %q: cursor %q, %v, %v", q.Model, q.Order, cursor, asked, err)
	}
	if err := result.Close(); err != nil {
		t.Fatal(err)
	}
	return documents, cursor
}

// follow reads all pages by key.
func (s *stand) follow(t testing.TB, who auth.Credentials, q reader.Query) (documents []string, pages int) {
	t.Helper()
	q.Keyset, q.Limit = true, walkPage
	for {
		page, cursor := s.page(t, who, q)
		documents = append(documents, page...)
		if pages++; pages > 10_000 {
			t.Fatalf("%s by %q: a walk without an end", q.Model, q.Order)
		}
		if cursor == "" {
			return documents, pages
		}
		if len(page) != walkPage {
			t.Fatalf("%s by %q: a page of %d with one behind it", q.Model, q.Order, len(page))
		}
		q.After = cursor
	}
}

// Ensure pages by key, one behind the other, are what Odoo finds at once, in any order.
func TestKeysetPages(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		many := 0
		for _, role := range []string{stack.RoleAdmin, stack.RoleSalesman} {
			who := s.login(t, role)
			for _, w := range walks {
				if w.version != "" && w.version != s.Version || w.user != "" && w.user != role {
					continue
				}
				q := w.query()
				whole, _ := s.page(t, who, q)
				got, pages := s.follow(t, who, q)
				if !slices.Equal(got, whole) {
					t.Errorf("%s: %s by %q: %d records in %d pages, %d at once; they differ at %d", role, w.model, w.order, len(got), pages, len(whole), differAt(got, whole))
				}
				if want := s.ordered(t, who, w); !slices.Equal(idsOf(t, got), want) {
					t.Errorf("%s: %s by %q: %v, Odoo has %v", role, w.model, w.order, idsOf(t, got), want)
				}
				if w.mixed != "" && role == stack.RoleAdmin && !mixed(t, whole, w.mixed) {
					t.Errorf("%s by %q: %s is empty everywhere or nowhere", w.model, w.order, w.mixed)
				}
				if pages > 2 {
					many++
				}
			}
		}
		if many < len(walks) {
			t.Errorf("only %d walks are longer than two pages", many)
		}
	})
}

// ordered asks Odoo for the ids that a walk is to find.
func (s *stand) ordered(t testing.TB, who auth.Credentials, w walk) []int64 {
	t.Helper()
	order := w.order
	if order == "" {
		order = s.catalogue(t).Model(w.model).Order
	}
	if !slices.ContainsFunc(strings.Split(order, ","), func(term string) bool { return strings.HasPrefix(strings.TrimSpace(term)+" ", "id ") }) {
		order += ", id"
	}
	context := s.ownContext(t, who)
	for key, value := range w.context {
		context[key] = value
	}
	domain := w.filters
	if domain == nil {
		domain = []any{}
	}
	found := s.call(t, who, w.model, "search", []any{domain}, map[string]any{"order": order, "context": context})
	var ids []int64
	for _, id := range found.([]any) {
		ids = append(ids, id.(int64))
	}
	return ids
}

func idsOf(t testing.TB, documents []string) []int64 {
	t.Helper()
	var ids []int64
	for _, document := range documents {
		var record struct{ ID int64 }
		if err := json.Unmarshal([]byte(document), &record); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, record.ID)
	}
	return ids
}

// mixed reports whether a field has a value in some documents, and none in others.
func mixed(t testing.TB, documents []string, field string) bool {
	t.Helper()
	var with, without bool
	for _, document := range documents {
		var record map[string]any
		if err := json.Unmarshal([]byte(document), &record); err != nil {
			t.Fatal(err)
		}
		with, without = with || record[field] != nil, without || record[field] == nil
	}
	return with && without
}

func differAt(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// Ensure a cursor is good for the read and the user that it was given to, for nothing else, and that it
// tells nobody what records are ordered by.
func TestKeysetCursors(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		admin, salesman := s.login(t, stack.RoleAdmin), s.login(t, stack.RoleSalesman)
		q := reader.Query{Model: "res.partner", Order: "name, id", Profile: reader.Typed(), Limit: 3, Keyset: true, Filters: []any{[]any{"name", "!=", "x"}}}
		first, cursor := s.page(t, admin, q)
		if cursor == "" || len(first) != 3 {
			t.Fatalf("%d records, cursor %q", len(first), cursor)
		}
		raw, err := base64.RawURLEncoding.DecodeString(cursor)
		if err != nil {
			t.Fatal(err)
		}
		var last struct{ Name string }
		if err := json.Unmarshal([]byte(first[2]), &last); err != nil || last.Name == "" {
			t.Fatalf("%s: %v", first[2], err)
		}
		if strings.Contains(string(raw), last.Name) {
			t.Error("the cursor can be read")
		}
		refused := func(what string, who auth.Credentials, change func(*reader.Query)) {
			t.Helper()
			other := q
			other.After = cursor
			change(&other)
			result, err := s.reader.Read(t.Context(), who, other)
			if failed, ok := errors.AsType[*reader.Error](err); !ok || failed.Kind != reader.Invalid || failed.Field == "" {
				t.Errorf("%s: %v", what, err)
			}
			if err == nil {
				result.Close()
			}
		}
		refused("another user's", salesman, func(*reader.Query) {})
		refused("another order's", admin, func(q *reader.Query) { q.Order = "name desc, id" })
		refused("another order's of as many terms", admin, func(q *reader.Query) { q.Order = "city, id" })
		refused("a longer order's", admin, func(q *reader.Query) { q.Order = "name, city, id" })
		refused("another model's", admin, func(q *reader.Query) { q.Model = "product.template" })
		refused("other filters'", admin, func(q *reader.Query) { q.Filters = []any{[]any{"name", "!=", "y"}} })
		refused("no filters'", admin, func(q *reader.Query) { q.Filters = nil })
		refused("another language's", admin, func(q *reader.Query) { q.Context = map[string]any{"lang": "fr_FR"} })
		refused("archived records'", admin, func(q *reader.Query) { q.Context = map[string]any{"active_test": false} })
		refused("with an offset", admin, func(q *reader.Query) { q.Offset = 1 })
		for _, text := range []string{"x", "None", "AA", "AQ", strings.Repeat("A", 200), cursor + "A", cursor[:len(cursor)-1], cursor[1:], cursor + "==", "é", "\x00", strings.Repeat("x", 100_000)} {
			refused(fmt.Sprintf("%.20q", text), admin, func(q *reader.Query) { q.After = text })
		}
		for i := range raw {
			raw[i] ^= 1
			refused(fmt.Sprintf("a cursor changed at byte %d", i), admin, func(q *reader.Query) { q.After = base64.RawURLEncoding.EncodeToString(raw) })
			raw[i] ^= 1
		}
		// It is the filters, the order and the language that it belongs to, and not the fields or the length of pages.
		q.After, q.Limit, q.Include = cursor, 5, "city"
		second, _ := s.page(t, admin, q)
		whole, _ := s.page(t, admin, reader.Query{Model: q.Model, Order: q.Order, Profile: q.Profile, Filters: q.Filters, Include: "city", Offset: 3, Limit: 5})
		if !slices.Equal(second, whole) {
			t.Errorf("the second page is %v, by offset %v", second, whole)
		}
		// What Odoo alone can order has no pages by key.
		if _, err := s.reader.Read(t.Context(), admin, reader.Query{Model: "res.users", Order: "login", Profile: reader.Typed(), Keyset: true, Context: map[string]any{"odd": true}}); err == nil || !strings.Contains(err.Error(), "offset") {
			t.Errorf("a read through Odoo: %v", err)
		}
	})
}

// Ensure a walk goes on behind records that are gone or changed meanwhile, and shows those that did not change
// exactly once.
func TestKeysetWhileRecordsChange(t *testing.T) {
	s := shared(t, versions()[0]).fork(t)
	admin := s.login(t, stack.RoleAdmin)
	var values []any
	for i := range 40 {
		values = append(values, map[string]any{"name": fmt.Sprintf("keyset %02d", i/3), "ref": "keyset"})
	}
	made := s.call(t, admin, "res.partner", "create", []any{values}, nil).([]any)
	q := reader.Query{
		Model: "res.partner", Order: "name desc", Profile: reader.Typed(), Limit: walkPage, Keyset: true,
		Filters: []any{schema.Tuple{"ref", "=", "keyset"}},
	}
	seen := map[int64]int{}
	changed := map[int64]bool{}
	for {
		page, cursor := s.page(t, admin, q)
		ids := idsOf(t, page)
		for _, id := range ids {
			seen[id]++
		}
		if cursor == "" {
			break
		}
		q.After = cursor
		// The record that the cursor stands behind goes, the one before is done with, as a worker would.
		s.call(t, admin, "res.partner", "unlink", []any{[]any{ids[len(ids)-1]}}, nil)
		s.call(t, admin, "res.partner", "write", []any{[]any{ids[0]}, map[string]any{"ref": "done"}}, nil)
		changed[ids[0]], changed[ids[len(ids)-1]] = true, true
	}
	if len(changed) < 8 {
		t.Fatalf("only %d records were changed", len(changed))
	}
	for _, id := range made {
		if seen[id.(int64)] != 1 {
			t.Errorf("record %v was shown %d times", id, seen[id.(int64)])
		}
	}
}
