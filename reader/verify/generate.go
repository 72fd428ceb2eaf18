package verify

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/jackc/pgx/v5"

	"lateral/pg"
	"lateral/schema"
)

// User is someone to read as.
type User struct {
	Name      string  // login
	Companies []int64 // the user's own
}

// View is what a user may read of a model, as far as it is known. The generator goes by it, so that
// not too many reads are spent on denials; nothing is judged by it.
type View struct {
	Readable bool
	Fields   map[string]bool // visible fields; nil: any
}

// Viewer tells what users may read.
type Viewer interface {
	View(ctx context.Context, user, model string) (View, error)
}

// Generator makes random reads of a database. It is safe for concurrent use: what a request is
// depends on its number, the seed and the database alone.
type Generator struct {
	seed      uint64
	catalogue *schema.Catalogue
	database  pg.Querier
	users     []User
	viewer    Viewer
	models    []*schema.Model // with a table, in the order in which they are asked for
	rich      []*schema.Model // with rows, and not guarded
	languages []any
	companies []int64 // all of them

	samples sync.Map // "table.column" → []string
}

// GeneratorConfig is what a generator works with.
type GeneratorConfig struct {
	Seed      uint64
	Catalogue *schema.Catalogue
	// Database is read for values to compare with; the SELECT-only role is enough.
	Database pg.Querier
	Users    []User
	Viewer   Viewer
	// Models picks the models to ask for at the top; nil: all that have a table.
	Models func(name string) bool
}

// NewGenerator looks at a database to know what to ask for.
func NewGenerator(ctx context.Context, c GeneratorConfig) (*Generator, error) {
	g := &Generator{seed: c.Seed, catalogue: c.Catalogue, database: c.Database, users: c.Users, viewer: c.Viewer}
	for _, name := range g.catalogue.ModelNames() {
		m := g.catalogue.Model(name)
		if m.Table == "" || c.Models != nil && !c.Models(name) {
			continue
		}
		g.models = append(g.models, m)
		if m.Guard.Kind == schema.Guarded {
			continue
		}
		ids, err := g.texts(ctx, `SELECT id::text FROM "`+m.Table+`" LIMIT 3`)
		if err != nil {
			return nil, err
		}
		if len(ids) == 3 {
			g.rich = append(g.rich, m)
		}
	}
	if len(g.models) == 0 || len(g.users) == 0 {
		return nil, fmt.Errorf("there is nothing to compare: %d models, %d users", len(g.models), len(g.users))
	}
	if len(g.rich) == 0 {
		g.rich = g.models
	}
	shuffled := rand.New(rand.NewPCG(g.seed, 0))
	shuffled.Shuffle(len(g.models), func(i, j int) { g.models[i], g.models[j] = g.models[j], g.models[i] })
	languages, err := g.texts(ctx, "SELECT code FROM res_lang WHERE active ORDER BY code")
	if err != nil {
		return nil, err
	}
	for _, code := range languages {
		g.languages = append(g.languages, code)
	}
	g.languages = append(g.languages, false)
	rows, err := g.database.Query(ctx, "SELECT id::int8 FROM res_company ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("companies: %w", err)
	}
	if g.companies, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil {
		return nil, fmt.Errorf("companies: %w", err)
	}
	return g, nil
}

// Sweep is how many requests it takes until every model was asked for by every user.
func (g *Generator) Sweep() int { return 2 * len(g.models) * len(g.users) }

// Models is the number of models asked for.
func (g *Generator) Models() int { return len(g.models) }

// draw is one request's randomness.
type draw struct {
	*Generator
	*rand.Rand
	ctx  context.Context
	user User
	err  error
}

// Request returns the request of a number. Those of even numbers go round all models and users, once
// whether or not the user may read the model, and then mostly where the user may; those of odd numbers
// ask for models that have records.
func (g *Generator) Request(ctx context.Context, number int) (Request, error) {
	d := &draw{Generator: g, Rand: rand.New(rand.NewPCG(g.seed, uint64(number)+1)), ctx: ctx}
	round := number / 2
	model := g.models[round%len(g.models)]
	// With every round of the models the users move on by one.
	d.user = g.users[(round+round/len(g.models))%len(g.users)]
	sweeping := number < g.Sweep()
	if number%2 == 1 || !sweeping && !d.view(model).Readable && d.chance(0.9) {
		model = g.rich[d.IntN(len(g.rich))]
		for range 4 {
			d.user = pick(d, g.users)
			if d.view(model).Readable {
				break
			}
		}
	}
	r := Request{User: d.user.Name, Model: model.Name, Context: d.requestContext(), Flat: d.chance(0.35)}
	r.Wants = d.wants(model, 0, r.Flat)
	switch {
	case d.chance(0.12):
		r.One = true
		r.ID = d.id(model)
		if d.chance(0.25) {
			r.Field, r.Value = d.searchField(model)
		}
	default:
		for range d.IntN(4) {
			r.Domain = append(r.Domain, d.term(model, 2))
		}
		for range d.IntN(3) {
			r.Order = append(r.Order, d.orderTerm(model))
		}
		if d.chance(0.3) {
			r.Offset = d.Int64N(12)
		}
		r.Limit = 1 + d.Int64N(30)
	}
	return r, d.err
}

// view returns what the request's user may read of a model.
func (d *draw) view(m *schema.Model) View {
	view, err := d.viewer.View(d.ctx, d.user.Name, m.Name)
	if err != nil {
		d.err = err
	}
	return view
}

func (d *draw) chance(p float64) bool { return d.Float64() < p }

func pick[T any](d *draw, list []T) T { return list[d.IntN(len(list))] }

// requestContext is what a client may send as __context__.
func (d *draw) requestContext() map[string]any {
	c := map[string]any{}
	if d.chance(0.4) {
		c["lang"] = pick(d, d.languages)
	}
	if d.chance(0.1) {
		c["tz"] = pick(d, []any{"Europe/Brussels", "Asia/Tokyo", "America/New_York", false})
	}
	if d.chance(0.25) {
		c["active_test"] = d.chance(0.2)
	}
	if own := d.user.Companies; d.chance(0.2) && len(own) > 0 {
		switch {
		case d.chance(0.1):
			c["allowed_company_ids"] = []any{pick(d, d.companies), pick(d, own)}
		case d.chance(0.5) && len(own) > 1:
			c["allowed_company_ids"] = []any{own[1], own[0]}
		default:
			c["allowed_company_ids"] = []any{pick(d, own)}
		}
	}
	return c
}

// Held reports whether a field's value lies in the database, or a hop away.
func Held(f *schema.Field) bool {
	return f.Stored || f.Inherited || len(f.Related) > 1 || f.CompanyDependent || f.Name == "display_name"
}

// fields returns the fields of a model that pass, sorted by name; now and then also such as the
// user may not see.
func (d *draw) fields(m *schema.Model, pass func(f *schema.Field) bool) []*schema.Field {
	visible := d.view(m).Fields
	all := d.chance(0.02) || visible == nil
	var fields []*schema.Field
	for _, name := range m.FieldNames() {
		f := m.Field(name)
		if (visible[name] || all) && pass(f) {
			fields = append(fields, f)
		}
	}
	return fields
}

// enters decides whether to go on into a comodel. Where the user may not read it a request is refused,
// of which a few are enough.
func (d *draw) enters(comodel *schema.Model, p float64) bool {
	return comodel != nil && d.chance(p) && (d.view(comodel).Readable || d.chance(0.1))
}

// wants draws a tree of fields.
func (d *draw) wants(m *schema.Model, depth int, flat bool) []Want {
	wants := []Want{{Name: "id"}}
	computed := d.chance(0.08)
	fields := d.fields(m, func(f *schema.Field) bool {
		large := f.Type == schema.Binary || f.Type == schema.Image
		return f.Name != "id" && (Held(f) || computed) && (!large || d.chance(0.1))
	})
	if len(fields) == 0 {
		return wants
	}
	count := 1 + d.IntN(8)
	if depth > 0 {
		count = 1 + d.IntN(4)
	}
	for _, i := range d.Perm(len(fields))[:min(count, len(fields))] {
		f := fields[i]
		w := Want{Name: f.Name}
		comodel := d.catalogue.Model(f.Comodel)
		if f.Type.Relational() && depth < 3 && d.enters(comodel, 0.6-0.2*float64(depth)) {
			w.Form = schema.List
			if f.Type == schema.Many2one && !d.chance(0.1) || f.Type.X2many() && d.chance(0.03) {
				w.Form = schema.OneRecord
			}
			w.Sub = d.wants(comodel, depth+1, false)
		}
		wants = append(wants, w)
	}
	return wants
}

// orderTerm draws one term of an order.
func (d *draw) orderTerm(m *schema.Model) string {
	odd := d.chance(0.02)
	fields := d.fields(m, func(f *schema.Field) bool {
		return f.Column != "" && f.Type != schema.Binary && f.Type != schema.JSON || f.Inherited && !f.Type.X2many() || odd
	})
	if len(fields) == 0 {
		return "id"
	}
	text := pick(d, fields).Name
	text += pick(d, []string{"", "", " asc", " desc", " DESC"})
	if d.catalogue.Features.OrderKeywords && d.chance(0.05) {
		text += pick(d, []string{" nulls first", " nulls last"})
	}
	return text
}
