package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
)

// followedSettings let a standby follow a server; they go behind postgresSettings.
var followedSettings = []string{"wal_level=replica", "max_wal_senders=4"}

// settings are those of the PostgreSQL of a stack.
func (o Options) settings() []string {
	if !o.Followed {
		return postgresSettings
	}
	return append(postgresSettings[:len(postgresSettings):len(postgresSettings)], followedSettings...)
}

// Standby is a PostgreSQL that follows that of a stack and can be read from. Nothing of what it answers is older than CatchUp.
type Standby struct {
	stack    *Stack
	place    *companion
	postgres *postgres
}

// StartStandby copies the PostgreSQL of a stack that was started with Options.Followed, and starts a standby on the copy. The
// caller must Close it. Databases that are made later come to it too.
func (s *Stack) StartStandby(ctx context.Context, progress io.Writer) (_ *Standby, err error) {
	if s.backend == nil {
		return nil, errExternal
	}
	place, err := newCompanion(ctx, s.Version, progress, "a standby", postgresPackage)
	if err != nil {
		return nil, err
	}
	f := &Standby{stack: s, place: place}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("standby: %w", err), f.Close(context.WithoutCancel(ctx)))
		}
	}()
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	// A server in a container lets in nobody from outside for replication until it is told to.
	err = execute(ctx, s.OwnerDSN, `COPY (SELECT 'host replication all all scram-sha-256') TO PROGRAM 'cat >> pg_hba.conf'`, "SELECT pg_reload_conf()")
	if err != nil {
		return nil, err
	}
	data := filepath.Join(place.run, "pgdata")
	err = run(ctx, processSpec{
		name:   "pg_basebackup",
		argv:   []string{filepath.Join(postgresBin, "pg_basebackup"), "-d", s.backend.dsn(ownerRole, ownerPassword, ""), "-D", data, "-R", "-X", "stream", "--checkpoint=fast", "--no-sync"},
		dir:    place.run,
		log:    filepath.Join(place.run, "basebackup.log"),
		asUser: true,
	}, place.account)
	if err != nil {
		return nil, err
	}
	f.postgres = &postgres{
		data: data, port: port, account: place.account, lock: place.lock, log: filepath.Join(place.run, "postgres.log"),
		settings: Options{Followed: true}.settings(),
	}
	if err := f.postgres.start(ctx); err != nil {
		return nil, err
	}
	return f, nil
}

// DSN is where the standby answers for a database what its server answers under another DSN, as that role.
func (f *Standby) DSN(of string) (string, error) { return elsewhere(of, f.postgres.port) }

// CatchUp waits until the standby has all that was committed on its server before the call.
func (f *Standby) CatchUp(ctx context.Context) error {
	var position string
	if err := value(ctx, f.stack.OwnerDSN, &position, "SELECT pg_current_wal_insert_lsn()::text"); err != nil {
		return fmt.Errorf("standby: %w", err)
	}
	at, err := f.DSN(f.stack.OwnerDSN)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = poll(ctx, 10*time.Millisecond, func(ctx context.Context) (bool, error) {
		var caughtUp bool
		err := value(ctx, at, &caughtUp, "SELECT NOT pg_is_in_recovery() OR pg_last_wal_replay_lsn() >= '"+position+"'::pg_lsn")
		return caughtUp, err
	})
	if err != nil {
		return fmt.Errorf("waiting for the standby: %w", err)
	}
	return nil
}

// Promote makes the standby a server of its own, which follows nobody.
func (f *Standby) Promote(ctx context.Context) error {
	at, err := f.DSN(f.stack.OwnerDSN)
	if err != nil {
		return err
	}
	return execute(ctx, at, "SELECT pg_promote()")
}

// Close stops the standby and removes it.
func (f *Standby) Close(ctx context.Context) error {
	if f.postgres != nil {
		if err := f.postgres.stop(ctx); err != nil {
			return err
		}
	}
	return f.place.close()
}

// value reads the one value of a query.
func value[T any](ctx context.Context, dsn string, into *T, query string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return conn.QueryRow(ctx, query, pgx.QueryExecModeSimpleProtocol).Scan(into)
}
