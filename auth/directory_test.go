package auth

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"lateral/schema"
)

// fakeDatabase answers the statements of LoadPolicy and LoadPrincipal with JSON, and values of
// res_partner's commercial_partner_id with one number.
type fakeDatabase struct {
	mu         sync.Mutex
	policy     string
	user       string // empty: no such user
	commercial int32
	err        error
	policies   atomic.Int64
	users      atomic.Int64
}

func newFakeDatabase() *fakeDatabase {
	return &fakeDatabase{
		policy: `{"ACL":{"res.partner":{"Everyone":true,"Groups":[]}},"Languages":["en_US","fr_FR"],"GroupNames":[{"Name":"base.group_user","ID":1}],
			"Implied":{"1":[2]},"Rules":[
			{"ID":1,"Model":"res.partner","Global":true,"Domain":"[('id', '=', user.commercial_partner_id.id)]","Groups":[]},
			{"ID":2,"Model":"res.country","Global":true,"Domain":"[('id', 'in', company_ids)]","Groups":[]},
			{"ID":3,"Model":"res.groups","Global":true,"Domain":"[('id', 'in', unknown)]","Groups":[]}],
			"Fallbacks":[{"Model":"res.partner","Field":"x","Company":1,"Value":"5"}],"Precisions":{"Product Price":2}}`,
		user:       `{"Login":"joe","Partner":8,"Company":1,"Lang":"fr_FR","Tz":"Europe/Brussels","Companies":[1,2],"Groups":[1]}`,
		commercial: 80,
	}
}

func (f *fakeDatabase) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

type fakeRow struct {
	text string
	err  error
}

func (r fakeRow) Scan(targets ...any) error {
	if r.err == nil {
		*targets[0].(*[]byte) = []byte(r.text)
	}
	return r.err
}

func (f *fakeDatabase) QueryRow(_ context.Context, sql string, _ ...any) pgx.Row {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.err != nil:
		return fakeRow{err: f.err}
	case strings.Contains(sql, "ir_rule"):
		f.policies.Add(1)
		return fakeRow{text: f.policy}
	case f.user == "":
		f.users.Add(1)
		return fakeRow{err: pgx.ErrNoRows}
	default:
		f.users.Add(1)
		return fakeRow{text: f.user}
	}
}

func (f *fakeDatabase) Query(context.Context, string, ...any) (pgx.Rows, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &fakeRows{value: f.commercial}, f.err
}

type fakeRows struct {
	pgx.Rows
	value int32
	done  bool
}

func (r *fakeRows) Next() bool             { first := !r.done; r.done = true; return first }
func (r *fakeRows) Values() ([]any, error) { return []any{int64(8), r.value}, nil }
func (r *fakeRows) Err() error             { return nil }
func (r *fakeRows) Close()                 {}

// fakeFields counts what it is asked.
type fakeFields struct {
	asked atomic.Int64
	err   error
}

func (f *fakeFields) FieldsGet(context.Context, string, []string) (map[string]map[string]any, error) {
	f.asked.Add(1)
	return map[string]map[string]any{"id": {}, "name": {}, "category_id": {"domain": []any{}, "context": map[string]any{}}}, f.err
}

func newTestDirectory() (*Directory, *fakeDatabase, *schema.Catalogue, *clock) {
	clock := newClock()
	c := ruleCatalogue("19.0")
	c.Stamp = "r1"
	return NewDirectory(DirectoryConfig{Now: clock.Now, MaxPrincipals: 40}), newFakeDatabase(), c, clock
}

func TestDirectoryCaches(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d, db, c, clock := newTestDirectory()
	p, err := d.Principal(ctx, db, c, 7, nil)
	require.NoError(t, err)
	require.Equal(t, map[int64]bool{1: true, 2: true}, p.Groups, "implied groups are held in 19.0")
	require.Equal(t, []int64{1, 2}, p.CompanyIDs)
	require.Equal(t, int64(1), p.CompanyID)
	require.Equal(t, "fr_FR", p.Lang)
	require.Empty(t, p.Stamp())
	require.Equal(t, []Fallback{{CompanyID: 1, JSON: "5"}}, p.Policy().Fallbacks["res.partner"]["x"])
	require.Equal(t, 2, p.Policy().Precisions["Product Price"])

	require.NoError(t, d.Renew(ctx, db, c, "s1"))
	stamped, err := d.Principal(ctx, db, c, 7, nil)
	require.NoError(t, err)
	require.Equal(t, "s1", stamped.Stamp())
	require.Equal(t, p.Fingerprint, stamped.Fingerprint, "nothing has changed")
	for range 10 {
		again, err := d.Principal(ctx, db, c, 7, nil)
		require.NoError(t, err)
		require.Same(t, stamped, again)
	}
	require.Equal(t, int64(2), db.users.Load())
	require.Equal(t, int64(2), db.policies.Load())

	clock.Advance(10 * time.Second)
	again, err := d.Principal(ctx, db, c, 7, nil)
	require.NoError(t, err)
	require.Same(t, stamped, again, "looked at again, and found the same")
	require.Equal(t, int64(3), db.users.Load())
	require.Equal(t, int64(3), db.policies.Load())

	one, err := d.Principal(ctx, db, c, 7, []int64{2})
	require.NoError(t, err)
	require.Equal(t, []int64{2}, one.CompanyIDs)
	require.NotEqual(t, stamped.Fingerprint, one.Fingerprint)
}

// Ensure that what was taken away is gone after a new signal and, without one, after MaxAge.
func TestDirectoryRevokes(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, signalled := range []bool{true, false} {
		for name, change := range map[string]func(*fakeDatabase){
			"group": func(db *fakeDatabase) { db.user = strings.Replace(db.user, `"Groups":[1]`, `"Groups":[]`, 1) },
			"rule":  func(db *fakeDatabase) { db.policy = strings.Replace(db.policy, "company_ids)", "[])", 1) },
			"acl": func(db *fakeDatabase) {
				db.policy = strings.Replace(db.policy, `"Everyone":true`, `"Everyone":false`, 1)
			},
			"data": func(db *fakeDatabase) { db.commercial = 81 },
		} {
			d, db, c, clock := newTestDirectory()
			require.NoError(t, d.Renew(ctx, db, c, "s1"))
			before, err := d.Principal(ctx, db, c, 7, nil)
			require.NoError(t, err)
			_, err = before.Access(ctx, db, c, "res.partner", &fakeFields{})
			require.NoError(t, err)

			db.set(func() { change(db) })
			if signalled {
				require.NoError(t, d.Renew(ctx, db, c, "s2"))
			} else {
				clock.Advance(10 * time.Second)
			}
			after, err := d.Principal(ctx, db, c, 7, nil)
			require.NoError(t, err)
			require.NotEqual(t, before.Fingerprint, after.Fingerprint, name)
			if name == "data" {
				access, err := after.Access(ctx, db, c, "res.partner", &fakeFields{})
				require.NoError(t, err)
				require.Equal(t, schema.Condition{Path: "id", Op: "=", Value: int64(81)}, access.Rule)
			}
		}

		d, db, c, clock := newTestDirectory()
		require.NoError(t, d.Renew(ctx, db, c, "s1"))
		_, err := d.Principal(ctx, db, c, 7, nil)
		require.NoError(t, err)
		db.set(func() { db.user = "" })
		clock.Advance(10 * time.Second)
		_, err = d.Principal(ctx, db, c, 7, nil)
		require.ErrorIs(t, err, ErrUserGone)
	}
}

// Ensure that an outage never leaves an older principal or policy in use.
func TestDirectoryOutage(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d, db, c, clock := newTestDirectory()
	require.NoError(t, d.Renew(ctx, db, c, "s1"))
	_, err := d.Principal(ctx, db, c, 7, nil)
	require.NoError(t, err)
	db.set(func() { db.err = errBroken })
	require.ErrorIs(t, d.Renew(ctx, db, c, "s2"), errBroken)
	p, err := d.Principal(ctx, db, c, 7, nil)
	require.NoError(t, err)
	require.Equal(t, "s1", p.Stamp(), "a reader that saw s2 will not use it")
	clock.Advance(10 * time.Second)
	_, err = d.Principal(ctx, db, c, 7, nil)
	require.ErrorIs(t, err, errBroken)
	db.set(func() { db.err = nil })
	_, err = d.Principal(ctx, db, c, 7, nil)
	require.NoError(t, err)
}

func TestDirectoryInvalidate(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d, db, c, _ := newTestDirectory()
	require.NoError(t, d.Renew(ctx, db, c, "s1"))
	before, err := d.Principal(ctx, db, c, 7, nil)
	require.NoError(t, err)
	d.Invalidate()
	require.Nil(t, d.Policy())
	after, err := d.Principal(ctx, db, c, 7, nil)
	require.NoError(t, err)
	require.NotSame(t, before, after)
	require.Empty(t, after.Stamp())
}

func TestDirectoryCompanies(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d, db, c, _ := newTestDirectory()
	_, err := d.Principal(ctx, db, c, 7, []int64{2, 3, 4})
	var refused *CompanyError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, []int64{3, 4}, refused.Companies)
	empty, err := d.Principal(ctx, db, c, 7, []int64{})
	require.NoError(t, err)
	require.Equal(t, []int64{1, 2}, empty.CompanyIDs, "an empty list is none")
	turned, err := d.Principal(ctx, db, c, 7, []int64{2, 1})
	require.NoError(t, err)
	require.Equal(t, int64(2), turned.CompanyID, "the first is the current one")
	require.Equal(t, int64(1), turned.DefaultCompany)
}

func TestDirectoryIsBounded(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d, db, c, _ := newTestDirectory()
	for uid := int64(1); uid < 1000; uid++ {
		_, err := d.Principal(ctx, db, c, uid, nil)
		require.NoError(t, err)
	}
	kept := 0
	d.principals.Range(func(any, any) bool { kept++; return true })
	require.LessOrEqual(t, kept, 40)
	require.Equal(t, int64(kept), d.count.Load())
}

// Ensure that many at once ask the database once, and Odoo once for a model.
func TestDirectoryCollapses(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d, db, c, _ := newTestDirectory()
	fields := &fakeFields{}
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			p, err := d.Principal(ctx, db, c, 7, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := p.Access(ctx, db, c, "res.partner", fields); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	require.Equal(t, int64(1), db.users.Load())
	require.Equal(t, int64(1), db.policies.Load())
	require.Equal(t, int64(1), fields.asked.Load())
}

// Ensure, with -race, that renewals and requests do not disturb each other.
func TestDirectoryRace(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d, db, c, clock := newTestDirectory()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 100 {
				switch {
				case i == 0:
					if err := d.Renew(ctx, db, c, string(rune('a'+j%26))); err != nil {
						t.Error(err)
					}
				case i == 1 && j%20 == 0:
					d.Invalidate()
				case i == 2:
					clock.Advance(time.Second)
				}
				p, err := d.Principal(ctx, db, c, int64(j%60), nil)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := p.Access(ctx, db, c, "res.partner", &fakeFields{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

func TestAccess(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d, db, c, _ := newTestDirectory()
	p, err := d.Principal(ctx, db, c, 7, []int64{2})
	require.NoError(t, err)

	fields := &fakeFields{}
	access, err := p.Access(ctx, db, c, "res.partner", fields)
	require.NoError(t, err)
	require.True(t, access.Readable)
	require.Equal(t, schema.Condition{Path: "id", Op: "=", Value: int64(80)}, access.Rule)
	require.Equal(t, map[string]FieldView{"id": {}, "name": {}, "category_id": {}}, access.Fields)
	again, err := p.Access(ctx, db, c, "res.partner", fields)
	require.NoError(t, err)
	require.Same(t, access, again)

	access, err = p.Access(ctx, db, c, "res.country", fields)
	require.NoError(t, err)
	require.False(t, access.Readable)
	require.Nil(t, access.Fields, "nobody asks for the fields of what is not readable")
	require.Equal(t, schema.Condition{Path: "id", Op: "in", Value: []any{int64(2)}}, access.Rule, "a many2many may need it")
	require.Equal(t, int64(1), fields.asked.Load())

	_, _, guarded, _ := newTestDirectory()
	guarded.Model("res.country").Guard.Kind = schema.Guarded
	access, err = p.Access(ctx, db, guarded, "res.country", &fakeFields{})
	require.NoError(t, err)
	require.False(t, access.Readable)
	require.NotEmpty(t, access.Fields, "its code may show records without an ACL")

	access, err = p.Access(ctx, db, c, "res.groups", fields)
	require.NoError(t, err)
	require.Equal(t, schema.False{}, access.Rule, "an opaque rule shows nothing")
	require.Contains(t, access.Opaque, "record rule 3")

	none, err := p.Access(ctx, db, c, "no.such", fields)
	require.NoError(t, err)
	require.Nil(t, none)
}

// Ensure that nothing is assumed, nor remembered, of fields that Odoo did not describe.
func TestAccessOutage(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d, db, c, _ := newTestDirectory()
	p, err := d.Principal(ctx, db, c, 7, nil)
	require.NoError(t, err)
	unreachable := errors.New("no Odoo")
	access, err := p.Access(ctx, db, c, "res.partner", &fakeFields{err: unreachable})
	require.ErrorIs(t, err, unreachable)
	require.Nil(t, access)
	access, err = p.Access(ctx, db, c, "res.partner", &fakeFields{})
	require.NoError(t, err)
	require.NotEmpty(t, access.Fields)
}

// noneFields fails as Odoo does where a domain holds None.
type noneFields struct{ fakeFields }

func (f *noneFields) FieldsGet(ctx context.Context, model string, attributes []string) (map[string]map[string]any, error) {
	described, err := f.fakeFields.FieldsGet(ctx, model, attributes)
	if attributes[0] != "type" {
		return nil, errors.New("cannot marshal None")
	}
	return described, err
}

func TestAccessWithoutDescription(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d, db, c, _ := newTestDirectory()
	p, err := d.Principal(ctx, db, c, 7, nil)
	require.NoError(t, err)
	access, err := p.Access(ctx, db, c, "res.partner", &noneFields{})
	require.NoError(t, err)
	require.Len(t, access.Fields, 3)
	require.Empty(t, access.Fields["name"].Opaque)
	require.NotEmpty(t, access.Fields["category_id"].Opaque)
}

func TestAccessOfSuperuser(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d, db, c, _ := newTestDirectory()
	p, err := d.Principal(ctx, db, c, superuser, nil)
	require.NoError(t, err)
	for _, model := range []string{"res.partner", "res.groups", "res.country"} {
		access, err := p.Access(ctx, db, c, model, &fakeFields{})
		require.NoError(t, err)
		require.True(t, access.Readable)
		require.Equal(t, schema.True{}, access.Rule)
		require.Empty(t, access.Opaque)
	}
}

func TestInstalledLanguage(t *testing.T) {
	t.Parallel()
	policy := &Policy{Languages: map[string]bool{"fr_FR": true, "nl_BE": true}, languagesByName: []string{"nl_BE", "fr_FR"}}
	require.Equal(t, "fr_FR", policy.installedLanguage("fr_FR", "nl_BE"))
	require.Equal(t, "nl_BE", policy.installedLanguage("de_DE", "nl_BE"))
	require.Equal(t, "nl_BE", policy.installedLanguage("", ""))
	policy.Languages["en_US"] = true
	require.Equal(t, "en_US", policy.installedLanguage("", "de_DE"))
	require.Equal(t, "en_US", (&Policy{}).installedLanguage("de_DE"))
}

func BenchmarkPrincipal(b *testing.B) {
	ctx := context.Background()
	c := ruleCatalogue("19.0")
	d, db := NewDirectory(DirectoryConfig{}), newFakeDatabase()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p, err := d.Principal(ctx, db, c, 7, nil)
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := p.Access(ctx, db, c, "res.partner", &fakeFields{}); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
