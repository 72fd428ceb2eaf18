// Package bench measures lateral beside its peers, on one machine, in one run, on one database: Odoo's own web client calls,
// the usual integration over XML-RPC, and PostgreSQL itself running the read as one statement, which is the ceiling of what
// lateral reads by that statement, and what pages that it renders level by level are measured by.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"lateral/auth"
	"lateral/integration/stack"
	"lateral/pg"
	"lateral/reader"
	"lateral/schema"
	"lateral/writer"
)

// Options say what is measured, and for how long.
type Options struct {
	Sizes stack.Sizes
	// Rounds is how often each peer has its turn. What is reported are medians.
	Rounds int
	// Duration is how long one turn takes.
	Duration time.Duration
	// Clients are the numbers of clients for the curve of throughput.
	Clients []int
	// Tables are the numbers of orders, beyond those of Sizes, that the table is brought to for the curve of its size.
	Tables []int
	// Workloads are the names of those to run; none: all.
	Workloads []string
	// Long adds what takes minutes: all orders streamed, and how costs grow.
	Long bool
	// Curves are the names of those to measure of growth: page, depth, offset, rules, table, lines; none: all.
	Curves []string
	// Profiles is a folder for profiles of every workload; empty: none are taken.
	Profiles string
	// Executable is the program of which `serve` is measured.
	Executable string
	// Commit is the program's, for the report.
	Commit   string
	Progress io.Writer
}

// Deps is what a run measures and what it finds the statements with.
type Deps struct {
	Stack     *stack.Stack
	Catalogue *schema.Catalogue
	Reader    *reader.Reader
	Odoo      *writer.XMLRPC
}

// comparedClients is how many clients each peer has in the comparison, where the workload says nothing else: as many as the Odoo has
// workers.
const comparedClients = 2

// serviceConns is how many connections to PostgreSQL the service has, and pgbench at the most.
const serviceConns = 16

// bench is a run.
type bench struct {
	Options
	Deps
	clones  stack.Clones
	service *service
	pgbench *pgbench
	owner   *pgx.Conn
	users   map[string]auth.Credentials
	folder  string
	report  *Report
}

// Run measures and returns the report. With an error it returns what it had found by then.
func Run(ctx context.Context, o Options, deps Deps) (report *Report, err error) {
	b := &bench{Options: o, Deps: deps, users: map[string]auth.Credentials{}, report: newReport(o, deps)}
	if err := b.run(ctx); err != nil {
		b.report.Ended = err.Error()
		return b.report, err
	}
	return b.report, nil
}

func (b *bench) run(ctx context.Context) (err error) {
	o, deps := b.Options, b.Deps
	if b.folder, err = os.MkdirTemp("", "lateral-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.folder)) }()
	if b.owner, err = pgx.Connect(ctx, deps.Stack.OwnerDSN); err != nil {
		return err
	}
	defer b.owner.Close(context.WithoutCancel(ctx))
	if b.pgbench, err = newPgbench(deps.Stack, b.folder); err != nil {
		return err
	}
	if err := b.owner.QueryRow(ctx, "SHOW server_version").Scan(&b.report.Machine.Postgres); err != nil {
		return err
	}
	b.say("cloning %d orders with %d lines among %d partners", o.Sizes.Orders, o.Sizes.Lines, o.Sizes.Partners)
	if b.clones, err = deps.Stack.Clone(ctx, o.Sizes); err != nil {
		return err
	}
	roles := []string{stack.RoleAdmin, stack.RoleSalesman}
	for _, role := range roles {
		if err := b.findUser(ctx, role); err != nil {
			return err
		}
	}
	b.service, err = startService(ctx, o.Executable, deps.Stack, serviceConns, map[string]tree{"sale.order": example3(), "res.partner": b.wide()}, roles)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.service.stop()) }()
	for _, w := range workloads(b.wide()) {
		if len(o.Workloads) > 0 && !slices.Contains(o.Workloads, w.Name) {
			continue
		}
		if err := b.measure(ctx, w); err != nil {
			return fmt.Errorf("%s: %w", w.Title, err)
		}
	}
	if err := b.numbersOfClients(ctx); err != nil {
		return err
	}
	if err := b.latency(ctx); err != nil {
		return err
	}
	if o.Long {
		if err := b.streams(ctx); err != nil {
			return err
		}
		if err := b.growth(ctx); err != nil {
			return err
		}
	}
	return nil
}

// say tells a waiting person what is being done.
func (b *bench) say(format string, arguments ...any) {
	// Progress that cannot be shown is no reason to stop.
	_, _ = fmt.Fprintf(b.Progress, "bench: "+format+"\n", arguments...)
}

func (b *bench) findUser(ctx context.Context, role string) error {
	user := b.Stack.User(role)
	who := auth.Credentials{Login: user.Login, Secret: user.Password}
	if err := b.owner.QueryRow(ctx, "SELECT id::int8 FROM res_users WHERE login = $1", user.Login).Scan(&who.UID); err != nil {
		return fmt.Errorf("user %s: %w", user.Login, err)
	}
	b.users[role] = who
	return nil
}

// wide is every stored field of res.partner that is no relation to many and no content.
func (b *bench) wide() tree {
	var t tree
	for _, f := range b.Catalogue.Model("res.partner").Fields {
		switch {
		case !f.Stored || f.Column == "":
		case f.Type == "binary" || f.Type == "one2many" || f.Type == "many2many" || f.Type == "properties":
		default:
			t = append(t, node{Name: f.Name})
		}
	}
	return t
}

// statement is the statement that lateral sends for a read.
func (b *bench) statement(ctx context.Context, w workload, r read) (pg.Statement, error) {
	q := reader.Query{Model: w.Model, Profile: reader.Classic(), Order: r.Order, Offset: int64(r.Offset), Limit: int64(r.Limit)}
	if r.After != nil {
		q.Keyset, q.After, q.Offset = true, r.After.reader, 0
	}
	if r.Domain != nil {
		q.Filters = r.Domain
	}
	if r.ID != 0 {
		q.One, q.ID = true, r.ID
	}
	value, err := schema.ParseLiteral(w.Tree.preset())
	if err != nil {
		return pg.Statement{}, err
	}
	fields, err := schema.ParseTree(b.Catalogue, w.Model, value)
	if err != nil {
		return pg.Statement{}, err
	}
	// The rules may have changed since the reader was asked last.
	if _, _, err := b.Reader.Current(ctx); err != nil {
		return pg.Statement{}, err
	}
	q.Preset = &schema.Preset{Model: w.Model, ReadAll: fields, ReadOne: fields, Available: true}
	return b.Reader.Statement(ctx, b.users[w.Role], q)
}
