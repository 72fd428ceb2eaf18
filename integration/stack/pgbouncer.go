package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// PgBouncer is a PgBouncer in transaction mode before the PostgreSQL of a stack.
type PgBouncer struct {
	place   *companion
	port    int
	process *process
}

// pgBouncerSettings have fewer connections to the server than clients have to it, so that these go round.
const pgBouncerSettings = `[databases]
* = host=%s port=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
pool_mode = transaction
default_pool_size = 3
`

// StartPgBouncer starts a PgBouncer that knows the role which lateral connects as. The caller must Close it.
func (s *Stack) StartPgBouncer(ctx context.Context, progress io.Writer) (_ *PgBouncer, err error) {
	server, err := url.Parse(s.DSN)
	if err != nil {
		return nil, fmt.Errorf("PgBouncer: %w", err)
	}
	place, err := newCompanion(ctx, s.Version, progress, "PgBouncer", "pgbouncer")
	if err != nil {
		return nil, err
	}
	b := &PgBouncer{place: place}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("PgBouncer: %w", err), b.Close(context.WithoutCancel(ctx)))
		}
	}()
	if b.port, err = freePort(ctx); err != nil {
		return nil, err
	}
	users, config := filepath.Join(place.run, "users.txt"), filepath.Join(place.run, "pgbouncer.ini")
	password, _ := server.User.Password()
	for file, text := range map[string]string{
		users:  strconv.Quote(server.User.Username()) + " " + strconv.Quote(password) + "\n",
		config: fmt.Sprintf(pgBouncerSettings, server.Hostname(), server.Port(), b.port, users),
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	log := filepath.Join(place.run, "pgbouncer.log")
	b.process, err = startProcess(processSpec{
		name: "PgBouncer", argv: []string{"pgbouncer", config}, dir: place.run, log: log, stop: "INT", grace: 10 * time.Second, lock: place.lock, asUser: true,
	}, place.account)
	if err != nil {
		return nil, err
	}
	if err := waitForPort(ctx, loopback(b.port)); err != nil {
		return nil, fmt.Errorf("%w; the end of its log:\n%s", err, tail(log, 20))
	}
	return b, nil
}

// DSN is where the PgBouncer answers for a database as its server does under another DSN.
func (b *PgBouncer) DSN(of string) (string, error) { return elsewhere(of, b.port) }

// Close stops the PgBouncer and removes what it has left.
func (b *PgBouncer) Close(ctx context.Context) error {
	if b.process != nil {
		if err := b.process.stop(ctx); err != nil {
			return err
		}
	}
	return b.place.close()
}

// elsewhere is a DSN with another port of this machine.
func elsewhere(dsn string, port int) (string, error) {
	address, err := url.Parse(dsn)
	if err != nil {
		return "", err
	}
	address.Host = loopback(port)
	return address.String(), nil
}
