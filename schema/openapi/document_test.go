package openapi

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"lateral/schema"
)

var update = flag.Bool("update", false, "write the golden files")

// shop is the input of the tests: an order whose preset leads to partners and, behind a field the
// user may not read, to a model the user may not read.
func shop(typed bool) Input {
	field := func(name string, t schema.FieldType, comodel string) *schema.Field {
		return &schema.Field{Name: name, Type: t, Comodel: comodel, Stored: true}
	}
	model := func(name string, fields ...*schema.Field) *schema.Model {
		m := &schema.Model{Name: name, Fields: map[string]*schema.Field{}}
		for _, f := range append(fields, field("id", schema.Integer, ""), field("name", schema.Char, "")) {
			f.Model, m.Fields[f.Name] = m, f
		}
		return m
	}
	order := model("sale.order",
		field("partner_id", schema.Many2one, "res.partner"), field("secret_id", schema.Many2one, "secret.model"),
		field("line_ids", schema.One2many, "res.partner"), field("state", schema.Selection, ""), field("hidden", schema.Char, ""),
		field("active", schema.Boolean, ""), field("amount", schema.Monetary, ""), field("day", schema.Date, ""),
		field("moment", schema.Datetime, ""), field("file", schema.Binary, ""), field("origin", schema.Reference, ""),
		field("res_id", schema.Many2oneReference, ""), field("extra", schema.JSON, ""), field("tag_ids", schema.Many2many, "secret.model"))
	partner := model("res.partner", field("city", schema.Char, ""))
	catalogue := schema.NewCatalogue(order, partner, model("secret.model"))
	_, preset, err := schema.PresetText{Model: "sale.order", Source: "preset", Text: `{
		'read_all': ('id', 'state', ('partner_id', ('id', 'city')), ('line_ids', [('id', 'name')]), 'hidden', ('secret_id', ('id',))),
		'create_one': ('id', 'tag_ids'), 'success_codes': {'delete_one': 202}}`}.Resolve(catalogue)
	if err != nil {
		panic(err)
	}
	visible := map[string]Field{}
	for name := range order.Fields {
		if name != "hidden" {
			visible[name] = Field{Label: "Label of " + name, ReadOnly: name == "amount", Required: name == "partner_id"}
		}
	}
	visible["state"] = Field{Label: "Status", Help: "Where it is.", Choices: []Choice{{"draft", "Quotation"}, {"sale", "Sales Order"}}}
	base := "/api"
	if typed {
		base = "/v2"
	}
	return Input{
		Title: "lateral", Version: "1", Base: base, Typed: typed,
		Readable: map[string]bool{"sale.order": true, "res.partner": true},
		Models: map[string]*Model{
			"sale.order": {
				Model: order, Label: "Sales Order", Listed: true, Fields: visible, Preset: preset,
				ReadAll: json.RawMessage(`{"id": 1, "state": "draft", "partner_id": {"id": 2, "city": null}, "line_ids": []}`),
			},
			"res.partner": {
				Model: partner, Label: "Contact",
				Fields: map[string]Field{"id": {Label: "ID"}, "name": {Label: "Name"}, "city": {Label: "City"}},
			},
		},
	}
}

// Ensure documents are those of the golden files, and valid by an independent reading of OpenAPI 3.1.
func TestDocument(t *testing.T) {
	for name, typed := range map[string]bool{"classic": false, "typed": true} {
		t.Run(name, func(t *testing.T) {
			text, err := Document(shop(typed))
			if err != nil {
				t.Fatal(err)
			}
			loaded, err := openapi3.NewLoader().LoadFromData(text)
			if err == nil {
				err = loaded.Validate(context.Background())
			}
			if err != nil {
				t.Errorf("not valid: %v", err)
			}
			var value any
			if err := json.Unmarshal(text, &value); err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(value, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(golden, append(got, '\n'), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Ensure schemas tell records that fit from those that do not.
func TestSchemasOfRecords(t *testing.T) {
	for _, test := range []struct {
		typed  bool
		schema string
		record string
		fits   bool
	}{
		{false, "sale.order", `{"id": 1, "active": null, "partner_id": {"id": 2, "name": "x"}, "line_ids": null, "state": "sale", "origin": [3]}`, true},
		{false, "sale.order", `{"active": false}`, false},
		{false, "sale.order", `{"partner_id": 2}`, false},
		{false, "sale.order", `{"state": "lost"}`, false},
		{false, "sale.order", `{"moment": "2020-01-02"}`, false},
		{true, "sale.order", `{"id": 1, "active": false, "partner_id": 2, "line_ids": [], "state": null, "moment": "2020-01-02 03:04:05"}`, true},
		{true, "sale.order", `{"active": null}`, false},
		{true, "sale.order", `{"line_ids": null}`, false},
		{false, "sale.order.item", `{"id": 1, "line_ids": [{"id": 2, "name": null}], "partner_id": null}`, true},
		{false, "sale.order.item", `{"id": 1, "line_ids": [{"id": 2}]}`, false},
		{false, "sale.order.created", `{"id": 1, "tag_ids": 5}`, true},
	} {
		text, err := Document(shop(test.typed))
		if err != nil {
			t.Fatal(err)
		}
		document, err := openapi3.NewLoader().LoadFromData(text)
		if err != nil {
			t.Fatal(err)
		}
		var record any
		if err := json.Unmarshal([]byte(test.record), &record); err != nil {
			t.Fatal(err)
		}
		err = document.Components.Schemas[test.schema].Value.VisitJSON(record, openapi3.EnableJSONSchema2020())
		if (err == nil) != test.fits {
			t.Errorf("%s %s: %v", test.schema, test.record, err)
		}
	}
}

// Ensure no model and no field that the user may not read is named, and that others are.
func TestNothingHiddenIsNamed(t *testing.T) {
	text, err := Document(shop(false))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"secret.model", "hidden"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("%q is named", secret)
		}
	}
	for _, known := range []string{"may not read", "`draft`: Quotation", "Where it is.", "Records of `res.partner`", `"202"`, `"city"`} {
		if !strings.Contains(string(text), known) {
			t.Errorf("%q is missing", known)
		}
	}
	if strings.Contains(string(text), `"/api/res.partner"`) {
		t.Error("a model that is not listed has paths")
	}
}
