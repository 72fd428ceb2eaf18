package stack

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	postgresBin     = "/usr/lib/postgresql/15/bin"
	postgresPackage = "postgresql-15"

	// The owner is a superuser on both providers, as it is in the official postgres image: it makes template databases,
	// counts statements and clones rows without firing triggers. These passwords guard nothing: the servers listen on
	// the loopback interface and hold demo data.
	ownerRole        = "odoo"
	ownerPassword    = "odoo"
	readerRole       = "lateral_ro"
	readerPassword   = "lateral_ro"
	templateDatabase = "template_odoo"
)

// postgresGrace is how long a fast shutdown of PostgreSQL may take.
const postgresGrace = 30 * time.Second

// postgresSettings make a server for tests: nothing here has to survive a power cut, and every statement is counted.
var postgresSettings = []string{
	"fsync=off",
	"synchronous_commit=off",
	"full_page_writes=off",
	"wal_level=minimal",
	"max_wal_senders=0",
	"min_wal_size=64MB",
	"max_wal_size=4GB",
	"checkpoint_timeout=30min",
	"shared_buffers=512MB",
	"work_mem=16MB",
	"max_connections=200",
	"shared_preload_libraries=pg_stat_statements",
	"track_io_timing=on",
}

// postgres is a PostgreSQL server that runs as an ordinary process on a data directory.
type postgres struct {
	data    string // data directory
	port    int
	account account
	lock    *os.File
	log     string
	// settings are those that it starts with, name=value.
	settings []string
	process  *process
}

// initCluster makes an empty data directory whose superuser is the owner role.
func initCluster(ctx context.Context, data, scratch string, account account) error {
	password := filepath.Join(scratch, "password")
	if err := os.WriteFile(password, []byte(ownerPassword+"\n"), 0o644); err != nil {
		return fmt.Errorf("initdb: %w", err)
	}
	defer os.Remove(password)
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("initdb: %w", err)
	}
	if err := account.own(data); err != nil {
		return fmt.Errorf("initdb: %w", err)
	}
	return run(ctx, processSpec{
		name: "initdb",
		argv: []string{
			filepath.Join(postgresBin, "initdb"), "--pgdata", data, "--username", ownerRole, "--pwfile", password,
			"--encoding", "UTF8", "--locale", "C.UTF-8", "--auth-host", "scram-sha-256", "--auth-local", "trust", "--no-sync",
		},
		dir:    data,
		log:    filepath.Join(scratch, "initdb.log"),
		asUser: true,
	}, account)
}

// start starts the server and waits until it answers.
func (p *postgres) start(ctx context.Context) error {
	socket := filepath.Dir(p.data)
	argv := []string{
		filepath.Join(postgresBin, "postgres"), "-D", p.data, "-p", strconv.Itoa(p.port), "-h", "127.0.0.1",
	}
	// A socket's path has a limit of 107 bytes; a cache far down the tree has to do without a socket.
	if len(socket) > 90 {
		socket = ""
	}
	argv = append(argv, "-c", "unix_socket_directories="+socket)
	for _, setting := range p.settings {
		argv = append(argv, "-c", setting)
	}
	process, err := startProcess(processSpec{
		name:   "PostgreSQL",
		argv:   argv,
		dir:    p.data,
		log:    p.log,
		stop:   "INT", // a fast shutdown: clients are disconnected
		grace:  postgresGrace,
		lock:   p.lock,
		asUser: true,
	}, p.account)
	if err != nil {
		return err
	}
	p.process = process
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = poll(ctx, 50*time.Millisecond, func(ctx context.Context) (bool, error) {
		select {
		case <-process.done:
			return true, process.failure()
		default:
		}
		conn, err := pgx.Connect(ctx, p.dsn(ownerRole, ownerPassword, "postgres"))
		if err != nil {
			return false, err
		}
		return true, conn.Close(ctx)
	})
	if err != nil {
		return fmt.Errorf("waiting for PostgreSQL: %w", err)
	}
	return nil
}

// stop shuts the server down and waits for that.
func (p *postgres) stop(ctx context.Context) error {
	if p.process == nil {
		return nil
	}
	err := p.process.stop(ctx)
	if err == nil {
		p.process = nil
	}
	return err
}

func (p *postgres) dsn(role, password, database string) string {
	return dsn("127.0.0.1", p.port, role, password, database)
}

// dsn is a PostgreSQL connection string.
func dsn(host string, port int, role, password, database string) string {
	return fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=disable", role, password,
		net.JoinHostPort(host, strconv.Itoa(port)), database)
}

// execute runs statements one by one on a database, outside of a transaction, as CREATE DATABASE wants it.
func execute(ctx context.Context, dsn string, statements ...string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol); err != nil {
			first, _, _ := strings.Cut(strings.TrimSpace(statement), "\n")
			return fmt.Errorf("%s: %w", first, err)
		}
	}
	return nil
}

// quote makes an SQL identifier.
func quote(name string) string {
	return pgx.Identifier{name}.Sanitize()
}

// literal makes an SQL string.
func literal(text string) string {
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

// freePort finds a loopback port that nobody listens on. It looks below the range from which the kernel takes ports
// for outgoing connections, so the port is still free when a server that was stopped is started again.
func freePort(ctx context.Context) (int, error) {
	const lowest, highest = 20000, 32000
	var listen net.ListenConfig
	for range 200 {
		port := lowest + rand.IntN(highest-lowest)
		listener, err := listen.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			return 0, fmt.Errorf("free port: %w", err)
		}
		return port, nil
	}
	return 0, fmt.Errorf("no free port between %d and %d", lowest, highest)
}
