package reader

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/big"
	"sort"
	"strconv"
	"strings"
	"sync"

	"lateral/auth"
	"lateral/schema"
	"lateral/writer"
)

// prepared is a plan and, where SQL answers it, its statement. It is shared by all reads of one
// shape and never changed.
type prepared struct {
	plan      *Plan
	statement *statement // nil: the plan is Odoo's
	signals   string
	path      string
	reason    string
	files     bool   // documents may hold marks of files
	turns     *turns // of reads of one record; nil: they go their own ways
	lasting   bool   // the answer stays the same for as long as nothing is written in the database
	// preset is kept because the cache tells presets apart by their addresses.
	preset *schema.Preset
}

// witnessed reports whether a row of the statement can tell the snapshot that all of the answer is of.
func (p *prepared) witnessed() bool {
	return p.statement.witnessed != "" && p.statement.count == "" && !p.statement.parted
}

// prepare returns the plan and statement of a query, from the cache where it has them.
func (r *Reader) prepare(ctx context.Context, who auth.Credentials, c *schema.Catalogue, p *auth.Principal, q Query, readContext Context) (*prepared, error) {
	key := cacheKey(p, q, readContext)
	made := r.cache.get(c, key)
	r.deps.Observe.Planned(made != nil)
	if made == nil {
		var err error
		if made, err = r.compiled(ctx, who, c, p, q, readContext); err != nil {
			return nil, err
		}
		r.cache.put(c, key, made)
	}
	return made, made.follows(q)
}

// compiled is prepare without the cache.
func (r *Reader) compiled(ctx context.Context, who auth.Credentials, c *schema.Catalogue, p *auth.Principal, q Query, readContext Context) (*prepared, error) {
	access := r.accessor(ctx, who, c, p, readContext)
	planner := &planner{ctx: ctx, catalogue: c, principal: p, policy: p.Policy(), access: access, gate: ownGate{c}, profile: q.Profile}
	plan, err := planner.plan(q, readContext)
	if err != nil {
		return nil, err
	}
	made := &prepared{plan: plan, signals: signalsOf(c.Features), path: PathDirect, files: r.deps.Filestore != "", preset: q.Preset}
	if plan.Delegate == "" {
		compiler := &compiler{
			ctx: ctx, catalogue: c, principal: p, policy: p.Policy(), context: readContext, access: planted(access), filestore: r.deps.Filestore != "",
			layered: r.layered(plan, q),
		}
		made.statement, err = compiler.compile(plan, q)
		var odoo *delegation
		switch {
		case errors.As(err, &odoo):
			plan.Delegate, made.statement = odoo.reason, nil
		case err != nil:
			return nil, err
		default:
			if err := made.statement.encode(); err != nil {
				return nil, err
			}
		}
	}
	if made.statement == nil {
		made.path, made.reason = PathOdoo, plan.Delegate
	} else {
		made.reason = computedReason(plan.Root, "")
		if made.reason != "" {
			made.path = PathHybrid
		}
		made.files = made.files && made.statement.marksFiles()
		made.lasting = lasts(c, made)
		made.turns = r.turnsOf(made, q)
	}
	return made, nil
}

// layered reports whether a plan is to be rendered level by level.
func (r *Reader) layered(p *Plan, q Query) bool {
	from := cmp.Or(r.deps.LayersFrom, DefaultLayersFrom)
	return q.many || !q.One && !q.whole && from > 0 && (p.Limit == 0 || p.Limit >= from)
}

// accessor returns what tells the compiler and the planner what the user may read of a model.
func (r *Reader) accessor(ctx context.Context, who auth.Credentials, c *schema.Catalogue, p *auth.Principal, readContext Context) accessor {
	fields := writer.NewUserCaller(r.deps.Odoo, who, readContext.Companies)
	return func(model string) (*auth.ModelAccess, error) {
		a, err := p.Access(ctx, r.deps.Pool, c, model, fields)
		if err != nil {
			return nil, asError(err)
		}
		return a, nil
	}
}

// computedReason names the fields of a tree that Odoo fills in.
func computedReason(level *Level, path string) string {
	var reasons []string
	for _, n := range level.Nodes {
		switch {
		case n.Computed != "":
			reasons = append(reasons, join(path, n.Key))
		case n.Sub != nil:
			if inner := computedReason(n.Sub, join(path, n.Key)); inner != "" {
				reasons = append(reasons, inner)
			}
		}
	}
	return strings.Join(reasons, ",")
}

// maxStatements bounds the cache of statements.
const maxStatements = 4096

// statementCache keeps what was prepared for one catalogue. When it is full it starts anew, which
// keeps every look-up at one map access.
type statementCache struct {
	mu        sync.RWMutex
	catalogue *schema.Catalogue
	entries   map[string]*prepared
}

func (s *statementCache) get(c *schema.Catalogue, key string) *prepared {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.catalogue != c {
		return nil
	}
	return s.entries[key]
}

func (s *statementCache) put(c *schema.Catalogue, key string, made *prepared) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.catalogue != c || len(s.entries) >= maxStatements {
		s.catalogue, s.entries = c, make(map[string]*prepared)
	}
	s.entries[key] = made
}

// cacheKey identifies everything a statement depends on but the catalogue and the id of a read one.
func cacheKey(p *auth.Principal, q Query, c Context) string {
	var b strings.Builder
	b.Grow(256)
	text := func(s string) {
		b.WriteString(strconv.Itoa(len(s)))
		b.WriteByte(':')
		b.WriteString(s)
	}
	text(p.Fingerprint)
	b.WriteString(strconv.FormatBool(q.written))
	text(q.Model)
	text(q.Profile.Name)
	text(c.Lang)
	text(c.Tz)
	if c.ActiveTest != nil {
		b.WriteString(strconv.FormatBool(*c.ActiveTest))
	}
	writeKey(&b, c.Extra)
	if q.Preset != nil {
		fmt.Fprintf(&b, "%p", q.Preset)
	}
	writeKey(&b, q.Include)
	writeKey(&b, q.Exclude)
	if q.One {
		text("one")
		b.WriteString(strconv.FormatBool(q.Created))
		b.WriteString(strconv.FormatBool(q.many))
		text(q.Content)
		if q.SearchField != "" {
			text(q.SearchField)
			text(q.SearchValue)
		}
		return b.String()
	}
	writeKey(&b, q.Filters)
	text(q.Order)
	b.WriteString(strconv.FormatInt(q.Offset, 10))
	b.WriteByte(',')
	b.WriteString(strconv.FormatInt(q.Limit, 10))
	b.WriteString(strconv.FormatBool(q.Count))
	b.WriteString(strconv.FormatBool(q.Estimate))
	b.WriteString(strconv.FormatBool(q.whole))
	if q.Keyset {
		text(q.from.shape())
	}
	return b.String()
}

// writeKey writes a parsed value so that different values give different texts.
func writeKey(b *strings.Builder, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteByte('n')
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case int64:
		b.WriteByte('i')
		b.WriteString(strconv.FormatInt(v, 10))
	case *big.Int:
		b.WriteByte('b')
		b.WriteString(v.String())
	case float64:
		b.WriteByte('f')
		b.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
	case string:
		b.WriteByte('s')
		b.WriteString(strconv.Itoa(len(v)))
		b.WriteByte(':')
		b.WriteString(v)
	case []any:
		writeKeys(b, '[', v)
	case schema.Tuple:
		writeKeys(b, '(', v)
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		sort.Strings(names)
		b.WriteByte('{')
		for _, name := range names {
			writeKey(b, name)
			writeKey(b, v[name])
		}
		b.WriteByte('}')
	default:
		fmt.Fprintf(b, "?%T%v", v, v)
	}
}

func writeKeys(b *strings.Builder, open byte, values []any) {
	b.WriteByte(open)
	for _, v := range values {
		writeKey(b, v)
	}
	b.WriteByte(']')
}
