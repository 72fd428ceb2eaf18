// Package pg is the way to PostgreSQL: pools, snapshots, streamed rows and classes of errors. It
// knows nothing of Odoo.
package pg

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"lateral/pg/socket"
)

// Config says how to reach PostgreSQL and within which limits to read. Durations of 0 mean none.
type Config struct {
	DSN              string        // key=value text or postgres:// URL
	MaxConns         int32         // connections in the pool
	StatementTimeout time.Duration // of one statement, streaming it included
	LockTimeout      time.Duration // of waiting for a lock, as upgrades hold them
	ConnectTimeout   time.Duration // of one connection attempt
	// TransactionPooling is set where a PgBouncer in transaction mode stands between: nothing is
	// prepared by name then, and the role must have the settings of a session as its defaults, see Fit.
	TransactionPooling bool
}

// Pool is a pool of connections that can only read, each statement in a REPEATABLE READ snapshot.
type Pool struct {
	pool *pgxpool.Pool
	// snapshots has an entry for each connection that a Snapshot holds.
	snapshots chan struct{}
	unnamed   bool // pipelines prepare nothing by name
	// statementTimeout is what Config says; 0: none.
	statementTimeout time.Duration
	// discarding are the connections that are being closed in the midst of an answer.
	discarding sync.WaitGroup
}

// Querier runs one statement; pools and snapshots are.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Open makes a pool. It does not connect: a database that is not there shows at the first query,
// so that the service can start before it and recover without a restart.
func Open(ctx context.Context, c Config) (*Pool, error) {
	config, err := pgxpool.ParseConfig(c.DSN)
	if err != nil {
		return nil, fmt.Errorf("database address: %w", withoutSecrets(err))
	}
	if c.MaxConns > 0 {
		config.MaxConns = c.MaxConns
	}
	if c.ConnectTimeout > 0 {
		config.ConnConfig.ConnectTimeout = c.ConnectTimeout
	}
	if c.TransactionPooling {
		config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	maps.Copy(config.ConnConfig.RuntimeParams, c.session())
	dial := config.ConnConfig.DialFunc
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return socket.Wrap(conn), nil
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("database pool: %w", withoutSecrets(err))
	}
	return &Pool{
		pool: pool, snapshots: make(chan struct{}, max(1, config.MaxConns/2)), unnamed: c.TransactionPooling, statementTimeout: c.StatementTimeout,
	}, nil
}

// Close waits for running statements and closes all connections.
func (p *Pool) Close() {
	p.pool.Close()
	p.discarding.Wait()
}

// Ping fails where no connection can be had.
func (p *Pool) Ping(ctx context.Context) error { return p.pool.Ping(ctx) }

// Stat returns the pool's counters.
func (p *Pool) Stat() *pgxpool.Stat { return p.pool.Stat() }

// Query runs one statement in a snapshot of its own.
func (p *Pool) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return p.pool.Query(ctx, sql, args...)
}

// QueryRow runs one statement of one row in a snapshot of its own.
func (p *Pool) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return p.pool.QueryRow(ctx, sql, args...)
}

// Snapshot runs fn in one REPEATABLE READ, READ ONLY transaction, so that all statements of fn see
// the database as of one instant.
func (p *Pool) Snapshot(ctx context.Context, fn func(Querier) error) error {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, p.pool, options, func(tx pgx.Tx) error { return fn(tx) })
}

// essential returns the settings of a session on which it depends what is read, and not only how long that takes.
func essential() map[string]string {
	return map[string]string{
		// Without it the signals of changes and what is read with them were of two snapshots.
		"default_transaction_isolation": "repeatable read",
		"DateStyle":                     "ISO, YMD",
		"TimeZone":                      "UTC",
		// Shortest text that reads back as the same float.
		"extra_float_digits": "1",
		"client_encoding":    "UTF8",
	}
}

// session returns what a connection is begun with.
func (c Config) session() map[string]string {
	session := essential()
	session["application_name"] = "lateral"
	if c.TransactionPooling {
		// A PgBouncer refuses what it does not keep apart for its clients, unless it is told to pass it over.
		delete(session, "default_transaction_isolation")
		delete(session, "extra_float_digits")
		return session
	}
	session["default_transaction_read_only"] = "on"
	session["statement_timeout"] = milliseconds(c.StatementTimeout)
	session["lock_timeout"] = milliseconds(c.LockTimeout)
	// Planning with JIT costs more than it saves on statements of some milliseconds.
	session["jit"] = "off"
	return session
}

// Fit fails with ErrUnfit where a session has other settings than those it needs, as behind a PgBouncer, where they
// are those of the role.
func (p *Pool) Fit(ctx context.Context) error {
	wanted := essential()
	names := slices.Sorted(maps.Keys(wanted))
	rows, err := p.pool.Query(ctx, "SELECT current_setting(name) FROM unnest($1::text[]) WITH ORDINALITY AS n(name, place) ORDER BY place", names)
	if err != nil {
		return err
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for i, name := range names {
		if found[i] != wanted[name] {
			return fmt.Errorf("%w: %s is %q, not %q", ErrUnfit, name, found[i], wanted[name])
		}
	}
	return nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// withoutSecrets keeps the password of a DSN out of an error's text.
func withoutSecrets(err error) error {
	if parse := new(pgconn.ParseConfigError); asParseError(err, &parse) {
		return fmt.Errorf("cannot parse it: %w", parse.Unwrap())
	}
	return err
}
