package reader

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"

	"lateral/auth"
	"lateral/pg"
	"lateral/schema"
	"lateral/writer"
)

// Deps is what a reader works with.
type Deps struct {
	Pool       *pg.Pool
	Catalogues *schema.Holder
	Directory  *auth.Directory
	Odoo       writer.Caller
	// Filestore is the folder of the database's filestore, empty where it cannot be read; then
	// attachments' content comes from Odoo.
	Filestore string
	Log       *slog.Logger
	Limits    Limits
	// Presets are those that queries without one of their own are answered with; nil: none.
	Presets Presets
	Observe Observer // may be nil
	// Trust is told of models that are read wrongly; the catalogues must be loaded through its
	// Apply. It may be nil where Shadow is off.
	Trust  *Trust
	Shadow ShadowConfig
	// LayersFrom is the length of a page from which it is rendered level by level; 0: DefaultLayersFrom; negative:
	// none is.
	LayersFrom int64
	// Abreast is how many reads of one record by the same statement may be under way at once, each by itself; further ones wait
	// and are read together. 0: twice as many as the process has processors; negative: none wait.
	Abreast int
	// Secret is what the cursors of pages by key are sealed under, alike in all processes that shall know
	// each other's; nil: one of this reader alone.
	Secret func(ctx context.Context) ([]byte, error)
}

// DefaultLayersFrom is the length of a page from which rendering it level by level was found to be faster.
const DefaultLayersFrom = 4

// Presets knows the presets in force. It must be quick and is asked for every read.
type Presets interface {
	// Preset returns the preset of a model, or of an alias of one, under a catalogue, nil where it has
	// none. Those kept in Odoo are the policy's.
	Preset(c *schema.Catalogue, p *auth.Policy, model string) (*schema.Preset, error)
	// Aliases returns the models of the aliases in force, by alias.
	Aliases(c *schema.Catalogue, p *auth.Policy) (map[string]string, error)
}

// Limits bound one read.
type Limits struct {
	// MaxPage is the largest limit a page may have, and the limit of pages that give none; 0: none.
	MaxPage int64
	// MaxOffset bounds offsets; 0: none.
	MaxOffset int64
}

// Observer is told of what a reader does, for metrics. Its methods must be quick.
type Observer interface {
	// Planned is told of each look into the cache of compiled statements.
	Planned(hit bool)
	// Renewed is told when a signal of Odoo made catalogue or principal be read anew.
	Renewed()
	// Together is told how many reads of one record were made together.
	Together(reads int)
	// Shadowed is told what became of a read that was to be repeated through Odoo.
	Shadowed(outcome string)
}

type noObserver struct{}

func (noObserver) Planned(bool)    {}
func (noObserver) Renewed()        {}
func (noObserver) Together(int)    {}
func (noObserver) Shadowed(string) {}

// Reader answers reads. It is safe for concurrent use.
type Reader struct {
	deps    Deps
	odoo    *odooExecutor
	cache   statementCache
	cursors *cursors
	shadow  *shadow      // nil: no read is checked
	abreast int          // see Deps.Abreast; negative: any number
	pages   atomic.Int64 // that are being read; those that wait for their client are not
}

// New returns a reader. One with shadow checks has to be closed.
func New(deps Deps) *Reader {
	if deps.Observe == nil {
		deps.Observe = noObserver{}
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	r := &Reader{deps: deps, odoo: &odooExecutor{caller: deps.Odoo}, cursors: newCursors(deps.Secret), abreast: cmp.Or(deps.Abreast, 2*runtime.GOMAXPROCS(0))}
	if deps.Shadow.Share > 0 && deps.Shadow.Rate > 0 && deps.Trust != nil {
		r.shadow = newShadow(r, deps.Shadow)
	}
	return r
}

// Close gives up the checks that are under way or wait. Reads go on working, unchecked.
func (r *Reader) Close() {
	if r.shadow != nil {
		r.shadow.close()
	}
}

// maxAttempts bounds how often one read starts again because Odoo signals changes meanwhile.
const maxAttempts = 4

// errStale tells that catalogue or principal were older than the data.
var errStale = errors.New("the catalogue or the principal is out of date")

// errGivenUp tells that a standby has given a read up, whose rows it was to remove as the server that it follows has.
var errGivenUp = errors.New("the database gave the read up")

// Read answers a query as Odoo's ORM would answer the user. Errors are *Error. The result must be
// closed.
func (r *Reader) Read(ctx context.Context, who auth.Credentials, q Query) (*Result, error) {
	result, err := r.read(ctx, who, q)
	if err == nil && r.shadow != nil && !q.Keyset && !result.Estimated && result.Unchanged == "" && !r.behind() {
		q.Preset = result.Preset
		r.shadow.watch(who, q, result)
	}
	return result, err
}

// behind reports whether the database is a standby: what Odoo answers is of another instant then.
func (r *Reader) behind() bool {
	c := r.deps.Catalogues.Current()
	return c != nil && c.Standby
}

// read is Read without a check.
func (r *Reader) read(ctx context.Context, who auth.Credentials, q Query) (*Result, error) {
	return insist(ctx, r, who, &q, func(requested Context) (*Result, error) { return r.attempt(ctx, who, q, requested) })
}

// insist makes a read, and makes it anew for as long as it finds that Odoo has signalled changes, or is given up by a standby.
func insist[T any](ctx context.Context, r *Reader, who auth.Credentials, q *Query, read func(requested Context) (T, error)) (T, error) {
	var nothing T
	requested, err := parseContext(q.Context)
	if err != nil {
		return nothing, err
	}
	if err := r.checkPage(q); err != nil {
		return nothing, err
	}
	if err := r.openCursor(ctx, who, q); err != nil {
		return nothing, classify(err)
	}
	for attempt := 1; ; attempt++ {
		result, err := read(requested)
		stale := errors.Is(err, errStale)
		switch {
		case err == nil:
			return result, nil
		case !stale && !errors.Is(err, errGivenUp), !stale && attempt == maxAttempts:
			return nothing, classify(err)
		case attempt == maxAttempts:
			return nothing, changing(err)
		}
	}
}

func changing(err error) *Error {
	return &Error{Kind: Overloaded, Message: "Odoo's models or rules keep changing", Err: err}
}

func (r *Reader) checkPage(q *Query) error {
	limits := r.deps.Limits
	switch {
	case q.Offset < 0 || q.Limit < 0:
		return invalid("offset and limit cannot be negative")
	case limits.MaxPage > 0 && q.Limit > limits.MaxPage:
		return invalid("limit: at most %d records can be read at once", limits.MaxPage)
	case limits.MaxOffset > 0 && q.Offset > limits.MaxOffset:
		return invalid("offset: at most %d records can be skipped", limits.MaxOffset)
	case limits.MaxPage > 0 && q.Limit == 0 && !q.One:
		q.Limit = limits.MaxPage
	}
	return nil
}

func (r *Reader) attempt(ctx context.Context, who auth.Credentials, q Query, requested Context) (*Result, error) {
	on, err := r.planned(ctx, who, &q, requested)
	if err != nil {
		return nil, err
	}
	if on.prepared.turns != nil && q.Asker == nil {
		return r.inTurn(ctx, who, on, q)
	}
	return r.alone(ctx, who, on, q)
}

// alone makes a read by itself.
func (r *Reader) alone(ctx context.Context, who auth.Credentials, on basis, q Query) (*Result, error) {
	catalogue, principal, prepared := on.catalogue, on.principal, on.prepared
	if prepared.statement == nil {
		if err := r.unlessStale(ctx, catalogue, principal, nil); err != nil {
			return nil, err
		}
		return r.throughOdoo(ctx, who, prepared.plan, q)
	}
	result, err := r.throughSQL(ctx, r.deps.Pool, who, catalogue, principal, prepared, q)
	if result != nil {
		result.Preset = q.Preset
	}
	if err != nil && pg.Classify(err) == pg.Denied {
		return r.throughOdoo(ctx, who, deniedTable(prepared.plan), q)
	}
	if err != nil && pg.Classify(err) == pg.Conflict {
		return nil, fmt.Errorf("%w: %w", errGivenUp, err)
	}
	if err != nil && pg.Classify(err) == pg.Undefined {
		// A table or column has gone that the catalogue still has.
		r.deps.Catalogues.Invalidate()
		if err := r.renew(ctx, catalogue); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", errStale, err)
	}
	return result, err
}

// deniedTable is a plan that is Odoo's because the role may not read a table on the way, such as that of
// API keys.
func deniedTable(p *Plan) *Plan {
	located := *p
	located.Delegate = "the database role may not read a table that the read needs"
	return &located
}

// pipeliner runs statements in one round trip: pools and snapshots do.
type pipeliner interface {
	PipelineFor(ctx context.Context, choose func(*pg.Session) []pg.Statement) (*pg.Pipeline, error)
	// TransactionFor lets further statements be sent as of the same snapshot.
	TransactionFor(ctx context.Context, choose func(*pg.Session) []pg.Statement) (*pg.Pipeline, error)
}

// findPreset sets the preset that a query is answered with. It is looked up with the policy and the
// catalogue that the signals will be compared with, so that one that was saved before the read
// began, by whomever, is the one that is used.
func (r *Reader) findPreset(q *Query, c *schema.Catalogue, p *auth.Policy) error {
	if q.Preset == nil && r.deps.Presets != nil && c.Model(q.Model) != nil {
		preset, err := r.deps.Presets.Preset(c, p, cmp.Or(q.Alias, q.Model))
		if err != nil {
			return err
		}
		if q.Preset = preset; preset == nil && q.Alias != "" {
			return &Error{Kind: NotAvailable, Message: "the alias is no more"}
		}
	}
	if q.Preset != nil && !q.Preset.Available {
		return &Error{Kind: NotAvailable, Message: "the model is switched off"}
	}
	return nil
}

// basis is what a read is made by.
type basis struct {
	catalogue *schema.Catalogue
	principal *auth.Principal
	context   Context
	prepared  *prepared
}

// planned prepares a query by the current catalogue and principal and finds its preset. A refusal is never of what was
// true before: errStale is returned instead.
func (r *Reader) planned(ctx context.Context, who auth.Credentials, q *Query, requested Context) (basis, error) {
	catalogue, err := r.catalogue(ctx)
	if err != nil {
		return basis{}, err
	}
	principal, err := r.deps.Directory.Principal(ctx, r.deps.Pool, catalogue, who.UID, requested.Companies)
	if err != nil {
		return basis{}, r.unlessStale(ctx, catalogue, nil, asError(err))
	}
	if err := r.findPreset(q, catalogue, principal.Policy()); err != nil {
		return basis{}, r.unlessStale(ctx, catalogue, principal, asError(err))
	}
	on := basis{catalogue: catalogue, principal: principal, context: requested.withUser(principal)}
	on.prepared, err = r.prepare(ctx, who, catalogue, principal, *q, on.context)
	if err != nil {
		return basis{}, r.unlessStale(ctx, catalogue, principal, asError(err))
	}
	return on, nil
}

// catalogue returns the current catalogue, loading the first.
func (r *Reader) catalogue(ctx context.Context) (*schema.Catalogue, error) {
	if c := r.deps.Catalogues.Current(); c != nil {
		return c, nil
	}
	return r.deps.Catalogues.Refresh(ctx, "")
}

// Current returns the catalogue and the policy as they are now: the cached ones where Odoo has
// signalled no change, which costs one small query. Errors are *Error.
func (r *Reader) Current(ctx context.Context) (*schema.Catalogue, *auth.Policy, error) {
	for range maxAttempts {
		c, err := r.catalogue(ctx)
		if err != nil {
			return nil, nil, classify(err)
		}
		s, err := r.signals(ctx, c)
		if err != nil {
			return nil, nil, classify(err)
		}
		p := r.deps.Directory.Policy()
		if p != nil && p.Stamp == s.Cache && c.Stamp == s.Registry {
			return c, p, nil
		}
		if err := r.renewTo(ctx, s); !errors.Is(err, errStale) {
			return nil, nil, classify(err)
		}
	}
	return nil, nil, changing(errStale)
}

// signals reads Odoo's change signals.
func (r *Reader) signals(ctx context.Context, c *schema.Catalogue) (schema.Signals, error) {
	var s schema.Signals
	err := r.deps.Pool.QueryRow(ctx, schema.SignalStatement(c.Features)).Scan(&s.Registry, &s.Cache)
	if err != nil {
		return s, fmt.Errorf("reading Odoo's signals: %w", err)
	}
	return s, nil
}

// current reports whether catalogue and principal are of the given signals.
func current(s schema.Signals, c *schema.Catalogue, p *auth.Principal) bool {
	return s.Registry == c.Stamp && (p == nil || s.Cache == p.Stamp())
}

// unlessStale returns err where catalogue and principal are up to date. Otherwise it renews them
// and returns errStale.
func (r *Reader) unlessStale(ctx context.Context, c *schema.Catalogue, p *auth.Principal, err error) error {
	s, signalErr := r.signals(ctx, c)
	if signalErr != nil {
		if err != nil {
			return err
		}
		return signalErr
	}
	if current(s, c, p) {
		return err
	}
	return r.renewTo(ctx, s)
}

// renew brings catalogue and directory up to the present signals.
func (r *Reader) renew(ctx context.Context, c *schema.Catalogue) error {
	s, err := r.signals(ctx, c)
	if err != nil {
		return err
	}
	if err := r.renewTo(ctx, s); !errors.Is(err, errStale) {
		return err
	}
	return nil
}

// renewTo brings catalogue and directory up to the signals read and returns errStale, since what
// was made with the old ones must be made again.
func (r *Reader) renewTo(ctx context.Context, s schema.Signals) error {
	r.deps.Observe.Renewed()
	c, err := r.deps.Catalogues.Refresh(ctx, s.Registry)
	if err != nil {
		return err
	}
	if err := r.deps.Directory.Renew(ctx, r.deps.Pool, c, s.Cache); err != nil {
		return err
	}
	return errStale
}

// throughSQL runs a prepared statement in one round trip with the signals, so that both are of one
// snapshot: where a signal has moved, what was prepared is not to be trusted.
func (r *Reader) throughSQL(ctx context.Context, from pipeliner, who auth.Credentials, c *schema.Catalogue, p *auth.Principal, prepared *prepared, q Query) (*Result, error) {
	result, err := r.run(ctx, from, c, p, prepared, q, true)
	if errors.Is(err, errRestless) {
		result, err = r.run(ctx, from, c, p, prepared, q, false)
	}
	if moved := (*movedError)(nil); errors.As(err, &moved) {
		return nil, r.renewTo(ctx, moved.signals)
	}
	if err != nil {
		return nil, err
	}
	s := prepared.statement
	if result.Unchanged != "" {
		return result, nil
	}
	result.seal = q.seal
	if len(s.spliced) > 0 || prepared.files {
		rows := result.rows
		result.source = &splicedStream{rows: rows, splicer: &splicer{
			odoo: r.odoo, who: who, plan: prepared.plan, sources: s.spliced, filestore: r.deps.Filestore,
		}}
	}
	return result, nil
}

// run sends a prepared statement and begins to read its answer. Where mayBeCalm is set, the signals may
// be left unread, and errRestless tells that they have to be read.
func (r *Reader) run(ctx context.Context, from pipeliner, c *schema.Catalogue, p *auth.Principal, prepared *prepared, q Query, mayBeCalm bool) (*Result, error) {
	var reading signalReading
	send := from.PipelineFor
	if prepared.statement.parted {
		send = from.TransactionFor
	}
	var cancel context.CancelFunc
	if prepared.statement.parted && from == pipeliner(r.deps.Pool) {
		// What is read ahead is ended by it, and the connection with it, which a snapshot has further use for.
		ctx, cancel = context.WithCancel(ctx)
	}
	counted := r.count(prepared.statement)
	pipeline, err := send(ctx, func(session *pg.Session) []pg.Statement {
		reading = signalReading{session: session}
		if mayBeCalm {
			// Where the snapshot is another one, what was read is thrown away: at most a short answer.
			reading.unchanged = q.known(session, prepared)
			reading.calm = reading.unchanged != "" || brief(q) && calm(session)
			reading.within = reading.unchanged == "" && reading.calm && q.One && prepared.witnessed() && reading.current(c, p)
		}
		if reading.within {
			return []pg.Statement{prepared.statement.witness(q)}
		}
		batch := make([]pg.Statement, 1, 3)
		batch[0] = reading.statement(prepared)
		if reading.unchanged != "" {
			return batch
		}
		if s := prepared.statement; s.count != "" {
			batch = append(batch, pg.Statement{SQL: s.count, Parameters: s.countParameters})
		}
		return append(batch, prepared.statement.of(q))
	})
	if err != nil {
		counted()
		ended(cancel)
		return nil, err
	}
	result, err := r.begin(ctx, cancel, pipeline, reading, c, p, prepared)
	if err == nil && result.rows != nil {
		result.rows.counted = counted
	} else {
		counted()
	}
	switch {
	case errors.Is(err, errRestless):
		closed := pipeline.Close()
		ended(cancel)
		if closed != nil {
			return nil, closed
		}
	case err != nil:
		pipeline.Fail(err)
		ended(cancel)
	default:
		result.remember = q.remember(reading.session, prepared)
	}
	return result, err
}

// count counts a page as one that is being read until what it returns is called.
func (r *Reader) count(s *statement) func() {
	if !s.parted {
		return func() {}
	}
	r.pages.Add(1)
	return sync.OnceFunc(func() { r.pages.Add(-1) })
}

// ended ends what is read ahead, nil where nothing is.
func ended(cancel context.CancelFunc) {
	if cancel != nil {
		cancel()
	}
}

// movedError tells that Odoo has signalled a change.
type movedError struct{ signals schema.Signals }

func (e *movedError) Error() string { return "Odoo has signalled a change" }

// begin reads the signals, the count and the first row of a pipeline.
func (r *Reader) begin(ctx context.Context, cancel context.CancelFunc, pipeline *pg.Pipeline, reading signalReading, c *schema.Catalogue, p *auth.Principal, prepared *prepared) (*Result, error) {
	if !reading.within {
		s, err := reading.read(pipeline)
		if err != nil {
			return nil, err
		}
		if !current(s, c, p) {
			return nil, &movedError{signals: s}
		}
	}
	result := &Result{Path: prepared.path, Reason: prepared.reason, Total: -1, plan: prepared.plan}
	if reading.unchanged != "" {
		result.Unchanged, result.source = reading.unchanged, nothing{pipeline, cancel}
		return result, nil
	}
	if prepared.statement.count != "" {
		if err := readCount(pipeline, prepared.statement, result); err != nil {
			return nil, err
		}
	}
	source := &rowSource{pipeline: pipeline, cancel: cancel, statement: prepared.statement, limit: prepared.plan.Limit, counted: func() {}}
	if source.statement.layer != nil {
		source.shelf = source.statement.takeShelf()
	}
	if reading.within {
		source.expected = &reading.last().snapshot
	}
	if err := source.peek(ctx); err != nil {
		if errors.Is(err, errRestless) {
			reading.last().times = 0
		}
		source.settle()
		return nil, err
	}
	result.source, result.rows = source, source
	return result, nil
}

// readCount reads the number of all matching records, or PostgreSQL's estimate of it.
func readCount(pipeline *pg.Pipeline, s *statement, result *Result) error {
	return pipeline.Only(func(row [][]byte) (err error) {
		if !s.estimated {
			result.Total, err = intColumn(row[0])
			return err
		}
		var explained [1]struct {
			Plan struct {
				Rows float64 `json:"Plan Rows"`
			}
		}
		if err := json.Unmarshal(row[0], &explained); err != nil {
			return fmt.Errorf("the plan of a count, %.100s: %w", row[0], err)
		}
		result.Total, result.Estimated = int64(explained[0].Plan.Rows), true
		return nil
	})
}

// throughOdoo answers a plan by RPC.
func (r *Reader) throughOdoo(ctx context.Context, who auth.Credentials, p *Plan, q Query) (*Result, error) {
	if q.Keyset {
		return nil, &Error{Kind: Invalid, Field: "after", Message: "after: Odoo itself has to answer this read, which it does by offset and limit alone: " + p.Delegate}
	}
	if q.One && q.SearchField == "" {
		located := *p
		located.Domain = byID(p.Root.Model, q)
		located.RawDomain = schema.DomainList(located.Domain)
		p = &located
	}
	ids, err := r.odoo.search(ctx, who, p)
	if err != nil {
		return nil, err
	}
	result := &Result{
		Path: PathOdoo, Reason: p.Delegate, Total: -1, Preset: q.Preset, plan: p,
		source: &odooSource{run: r.odoo.newRun(who, p), ids: tableIDs(ids)},
	}
	if q.Count {
		if result.Total, err = r.odoo.count(ctx, who, p); err != nil {
			return nil, err
		}
	}
	return result, nil
}
