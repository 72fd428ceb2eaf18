package integration

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"lateral/auth"
	"lateral/integration/stack"
	"lateral/reader"
	"lateral/schema"
	"lateral/writer"
)

// faultOf runs a call that must fail and returns its fault.
func faultOf(t *testing.T, err error) *writer.Fault {
	t.Helper()
	fault, ok := errors.AsType[*writer.Fault](err)
	if !ok {
		t.Fatalf("got %v, want a fault", err)
	}
	for _, leak := range []string{"Traceback", `File "`, "SELECT ", "LINE 1", "/usr/", ".py"} {
		if strings.Contains(fault.Odoo(), leak) {
			t.Errorf("%s holds %q", fault.Odoo(), leak)
		}
	}
	return fault
}

// Ensure every way in which a read is refused is told apart.
func TestFaults(t *testing.T) {
	list := func(v ...any) []any { return v }
	domain := func(leaves ...any) []any { return list(leaves) }
	eachVersion(t, func(t *testing.T, s *stand) {
		admin, portal := s.login(t, stack.RoleAdmin), s.login(t, stack.RolePortal)
		for _, test := range []struct {
			name          string
			who           auth.Credentials
			model, method string
			args          []any
			kwargs        map[string]any
			kind          writer.Kind
		}{
			{"no ACL", portal, "ir.rule", "search", domain(), nil, writer.Access},
			{"no ACL for a read", portal, "sale.report", "read", list(list(1)), nil, writer.Access},
			{"hidden by a rule", portal, "res.users", "read", list(list(admin.UID)), map[string]any{"fields": list("signature")}, writer.Access},
			{"other companies", admin, "res.partner", "read", list(list(1)), map[string]any{"fields": list("name", "company_id"), "context": map[string]any{"allowed_company_ids": list(1, 99)}}, writer.Access},
			{"abstract model", admin, "base", "search", domain(), nil, writer.Access},
			{"wrong secret", auth.Credentials{UID: admin.UID, Secret: "no-secret"}, "res.partner", "search", domain(), nil, writer.AccessDenied},
			{"no model", admin, "no.model", "search", domain(), nil, writer.Validation},
			{"malformed order", admin, "res.partner", "search", domain(), map[string]any{"order": "name; drop"}, writer.Validation},
			{"unknown field in a domain", admin, "res.partner", "search", domain(list("nofield", "=", 1)), nil, writer.BadValue},
			{"unknown field on a path", admin, "res.partner", "search", domain(list("category_id.nofield", "=", 1)), nil, writer.BadValue},
			{"unknown operator", admin, "res.partner", "search", domain(list("name", "near", 1)), nil, writer.BadValue},
			{"incomplete domain", admin, "res.partner", "search", domain("|", list("name", "=", "x")), nil, writer.BadValue},
			{"text for a number", admin, "res.partner", "search", domain(list("id", "=", "abc")), nil, writer.BadValue},
			{"text for a time", admin, "res.partner", "search", domain(list("create_date", ">", "abc")), nil, writer.BadValue},
			{"unknown field in an order", admin, "res.partner", "search", domain(), map[string]any{"order": "nofield"}, writer.BadValue},
			{"negative offset", admin, "res.partner", "search", domain(), map[string]any{"offset": -1}, writer.BadValue},
			{"unknown field to read", admin, "res.partner", "read", list(list(1)), map[string]any{"fields": list("nofield")}, writer.BadValue},
			{"NUL", admin, "res.partner", "search", domain(list("name", "=", "a\x00")), nil, writer.BadValue},
			{"unknown argument", admin, "res.partner", "search", domain(), map[string]any{"nokw": 1}, writer.BadArguments},
			{"no argument", admin, "res.partner", "search", nil, nil, writer.BadArguments},
			{"no method", admin, "res.partner", "nomethod", list(list(1)), nil, writer.NoMethod},
			{"private method", admin, "res.partner", "_search", domain(), nil, writer.NoMethod},
			{"method not for RPC", admin, "res.partner", "search_fetch", domain(), nil, writer.NoMethod},
			{"missing record", admin, "res.partner", "write", list(list(999999), map[string]any{"name": "x"}), nil, writer.Missing},
		} {
			_, err := s.odoo.Execute(t.Context(), test.who, test.model, test.method, test.args, test.kwargs)
			if fault := faultOf(t, err); fault.Kind != test.kind {
				t.Errorf("%s: got %v, want %v", test.name, err, test.kind)
			}
		}
	})
}

// Ensure what keeps a call from Odoo is told apart from what Odoo says.
func TestUnavailable(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		for name, config := range map[string]writer.Config{
			"no database": {URL: s.OdooURL, Database: "no_such_database"},
			"no server":   {URL: "http://127.0.0.1:1", Database: s.Database},
			"no XML-RPC":  {URL: s.OdooURL + "/nowhere", Database: s.Database},
		} {
			x := writer.NewXMLRPC(config)
			defer x.Close()
			_, err := x.Authenticate(t.Context(), "admin", "admin")
			if fault := faultOf(t, err); fault.Kind != writer.Unavailable || fault.SafeToRetry() != (name == "no server") {
				t.Errorf("%s: got %v, safe to retry: %v", name, err, fault.SafeToRetry())
			}
		}
		x := writer.NewXMLRPC(writer.Config{URL: s.OdooURL, Database: s.Database, Timeout: time.Millisecond})
		defer x.Close()
		_, err := x.Authenticate(t.Context(), "admin", "admin")
		if fault := faultOf(t, err); fault.Kind != writer.Timeout {
			t.Errorf("timeout: got %v", err)
		}
	})
}

// Ensure logins are checked, and the version told without one.
func TestAuthenticate(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		version, err := s.odoo.Version(t.Context())
		if err != nil || !strings.HasPrefix(version, s.Version) {
			t.Errorf("version: got %q, %v", version, err)
		}
		if uid := s.login(t, stack.RoleAdmin).UID; uid != 2 {
			t.Errorf("admin: got uid %d", uid)
		}
		for login, secret := range map[string]string{"admin": "wrong", "nobody": "admin", "demo": ""} {
			if uid, err := s.odoo.Authenticate(t.Context(), login, secret); !errors.Is(err, writer.ErrAccessDenied) {
				t.Errorf("%s with %q: got %d, %v", login, secret, uid, err)
			}
		}
	})
}

// Ensure an API key is as good as a password.
func TestAPIKey(t *testing.T) {
	eachFork(t, func(t *testing.T, s *stand) {
		demo := s.login(t, stack.RoleDemo)
		key := newAPIKey(t, s, demo.UID)
		uid, err := s.odoo.Authenticate(t.Context(), "demo", key)
		if err != nil || uid != demo.UID {
			t.Fatalf("got %d, %v", uid, err)
		}
		demo.Secret = key
		if got := s.call(t, demo, "res.users", "search_count", []any{[]any{[]any{"id", "=", demo.UID}}}, nil); got != int64(1) {
			t.Errorf("got %v", got)
		}
	})
}

// newAPIKey gives a user an API key as Odoo stores it: the first eight digits in the clear and the
// whole as passlib's pbkdf2_sha512 (14.0 and 19.0: odoo/addons/base/models/res_users.py).
func newAPIKey(t *testing.T, s *stand, uid int64) string {
	t.Helper()
	raw, salt := make([]byte, 20), make([]byte, 16)
	_, _ = rand.Read(raw)
	_, _ = rand.Read(salt)
	key := hex.EncodeToString(raw)
	const rounds = 6000
	hash, err := pbkdf2.Key(sha512.New, key, salt, rounds, sha512.Size)
	if err != nil {
		t.Fatal(err)
	}
	passlib := func(b []byte) string {
		return strings.ReplaceAll(base64.RawStdEncoding.EncodeToString(b), "+", ".")
	}
	_, err = s.owner(t).Exec(context.Background(),
		"INSERT INTO res_users_apikeys (name, user_id, scope, index, key) VALUES ('test', $1, 'rpc', $2, $3)",
		uid, key[:8], "$pbkdf2-sha512$6000$"+passlib(salt)+"$"+passlib(hash))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Ensure text of any kind and big content go to Odoo and come back as they were.
func TestRoundTrip(t *testing.T) {
	eachFork(t, func(t *testing.T, s *stand) {
		admin := s.login(t, stack.RoleAdmin)
		text := " é漢🎉 <value/> &amp; \"quoted\" 'too' \\ \r\n\ttabbed\n\n end "
		content := make([]byte, 6<<20)
		_, _ = rand.Read(content)
		datas := base64.StdEncoding.EncodeToString(content)
		id := s.call(t, admin, "ir.attachment", "create", []any{map[string]any{"name": "x", "description": text, "datas": datas}}, nil)
		rows := s.call(t, admin, "ir.attachment", "read", []any{[]any{id}}, map[string]any{"fields": []any{"description", "datas"}})
		row := rows.([]any)[0].(map[string]any)
		if row["description"] != text {
			t.Errorf("got %q, want %q", row["description"], text)
		}
		if got, _ := row["datas"].(string); strings.ReplaceAll(got, "\n", "") != datas {
			t.Errorf("got %d bytes of base64 text, want %d", len(got), len(datas))
		}

		// What lies in the database already may hold what XML cannot carry.
		if _, err := s.owner(t).Exec(t.Context(), "UPDATE ir_attachment SET description = E'a\\x01b\\x1fc' WHERE id = $1", id); err != nil {
			t.Fatal(err)
		}
		rows = s.call(t, admin, "ir.attachment", "read", []any{[]any{id}}, map[string]any{"fields": []any{"description"}})
		if got := rows.([]any)[0].(map[string]any)["description"]; got != "abc" {
			t.Errorf("got %q", got)
		}
	})
}

// Ensure a method that returns None is known to have run.
func TestReturnedNone(t *testing.T) {
	eachFork(t, func(t *testing.T, s *stand) {
		admin := s.login(t, stack.RoleAdmin)
		flag := func() any {
			rows := s.call(t, admin, "ir.model.data", "search_read", []any{[]any{[]any{"model", "=", "res.partner"}, []any{"res_id", "=", 1}}, []any{"noupdate"}}, nil)
			return rows.([]any)[0].(map[string]any)["noupdate"]
		}
		before := flag()
		_, err := s.odoo.Execute(t.Context(), admin, "ir.model.data", "toggle_noupdate", []any{"res.partner", 1}, nil)
		if fault := faultOf(t, err); fault.Kind != writer.ReturnedNone || fault.SafeToRetry() {
			t.Fatalf("got %v", err)
		}
		if after := flag(); after == before {
			t.Errorf("noupdate is still %v", after)
		}
	})
}

// byOdoo is a key of the context that means nothing to Odoo; any such key makes a read Odoo's.
var byOdoo = map[string]any{"lateral_test": true}

// bothWays reads directly and through Odoo and returns the documents of each, joined.
func bothWays(t *testing.T, s *stand, who auth.Credentials, q reader.Query) (direct, odoo string) {
	t.Helper()
	read := func(context map[string]any, path string) string {
		q.Context = context
		result, err := s.reader.Read(t.Context(), who, q)
		if err != nil {
			t.Fatalf("%s: %v", q.Model, err)
		}
		defer result.Close()
		if path != "" && result.Path != path {
			t.Errorf("%s was read %s, not %s", q.Model, result.Path, path)
		}
		var documents strings.Builder
		for {
			document, err := result.Next(t.Context())
			if errors.Is(err, io.EOF) {
				return documents.String()
			}
			if err != nil {
				t.Fatalf("%s: %v", q.Model, err)
			}
			documents.Write(document)
			documents.WriteByte('\n')
		}
	}
	return read(nil, ""), read(byOdoo, "odoo")
}

// firstDifference shows two texts where they part.
func firstDifference(a, b string) (string, string) {
	at := 0
	for at < len(a) && at < len(b) && a[at] == b[at] {
		at++
	}
	from := max(0, at-80)
	return a[from:min(len(a), at+80)], b[from:min(len(b), at+80)]
}

// Ensure both executors write the same bytes, for trees with every shape and whole records.
func TestExecutorsAgree(t *testing.T) {
	trees := map[string]string{
		"sale.order": `('id', 'name', 'date_order', 'amount_total', 'state', 'note', 'partner_id', 'order_line', 'tag_ids', 'require_payment',
			('partner_id', ('id', 'name', 'city', ('country_id', ('id', 'name')), ('category_id', [('id', 'name')]))),
			('order_line', [('id', 'name', 'price_unit', 'product_uom_qty', ('product_id', ('id', 'name', ('categ_id', ('id',))))
				)]))`,
		"res.partner":      `('id', 'name', 'ref', 'color', 'active', 'child_ids', 'category_id', 'user_id', ('parent_id', [('id', 'name')]), ('child_ids', [('id', 'type', 'create_date')]))`,
		"product.template": `('id', 'name', 'list_price', 'weight', 'type', 'sale_ok', ('categ_id', ('complete_name',)), ('product_variant_ids', [('id', 'default_code')]))`,
	}
	eachVersion(t, func(t *testing.T, s *stand) {
		for _, role := range []string{stack.RoleAdmin, stack.RoleSalesman, stack.RoleSecond} {
			who := s.login(t, role)
			for model, text := range trees {
				parsed, err := schema.ParseLiteral(text)
				if err != nil {
					t.Fatal(err)
				}
				tree, err := schema.ParseTree(s.catalogue(t), model, parsed)
				if err != nil {
					t.Fatal(err)
				}
				preset := &schema.Preset{Model: model, ReadAll: tree, ReadOne: tree, Available: true}
				for _, profile := range []reader.Profile{reader.Classic(), reader.Typed()} {
					q := reader.Query{Model: model, Order: "id", Limit: 30, Profile: profile, Preset: preset}
					if direct, odoo := bothWays(t, s, who, q); direct != odoo {
						d, o := firstDifference(direct, odoo)
						t.Errorf("%s as %s, %s:\ndirect %s\nodoo   %s", model, role, profile.Name, d, o)
					}
				}
			}
		}
	})
}

// Ensure an id that no record can have is not found either way, also where Odoo would fail on it.
func TestImpossibleID(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		admin := s.login(t, stack.RoleAdmin)
		for _, context := range []map[string]any{nil, byOdoo} {
			q := reader.Query{Model: "res.partner", One: true, ID: 1 << 40, Profile: reader.Classic(), Context: context, Exclude: "*"}
			result, err := s.reader.Read(t.Context(), admin, q)
			if err != nil {
				t.Fatalf("context %v: %v", context, err)
			}
			if document, err := result.Next(t.Context()); !errors.Is(err, io.EOF) {
				t.Errorf("context %v: got %s, %v", context, document, err)
			}
			result.Close()
		}
	})
}
