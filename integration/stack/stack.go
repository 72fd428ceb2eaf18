// Package stack brings up a real PostgreSQL, a real Odoo with demo data and, if wanted, a Redis, for the demo, the
// tests and the benchmarks. Where they come from is the provider's business: containers, ordinary processes from
// Debian packages, or servers that are there already.
//
// The environment has a say: LATERAL_STACK_PROVIDER is the provider where Options name none, LATERAL_CACHE the folder
// for what is installed and prepared (else lateral in the user's cache folder; it may be removed while no stack runs),
// and LATERAL_STACK_DSN, _OWNER_DSN, _ODOO_URL, _DATABASE, _REDIS and _FILESTORE describe an external stack.
package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"
)

// Options say what Start brings up.
type Options struct {
	// Version of Odoo: "19.0" or "14.0". Empty means "19.0".
	Version string
	// Provider is "auto", "local", "containers" or "external". Empty means $LATERAL_STACK_PROVIDER, else "auto":
	// containers where a Docker engine answers and has or can pull the images, otherwise local.
	Provider string
	// Workers is the number of Odoo's worker processes. 0 means 2; Threaded means one process with threads instead.
	Workers int
	// Redis also starts a Redis.
	Redis bool
	// Followed lets a standby follow the PostgreSQL, see StartStandby.
	Followed bool
	// Progress takes lines for a person who waits; nil discards them.
	Progress io.Writer
}

// Threaded, as Options.Workers, is an Odoo of one process with threads.
const Threaded = -1

// User is a login that every prepared database has.
type User struct {
	Login, Password string
	// Role says what the user is there for: one of the Role constants.
	Role string
}

// The roles of the users in every prepared database.
const (
	RoleAdmin      = "admin"      // settings, everything
	RoleDemo       = "demo"       // Odoo's own demo user: internal, many groups
	RolePortal     = "portal"     // Odoo's own portal user
	RoleSalesman   = "salesman"   // sales, own documents only
	RoleAccountant = "accountant" // accounting and invoices
	RoleSecond     = "second"     // only company is "Second Company"; sales, stock and accounting there
)

// versions are the versions of Odoo that a stack can have.
func versions() []string { return []string{"19.0", "14.0"} }

// users returns the users of a prepared database.
func users() []User {
	roles := []string{RoleAdmin, RoleDemo, RolePortal, RoleSalesman, RoleAccountant, RoleSecond}
	users := make([]User, len(roles))
	for i, role := range roles {
		users[i] = User{Login: role, Password: role, Role: role}
	}
	return users
}

// Stack is a running PostgreSQL with an Odoo database, the Odoo that serves it, and perhaps a Redis.
type Stack struct {
	Version  string // of Odoo
	Provider string // "local", "containers" or "external"
	OdooURL  string // http://host:port
	Database string // name of the database
	// DSN connects as the role that may only read, which is how lateral connects.
	DSN string
	// OwnerDSN connects as the role that owns the database. On the local and the containers provider it is a superuser.
	OwnerDSN  string
	RedisAddr string // host:port, or empty
	// Filestore is the folder of the database's attachments, readable by this process, or empty if there is none.
	Filestore string
	Users     []User

	backend backend
	parent  *Stack       // for a fork
	forks   atomic.Int64 // numbers the forks
}

// User returns the user of a role. It answers the zero User for a role that there is none of.
func (s *Stack) User(role string) User {
	for _, user := range s.Users {
		if user.Role == role {
			return user
		}
	}
	return User{}
}

// backend is what a provider has to be able to do. Every server keeps its address when it is stopped and started.
type backend interface {
	dsn(role, password, database string) string
	// odooURLs are the address for clients and the one that Odoo can use to reach itself.
	odooURLs() (public, own string)
	startPostgres(ctx context.Context) error
	stopPostgres(ctx context.Context) error
	startOdoo(ctx context.Context) error
	stopOdoo(ctx context.Context) error
	// addAddons gives Odoo the add-ons of a folder, to be found at its next start.
	addAddons(ctx context.Context, folder string) error
	// runOdoo runs Odoo with further arguments until it ends by itself.
	runOdoo(ctx context.Context, arguments ...string) error
	// addFilestore gives a database the template's attachments and returns the folder.
	addFilestore(ctx context.Context, database string) (string, error)
	removeFilestore(ctx context.Context, database string) error
	// odooFailure is why Odoo is not running, or nil while it is.
	odooFailure() error
	redisAddr() string
	startRedis(ctx context.Context) error
	stopRedis(ctx context.Context) error
	close(ctx context.Context) error
}

// Start brings up what the options ask for and waits until it answers. The first time on a machine this installs and
// prepares things for some minutes; later it takes seconds. The caller must Close the stack. If this program is killed
// before that, the stack's processes end with it.
func Start(ctx context.Context, o Options) (*Stack, error) {
	if o.Version == "" {
		o.Version = "19.0"
	}
	if !slices.Contains(versions(), o.Version) {
		return nil, fmt.Errorf("no Odoo %q here: %s are known", o.Version, strings.Join(versions(), " and "))
	}
	if o.Provider == "" {
		o.Provider = os.Getenv("LATERAL_STACK_PROVIDER")
	}
	switch {
	case o.Workers == 0:
		o.Workers = 2
	case o.Workers < 0:
		o.Workers = 0
	}
	progress := newProgress(o.Progress)
	switch o.Provider {
	case "external":
		return startExternal(o)
	case "containers":
		return startContainers(ctx, o, progress)
	case "local":
		return startLocal(ctx, o, progress)
	case "", "auto":
		if containersReady(ctx, o) {
			return startContainers(ctx, o, progress)
		}
		return startLocal(ctx, o, progress)
	default:
		return nil, fmt.Errorf("no stack provider %q: auto, local, containers and external are known", o.Provider)
	}
}

// mainDatabase is the name of the database that a stack starts with.
func mainDatabase(version string) string {
	major, _, _ := strings.Cut(version, ".")
	return "odoo" + major
}

// open makes the database of a stack whose PostgreSQL runs, and starts Odoo on it.
func open(ctx context.Context, provider string, o Options, backend backend) (*Stack, error) {
	s := &Stack{
		Version:   o.Version,
		Provider:  provider,
		Users:     users(),
		RedisAddr: backend.redisAddr(),
		backend:   backend,
	}
	if err := s.addDatabase(ctx, mainDatabase(o.Version)); err != nil {
		return nil, err
	}
	if err := s.StartOdoo(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// addDatabase copies the template and fills in the coordinates.
func (s *Stack) addDatabase(ctx context.Context, name string) error {
	public, own := s.backend.odooURLs()
	dsnOf := func(database string) string { return s.backend.dsn(ownerRole, ownerPassword, database) }
	if err := createDatabase(ctx, dsnOf, name, public, own); err != nil {
		return err
	}
	folder, err := s.backend.addFilestore(ctx, name)
	if err != nil {
		return err
	}
	s.OdooURL = public
	s.Database = name
	s.DSN = s.backend.dsn(readerRole, readerPassword, name)
	s.OwnerDSN = dsnOf(name)
	s.Filestore = folder
	return nil
}

// errExternal is answered where a stack that was only lent would have to be changed.
var errExternal = errors.New("an external stack is not this program's to change")

// Fork makes a database of its own, equal to the one that the stack started with, and served by the same Odoo. It is
// for tests that write. Close drops it. An external stack cannot be forked.
func (s *Stack) Fork(ctx context.Context) (*Stack, error) {
	if s.backend == nil {
		return nil, errExternal
	}
	root := s
	if s.parent != nil {
		root = s.parent
	}
	fork := &Stack{
		Version:   s.Version,
		Provider:  s.Provider,
		RedisAddr: s.RedisAddr,
		Users:     s.Users,
		backend:   s.backend,
		parent:    root,
	}
	name := fmt.Sprintf("%s_fork%d", mainDatabase(s.Version), root.forks.Add(1))
	if err := fork.addDatabase(ctx, name); err != nil {
		return nil, fmt.Errorf("fork: %w", err)
	}
	return fork, nil
}

// Close stops everything that Start started, and nothing else; of a fork, it drops the database and leaves the servers
// running.
func (s *Stack) Close(ctx context.Context) error {
	if s.backend == nil {
		return nil
	}
	if s.parent == nil {
		return s.backend.close(ctx)
	}
	dsnOf := func(database string) string { return s.backend.dsn(ownerRole, ownerPassword, database) }
	return errors.Join(dropDatabase(ctx, dsnOf, s.Database), s.backend.removeFilestore(ctx, s.Database))
}

// StartOdoo starts an Odoo that was stopped and waits until it answers for this stack's database.
func (s *Stack) StartOdoo(ctx context.Context) error {
	if s.backend == nil {
		return errExternal
	}
	if err := s.backend.startOdoo(ctx); err != nil {
		return err
	}
	return s.waitForOdoo(ctx)
}

// StopOdoo stops Odoo, for all forks too.
func (s *Stack) StopOdoo(ctx context.Context) error {
	if s.backend == nil {
		return errExternal
	}
	return s.backend.stopOdoo(ctx)
}

// RestartOdoo stops Odoo and starts it again at the same address.
func (s *Stack) RestartOdoo(ctx context.Context) error {
	if err := s.StopOdoo(ctx); err != nil {
		return err
	}
	return s.StartOdoo(ctx)
}

// StopPostgres stops PostgreSQL, for all forks too, and disconnects its clients.
func (s *Stack) StopPostgres(ctx context.Context) error {
	if s.backend == nil {
		return errExternal
	}
	return s.backend.stopPostgres(ctx)
}

// StartPostgres starts a PostgreSQL that was stopped, at the same address, and waits until it answers.
func (s *Stack) StartPostgres(ctx context.Context) error {
	if s.backend == nil {
		return errExternal
	}
	return s.backend.startPostgres(ctx)
}

// errNoRedis is answered where a stack was started without a Redis.
var errNoRedis = errors.New("the stack has no Redis")

// StopRedis stops Redis, for all forks too. What it held is gone.
func (s *Stack) StopRedis(ctx context.Context) error {
	if s.backend == nil {
		return errExternal
	}
	return s.backend.stopRedis(ctx)
}

// StartRedis starts a Redis that was stopped, at the same address and empty, and waits until it answers.
func (s *Stack) StartRedis(ctx context.Context) error {
	if s.backend == nil {
		return errExternal
	}
	return s.backend.startRedis(ctx)
}

// Coordinates are the addresses of a stack, for other programs.
type Coordinates struct {
	Version   string
	Provider  string
	OdooURL   string
	Database  string
	DSN       string
	OwnerDSN  string
	RedisAddr string
	Filestore string
}

// Coordinates returns the addresses of the stack.
func (s *Stack) Coordinates() Coordinates {
	return Coordinates{
		Version: s.Version, Provider: s.Provider, OdooURL: s.OdooURL, Database: s.Database, DSN: s.DSN,
		OwnerDSN: s.OwnerDSN, RedisAddr: s.RedisAddr, Filestore: s.Filestore,
	}
}
