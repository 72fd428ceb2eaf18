package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"lateral/auth"
	"lateral/auth/kv"
	"lateral/endpoint"
	"lateral/pg"
	"lateral/reader"
	"lateral/schema"
	"lateral/server"
	"lateral/writer"
)

// catalogueTimeout is how long loading the catalogue may take.
const catalogueTimeout = 2 * time.Minute

// service is everything of one running lateral.
type service struct {
	server    *server.Server
	presets   *presetKeeper
	endpoints *endpointKeeper
	trust     *trustFile
	log       *slog.Logger

	reader  *reader.Reader
	pool    *pg.Pool
	odoo    *writer.XMLRPC
	reports *writer.Reports
	redis   *kv.Redis // nil where tokens are kept in memory
}

// newService wires a service. It connects to nothing: what is not there yet shows at the first use.
func newService(ctx context.Context, s settings, log *slog.Logger) (*service, error) {
	pool, err := openPool(ctx, s.Database)
	if err != nil {
		return nil, err
	}
	redis, err := openRedis(s)
	if err != nil {
		pool.Close()
		return nil, err
	}
	metrics := server.NewMetrics()
	metrics.WatchPool(func() server.Pool { return poolState(pool) })
	odoo := writer.NewXMLRPC(writer.Config{
		URL: s.Odoo.URL, Database: s.Odoo.Database, Timeout: s.Odoo.Timeout, MaxConns: s.Odoo.MaxConns,
		Observe: metrics.ObserveOdoo,
	})
	reports := writer.NewReports(writer.ReportConfig{
		URL: s.Odoo.URL, Database: s.Odoo.Database, Timeout: s.Odoo.Timeout, MaxConns: s.Odoo.MaxConns,
		Observe: metrics.ObserveOdoo,
	})
	trust, err := reader.NewTrust(reader.TrustConfig{
		Path: s.Verification, Database: s.Odoo.Database, RequireVerified: s.RequireVerified, Log: log,
	})
	if err != nil {
		pool.Close()
		return nil, err
	}
	metrics.WatchTripped(trust.Tripped)
	source := &source{pool: pool, directory: auth.NewDirectory(auth.DirectoryConfig{}), trust: trust}
	source.holder = schema.NewHolder(source.loadCatalogue, catalogueTimeout)
	shared := sharedSecret(s.Redis, source)
	secret := tokenSecret(shared)
	tokens := auth.NewTokens(tokenStore(redis, s.MaxTokens), secret, time.Now)
	tokens.OnRevoke(reports.Forget)
	presets := &presetKeeper{dir: s.Presets, log: log}
	read := reader.New(reader.Deps{
		Pool: pool, Catalogues: source.holder, Directory: source.directory, Odoo: odoo,
		Filestore: s.Filestore, Log: log, Observe: metrics, Trust: trust, Presets: presets, Secret: shared,
		Abreast: s.Database.Abreast,
		Shadow:  reader.ShadowConfig{Share: s.Shadow.Share, Rate: s.Shadow.Rate, Trip: s.Shadow.Trip},
	})
	current := &currentPresets{reader: read, keeper: presets}
	methods := writer.NewMethods(odoo, time.Now)
	store := &presetStore{current: current, pool: pool, directory: source.directory, caller: odoo}
	endpoints := &endpointKeeper{
		dir: s.Endpoints.Folder, log: log, catalogue: source.holder.Current, presets: presets,
		engine: &endpoint.Engine{
			Limits: endpoint.Limits{Steps: uint64(s.Endpoints.Steps), Memory: int64(s.Endpoints.Memory)}, Time: s.Endpoints.Time, Log: log,
			Odoo: endpoint.Odoo{
				Caller: odoo, Methods: methods, Catalogues: current.catalogue, Users: source, Administrator: store.administrator,
			},
		},
	}
	if err := endpoints.reload(); err != nil {
		pool.Close()
		return nil, err
	}
	http, err := server.New(server.Deps{
		Reader:      server.ReaderOf(read),
		Odoo:        odoo,
		Caller:      odoo,
		Methods:     methods,
		Answers:     answerCells(redis),
		Secret:      shared,
		Reports:     reports,
		Tokens:      tokens,
		Logins:      auth.NewLoginGuard(s.Login.limits(), redis, time.Now),
		Users:       source,
		Catalogue:   source.holder.Current,
		Catalogues:  current.catalogue,
		Presets:     current.preset,
		Describer:   read,
		Explorer:    read,
		Version:     moduleVersion(),
		PresetStore: store,
		Endpoints:   endpoints.endpoints,
		Aliases:     current.aliases,
		Checks: append([]server.Check{
			{Name: "database", Probe: source.probeDatabase},
			{Name: "catalogue", Probe: source.probeCatalogue},
			{Name: "odoo", Probe: func(ctx context.Context) error { return probeOdoo(ctx, odoo, s.Odoo.URL) }},
		}, tokenChecks(redis, secret)...),
		Metrics: metrics,
		Log:     log,
	}, s.http())
	service := &service{
		server: http, presets: presets, endpoints: endpoints, trust: &trustFile{trust: trust, holder: source.holder, log: log}, log: log,
		reader: read, pool: pool, odoo: odoo, reports: reports, redis: redis,
	}
	if err != nil {
		service.close()
		return nil, err
	}
	return service, nil
}

// openPool makes the pool of connections to Odoo's PostgreSQL.
func openPool(ctx context.Context, s databaseSettings) (*pg.Pool, error) {
	return pg.Open(ctx, pg.Config{
		DSN:                s.DSN,
		MaxConns:           int32(min(s.MaxConns, 10_000)),
		StatementTimeout:   s.StatementTimeout,
		LockTimeout:        s.LockTimeout,
		ConnectTimeout:     s.ConnectTimeout,
		TransactionPooling: s.TransactionPooling,
	})
}

// close frees what the service holds, after its server has stopped.
func (s *service) close() {
	s.reader.Close()
	s.odoo.Close()
	s.reports.Close()
	s.pool.Close()
	if s.redis != nil {
		if err := s.redis.Close(); err != nil {
			s.log.Warn("closing the connections to Redis", "cause", err)
		}
	}
}

func poolState(pool *pg.Pool) server.Pool {
	stat := pool.Stat()
	return server.Pool{
		Max: int64(stat.MaxConns()), Total: int64(stat.TotalConns()),
		Acquired: int64(stat.AcquiredConns()), Idle: int64(stat.IdleConns()),
		Waited: stat.EmptyAcquireCount(), WaitTime: stat.EmptyAcquireWaitTime(),
	}
}

// source is the database behind catalogue and users.
type source struct {
	pool      *pg.Pool
	holder    *schema.Holder
	directory *auth.Directory
	trust     *reader.Trust
}

func (s *source) loadCatalogue(ctx context.Context) (*schema.Catalogue, error) {
	if err := s.pool.Fit(ctx); err != nil {
		return nil, err
	}
	var c *schema.Catalogue
	err := s.pool.Snapshot(ctx, func(q pg.Querier) (err error) {
		if c, err = schema.Load(ctx, q); err != nil {
			return err
		}
		c.Registry, err = reader.RegistryState(ctx, q)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.trust.Apply(c), nil
}

// catalogue returns the catalogue in use and loads the first. That is loaded twice: which
// signal it belongs to can only be asked once its features are known, and a catalogue without one
// would have to be loaded again by the first read.
func (s *source) catalogue(ctx context.Context) (*schema.Catalogue, error) {
	if c := s.holder.Current(); c != nil {
		return c, nil
	}
	c, err := s.holder.Refresh(ctx, "")
	if err != nil {
		return nil, asReadError(err)
	}
	var signals schema.Signals
	err = s.pool.QueryRow(ctx, schema.SignalStatement(c.Features)).Scan(&signals.Registry, &signals.Cache)
	if err == nil {
		c, err = s.holder.Refresh(ctx, signals.Registry)
	}
	return c, asReadError(err)
}

// User implements server.Users.
func (s *source) User(ctx context.Context, uid int64) (server.User, error) {
	c, err := s.catalogue(ctx)
	if err != nil {
		return server.User{}, err
	}
	p, err := s.directory.Principal(ctx, s.pool, c, uid, nil)
	if err != nil {
		return server.User{}, asReadError(err)
	}
	return server.User{Lang: p.Lang, Tz: p.Tz, CompanyID: p.DefaultCompany}, nil
}

// secret returns the database's own random secret, which Odoo makes with it and signs with (14.0, 19.0:
// odoo/addons/base/models/ir_config_parameter.py). All processes know it, and a Redis does not.
func (s *source) secret(ctx context.Context) ([]byte, error) {
	var value string
	err := s.pool.QueryRow(ctx, `SELECT value FROM ir_config_parameter WHERE key = 'database.secret'`).Scan(&value)
	switch {
	case err != nil:
		return nil, asReadError(fmt.Errorf("read database.secret: %w", err))
	case len(value) < shortestSecret:
		return nil, errors.New("the parameter database.secret of Odoo is too short to seal with")
	}
	return []byte(value), nil
}

func (s *source) probeDatabase(ctx context.Context) error {
	if err := s.pool.Ping(ctx); err != nil {
		return fmt.Errorf("the database server cannot be reached: %w", err)
	}
	return nil
}

func (s *source) probeCatalogue(ctx context.Context) error {
	if _, err := s.catalogue(ctx); err != nil {
		return fmt.Errorf("the models cannot be read from the database: %w", err)
	}
	return nil
}

func probeOdoo(ctx context.Context, odoo *writer.XMLRPC, address string) error {
	if _, err := odoo.Version(ctx); err != nil {
		return fmt.Errorf("no Odoo can be reached at %s: %w", address, err)
	}
	return nil
}

// asReadError gives errors of the database the kinds that the reader's have.
func asReadError(err error) error {
	var known *reader.Error
	if err == nil || errors.As(err, &known) || errors.Is(err, auth.ErrUserGone) {
		return err
	}
	kind := reader.Internal
	switch pg.Classify(err) {
	case pg.Unavailable, pg.Canceled:
		kind = reader.DatabaseUnavailable
	case pg.Timeout:
		kind = reader.Timeout
	}
	return &reader.Error{Kind: kind, Message: "the database cannot be read", Err: err}
}
