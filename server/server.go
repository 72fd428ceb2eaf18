// Package server is the HTTP side of lateral: it reads requests as clients of the seed product
// write them, has them answered by the reader, and writes answers and errors in the client's
// profile. It knows no SQL and no RPC.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"lateral/auth"
	"lateral/auth/kv"
	"lateral/pg/socket"
	"lateral/reader"
	"lateral/schema"
	"lateral/writer"
)

// Reader answers reads.
type Reader interface {
	// Read resolves a query for a user and starts it. Errors are *reader.Error.
	Read(ctx context.Context, who auth.Credentials, q reader.Query) (Rows, error)
	// Snapshot returns a snapshot for several reads of a user, which has not begun yet.
	Snapshot(who auth.Credentials) Snapshot
	// Content finds what the binary field q.Content of one record holds. Errors are *reader.Error.
	Content(ctx context.Context, who auth.Credentials, q reader.Query) (*reader.Content, error)
}

// Rows is an answer under way, one JSON document per record.
type Rows interface {
	// Next returns the next record's document, valid until the next call, and io.EOF after the last.
	Next(ctx context.Context) ([]byte, error)
	// Close gives up what is left and frees what the answer holds.
	Close() error
	// ReadPath is how the records are read: direct, hybrid or odoo.
	ReadPath() string
	// Preset is the preset that the records are read with, or nil.
	Preset() *schema.Preset
	// Columns are the fields of the records, in the order of the documents.
	Columns() []reader.Column
	// Total is the number of records on all pages, where the query asked for it.
	Total() (n int64, asked bool)
	// Estimated reports whether Total is PostgreSQL's estimate.
	Estimated() bool
	// Unchanged is the tag of the answer where the client has it and nothing was read; empty otherwise.
	Unchanged() string
	// Lasting reports whether Remember is of use.
	Lasting() bool
	// Remember notes the tag of the whole answer, before Close, for clients who have it.
	Remember(tag string)
	// Cursor is the place of the page that follows, once all of this one has been read, empty where this is
	// the last. It reports whether the query asked for pages by key.
	Cursor() (cursor string, asked bool, err error)
}

// Authenticator checks logins against Odoo.
type Authenticator interface {
	// Authenticate returns the uid of a login. It fails with writer.ErrAccessDenied where Odoo
	// refuses, and otherwise where Odoo cannot be asked.
	Authenticate(ctx context.Context, login, secret string) (int64, error)
}

// Tokens keeps the tokens of the users who are logged in; auth.Tokens does.
type Tokens interface {
	// Issue makes a pair of tokens for a user. A lifetime of 0 is without end.
	Issue(ctx context.Context, who auth.Credentials, access, refresh time.Duration) (auth.Grant, error)
	// Refresh makes a new access token in place of the one of a refresh token, and returns it with
	// its lifetime in seconds. It fails with auth.ErrInvalidToken.
	Refresh(ctx context.Context, refreshToken string, access time.Duration) (token string, seconds int64, err error)
	// Revoke ends a refresh token and its access token; an unknown token is no error.
	Revoke(ctx context.Context, refreshToken string) error
	// Resolve returns the user of an access token. It fails with auth.ErrInvalidToken.
	Resolve(ctx context.Context, accessToken string) (auth.Credentials, error)
}

// LoginGuard slows down the guessing of passwords; auth.LoginGuard does.
type LoginGuard interface {
	// Begin admits a login whose outcome end is then told, or refuses it with an
	// *auth.LoginBlockedError.
	Begin(ctx context.Context, login string, address netip.Addr) (end func(auth.LoginOutcome) error, err error)
}

// Reports prints Odoo's reports; writer.Reports does.
type Reports interface {
	// Print starts a report with a user's own rights. The PDF must be closed, and ctx live until
	// then. Errors are *writer.Fault.
	Print(ctx context.Context, who auth.Credentials, report writer.Report) (*writer.PDF, error)
}

// Users knows what get_tokens tells of a user.
type Users interface {
	// User returns the user of that id, or an error of the reader's or auth's kinds.
	User(ctx context.Context, uid int64) (User, error)
}

// User is what get_tokens tells of a user. Lang and Tz are empty where the user has none.
type User struct {
	Lang      string
	Tz        string
	CompanyID int64
}

// ReaderOf returns a reader.Reader as a Server takes it.
func ReaderOf(r *reader.Reader) Reader { return directReader{r} }

type directReader struct{ reader *reader.Reader }

func (d directReader) Read(ctx context.Context, who auth.Credentials, q reader.Query) (Rows, error) {
	result, err := d.reader.Read(ctx, who, q)
	if err != nil {
		return nil, err
	}
	return resultRows{result}, nil
}

func (d directReader) Content(ctx context.Context, who auth.Credentials, q reader.Query) (*reader.Content, error) {
	return d.reader.Content(ctx, who, q)
}

func (d directReader) Snapshot(who auth.Credentials) Snapshot {
	return directSnapshot{d.reader.Snapshot(who)}
}

type directSnapshot struct{ *reader.Snapshot }

func (d directSnapshot) Read(ctx context.Context, q reader.Query) (Rows, error) {
	result, err := d.Snapshot.Read(ctx, q)
	if err != nil {
		return nil, err
	}
	return resultRows{result}, nil
}

type resultRows struct{ *reader.Result }

func (r resultRows) ReadPath() string { return r.Path }

func (r resultRows) Preset() *schema.Preset { return r.Result.Preset }

func (r resultRows) Estimated() bool { return r.Result.Estimated }

func (r resultRows) Unchanged() string { return r.Result.Unchanged }

func (r resultRows) Total() (int64, bool) { return r.Result.Total, r.Result.Total >= 0 }

// Deps is what a Server works with. Catalogue, Presets, Describer, Explorer, Endpoints, Aliases, PresetStore, Logins,
// Answers and Secret may be nil.
type Deps struct {
	Reader Reader
	Odoo   Authenticator
	// Caller is the way of writes to Odoo.
	Caller writer.Caller
	// Methods is the way of method calls.
	Methods *writer.Methods
	// Reports is the way of reports.
	Reports Reports
	Tokens  Tokens
	Logins  LoginGuard
	Users   Users
	// Answers keeps the first answers of idempotency keys; nil: in memory.
	Answers kv.Cells
	// Secret is what they are sealed under: at least 16 random bytes that all processes know and
	// the store does not; nil: some of this process.
	Secret func(ctx context.Context) ([]byte, error)
	// Catalogue returns the present catalogue, or nil. It only decides which of two errors is told first; whether a model exists is the reader's to say.
	Catalogue func() *schema.Catalogue
	// Catalogues returns the present catalogue and loads the first; writes are checked against it.
	Catalogues func(ctx context.Context) (*schema.Catalogue, error)
	// Presets returns the preset of a model as it is now, or nil; reads have theirs from the Reader.
	// Where it fails nothing is done, since a preset may close its model.
	Presets func(ctx context.Context, model string) (*schema.Preset, error)
	// Describer tells what openapi.json and /docs show; nil: there are none.
	Describer Describer
	// Explorer tells what the page /studio shows; nil: there is none.
	Explorer Explorer
	// Version is that of the API in openapi.json.
	Version string
	// Endpoints returns the endpoints in force; nil: there are none.
	Endpoints func() *Endpoints
	// Aliases returns the models of the aliases in force, by alias: a path without a slash at its
	// ends. Presets and the Reader find an alias's preset by the alias; nil: there are none.
	Aliases func(ctx context.Context) (map[string]string, error)
	// PresetStore is where administrators edit presets; nil: nowhere.
	PresetStore PresetStore
	Checks      []Check
	Metrics     *Metrics
	Log         *slog.Logger
}

// Server answers HTTP requests.
type Server struct {
	deps   Deps
	config Config
	log    *slog.Logger

	http    *fasthttp.Server
	handler fasthttp.RequestHandler
	slots   chan struct{} // one entry per request being worked on; nil: no limit
	rate    *rateLimit    // nil: no limit
	buffers sync.Pool     // *[]byte, for pages that may fit into one answer
	codings []*coding     // that answers may be sent in, the preferred first
	answers *answers
	ready   *readiness

	// base ends when Shutdown gives up waiting: what still runs then is stopped.
	base     context.Context
	stop     context.CancelFunc
	draining atomic.Bool
}

// New returns a server that is not listening yet. It fails where the configuration contradicts itself.
func New(deps Deps, config Config) (*Server, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	if deps.Reader == nil || deps.Odoo == nil || deps.Tokens == nil || deps.Users == nil || deps.Caller == nil || deps.Methods == nil || deps.Reports == nil || deps.Catalogues == nil {
		return nil, errors.New("server: reader, Odoo, its caller, methods and reports, catalogues, tokens and users are needed")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Metrics == nil {
		deps.Metrics = NewMetrics()
	}
	s := &Server{deps: deps, config: config, log: deps.Log, codings: newCodings()}
	s.base, s.stop = context.WithCancel(context.Background())
	if config.MaxInFlight > 0 {
		s.slots = make(chan struct{}, config.MaxInFlight)
	}
	if config.RatePerToken > 0 {
		s.rate = newRateLimit(config.RatePerToken, config.RateBurst)
	}
	s.answers = newAnswers(deps, config)
	s.ready = newReadiness(deps.Checks, s.log)
	s.handler = s.routes()
	s.http = &fasthttp.Server{
		Handler:                      s.serveHTTP,
		ErrorHandler:                 s.unreadable,
		Logger:                       quietLogger{s.log},
		Name:                         "lateral",
		Concurrency:                  config.MaxConns,
		ReadBufferSize:               config.MaxHeader,
		MaxRequestBodySize:           config.MaxBody,
		ReadTimeout:                  config.ReadTimeout,
		WriteTimeout:                 config.WriteTimeout,
		IdleTimeout:                  config.IdleTimeout,
		NoDefaultContentType:         true,
		DisablePreParseMultipartForm: true,
		CloseOnShutdown:              true,
		SecureErrorLogMessage:        true,
	}
	return s, nil
}

// Handler answers one request; for embedding into another fasthttp server, whose limits and
// timeouts then apply.
func (s *Server) Handler() fasthttp.RequestHandler { return s.serveHTTP }

// Serve answers on a listener until Shutdown or until the listener fails.
func (s *Server) Serve(ln net.Listener) error {
	if err := s.http.Serve(socket.Listener{Listener: ln}); err != nil {
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	}
	return nil
}

// Shutdown stops listening and waits for running requests, streams included, until ctx ends; what
// runs then is stopped and its connections break, so that no client takes a torn answer for whole.
func (s *Server) Shutdown(ctx context.Context) error {
	s.draining.Store(true)
	err := s.http.ShutdownWithContext(ctx)
	s.stop()
	if err != nil {
		return fmt.Errorf("shutdown: %w", err)
	}
	return nil
}

// serveHTTP frames every request: what is on every answer, panics, log and metrics.
func (s *Server) serveHTTP(ctx *fasthttp.RequestCtx) {
	x := s.newExchange(ctx)
	s.deps.Metrics.inFlight.Inc()
	defer func() {
		if p := recover(); p != nil {
			x.panicked(p)
		}
		// A streamed answer ends when its last piece is written, not here.
		if !x.streaming {
			x.finish(nil)
		}
	}()
	s.handler(ctx)
	if x.streaming {
		return
	}
	if err := x.compress(); err != nil {
		x.fail(err)
	}
}
