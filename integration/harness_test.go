// Package integration holds the tests that need a real Odoo and a real PostgreSQL. Odoo itself is
// the judge of every read: what lateral answers must be what Odoo answers the same user.
package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"lateral/auth"
	"lateral/integration/stack"
	"lateral/pg"
	"lateral/reader"
	"lateral/schema"
	"lateral/writer"
)

// TestMain stops the stacks that the tests have started.
func TestMain(m *testing.M) {
	code := m.Run()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, s := range stands {
		if err := s.stop(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if err := errors.Join(binary.remove(), planted.remove()); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// versions are the Odoos that every test runs on. LATERAL_STACK_VERSIONS narrows them, which an
// external stack needs: it is of one version.
func versions() []string {
	if list := os.Getenv("LATERAL_STACK_VERSIONS"); list != "" {
		return strings.Split(list, ",")
	}
	return []string{"19.0", "14.0"}
}

// stands are the shared ones, by version. They start when they are first needed.
var stands = map[string]*sharedStand{"19.0": {}, "14.0": {}}

type sharedStand struct {
	once  sync.Once
	stand *stand
	err   error
}

func (s *sharedStand) stop(ctx context.Context) error {
	if s.stand == nil {
		return nil
	}
	s.stand.close()
	return s.stand.Close(ctx)
}

// stand is a running stack with all that lateral needs to read from it.
type stand struct {
	*stack.Stack
	pool       *pg.Pool
	catalogues *schema.Holder
	directory  *auth.Directory
	odoo       *writer.XMLRPC
	reader     *reader.Reader
}

// newStand wires a reader to a stack the way the service does.
func newStand(ctx context.Context, s *stack.Stack) (*stand, error) {
	return newStandOn(ctx, s, pg.Config{DSN: s.DSN})
}

// newStandOn is newStand with a connection to the stack's database that is not the usual one.
func newStandOn(ctx context.Context, s *stack.Stack, connection pg.Config) (*stand, error) {
	connection.MaxConns, connection.StatementTimeout, connection.LockTimeout = 8, time.Minute, 10*time.Second
	pool, err := pg.Open(ctx, connection)
	if err != nil {
		return nil, err
	}
	load := func(ctx context.Context) (c *schema.Catalogue, err error) {
		if err := pool.Fit(ctx); err != nil {
			return nil, err
		}
		err = pool.Snapshot(ctx, func(q pg.Querier) error {
			c, err = schema.Load(ctx, q)
			return err
		})
		return c, err
	}
	st := &stand{
		Stack:      s,
		pool:       pool,
		catalogues: schema.NewHolder(load, time.Minute),
		directory:  auth.NewDirectory(auth.DirectoryConfig{}),
		odoo:       writer.NewXMLRPC(writer.Config{URL: s.OdooURL, Database: s.Database, MaxConns: 8}),
	}
	st.reader = reader.New(reader.Deps{
		Pool: pool, Catalogues: st.catalogues, Directory: st.directory, Odoo: st.odoo, Filestore: s.Filestore,
	})
	return st, nil
}

func (s *stand) close() {
	s.odoo.Close()
	s.pool.Close()
}

// shared returns the stand of a version that all tests share. Tests must not write to it.
func shared(t testing.TB, version string) *stand {
	t.Helper()
	holder := stands[version]
	if holder == nil {
		t.Fatalf("there is no Odoo %q to test with", version)
	}
	holder.once.Do(func() {
		ctx := context.Background()
		var s *stack.Stack
		if s, holder.err = stack.Start(ctx, stack.Options{Version: version, Redis: true, Progress: os.Stderr}); holder.err != nil {
			return
		}
		if holder.stand, holder.err = newStand(ctx, s); holder.err != nil {
			holder.err = errors.Join(holder.err, s.Close(ctx))
		}
	})
	if holder.err != nil {
		t.Fatal(holder.err)
	}
	return holder.stand
}

// eachVersion runs a test on the shared stand of every version.
func eachVersion(t *testing.T, run func(t *testing.T, s *stand)) {
	t.Helper()
	for _, version := range versions() {
		t.Run(version, func(t *testing.T) { run(t, shared(t, version)) })
	}
}

// eachFork runs a test that writes on a database of its own of every version.
func eachFork(t *testing.T, run func(t *testing.T, s *stand)) {
	t.Helper()
	eachVersion(t, func(t *testing.T, s *stand) { run(t, s.fork(t)) })
}

// eachForkAtOnce is eachFork with all versions at the same time, for tests that measure nothing: each
// waits for its own Odoo, which uses one processor.
func eachForkAtOnce(t *testing.T, run func(t *testing.T, s *stand)) {
	t.Helper()
	eachVersion(t, func(t *testing.T, s *stand) {
		t.Parallel()
		run(t, s.fork(t))
	})
}

// fork returns a stand on a copy of the database, which is dropped when the test ends.
func (s *stand) fork(t testing.TB) *stand {
	t.Helper()
	ctx := context.Background()
	copied, err := s.Fork(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := copied.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	st, err := newStand(ctx, copied)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(st.close)
	return st
}

// on returns a stand that reads the database of another one by a connection of its own.
func (s *stand) on(t testing.TB, connection pg.Config) *stand {
	t.Helper()
	other, err := newStandOn(t.Context(), s.Stack, connection)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.close)
	return other
}

// login returns the credentials of the user of a role, as Odoo knows the user.
func (s *stand) login(t testing.TB, role string) auth.Credentials {
	t.Helper()
	user := s.User(role)
	uid, err := s.odoo.Authenticate(t.Context(), user.Login, user.Password)
	if err != nil {
		t.Fatalf("logging in as %s: %v", role, err)
	}
	return auth.Credentials{UID: uid, Login: user.Login, Secret: user.Password}
}

// call runs a method in Odoo and fails the test where Odoo refuses.
func (s *stand) call(t testing.TB, who auth.Credentials, model, method string, args []any, kwargs map[string]any) any {
	t.Helper()
	result, err := s.odoo.Execute(t.Context(), who, model, method, args, kwargs)
	if err != nil {
		t.Fatalf("%s.%s: %v", model, method, err)
	}
	return result
}

// catalogue returns the current catalogue.
func (s *stand) catalogue(t testing.TB) *schema.Catalogue {
	t.Helper()
	if c := s.catalogues.Current(); c != nil {
		return c
	}
	c, err := s.catalogues.Refresh(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// owner connects as the role that owns the database, until the test ends.
func (s *stand) owner(t testing.TB) *pgx.Conn {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.OwnerDSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(ctx) })
	return conn
}

// roles are the six users that reads are compared for.
func roles() []string {
	return []string{
		stack.RoleAdmin, stack.RoleDemo, stack.RolePortal, stack.RoleSalesman, stack.RoleAccountant, stack.RoleSecond,
	}
}
