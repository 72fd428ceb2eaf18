// Command embed is a server of lateral's API with an endpoint written in Go: GET /api/countries/{code}
// answers a country with its states, and how many contacts the user sees there.
//
//	DATABASE_DSN="host=localhost dbname=odoo user=lateral" ODOO_URL=http://localhost:8069 ODOO_DATABASE=odoo go run ./examples/embed
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"time"

	"lateral/auth"
	"lateral/pg"
	"lateral/reader"
	"lateral/schema"
	"lateral/server"
	"lateral/writer"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serve(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve wires what a server needs and serves until ctx ends.
func serve(ctx context.Context) error {
	pool, err := pg.Open(ctx, pg.Config{DSN: os.Getenv("DATABASE_DSN"), MaxConns: 8, StatementTimeout: time.Minute})
	if err != nil {
		return err
	}
	defer pool.Close()
	odoo := writer.NewXMLRPC(writer.Config{URL: os.Getenv("ODOO_URL"), Database: os.Getenv("ODOO_DATABASE")})
	defer odoo.Close()
	reports := writer.NewReports(writer.ReportConfig{URL: os.Getenv("ODOO_URL"), Database: os.Getenv("ODOO_DATABASE")})
	defer reports.Close()

	directory := auth.NewDirectory(auth.DirectoryConfig{})
	holder := schema.NewHolder(func(ctx context.Context) (c *schema.Catalogue, err error) {
		err = pool.Snapshot(ctx, func(q pg.Querier) error {
			c, err = schema.Load(ctx, q)
			return err
		})
		return c, err
	}, time.Minute)
	read := reader.New(reader.Deps{Pool: pool, Catalogues: holder, Directory: directory, Odoo: odoo})
	defer read.Close()
	users := &users{pool: pool, read: read, directory: directory}

	endpoints, err := server.NewEndpoints(server.Endpoint{
		Path: "/countries/{code}", Verbs: []string{"GET"}, Summary: "A country, its states and the contacts there", Handle: country,
	})
	if err != nil {
		return err
	}
	srv, err := server.New(server.Deps{
		Reader: server.ReaderOf(read), Odoo: odoo, Caller: odoo, Methods: writer.NewMethods(odoo, time.Now), Reports: reports,
		Tokens: auth.NewTokens(auth.NewMemory(10_000, time.Now), auth.RandomSecret(), time.Now),
		Users:  users, Catalogues: users.catalogue, Describer: read,
		Endpoints: func() *server.Endpoints { return endpoints }, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}, server.DefaultConfig())
	if err != nil {
		return err
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		return err
	}
	fmt.Println("http://" + listener.Addr().String())
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return srv.Shutdown(ending)
}

// country is the endpoint. Both reads are made as the user, and of one instant.
func country(ctx context.Context, r *server.Request) (*server.Reply, error) {
	code := r.Segments["code"]
	found, err := first(ctx, r, reader.Query{
		Model: "res.country", Profile: r.Profile, Limit: 1, Filters: []any{schema.Tuple{"code", "=", code}},
		Exclude: "*", Include: []any{"name", schema.Tuple{"state_ids", []any{schema.Tuple{"code", "name"}}}},
	})
	if errors.Is(err, io.EOF) {
		return nil, &server.Refusal{Status: 404, Code: "no_such_country", Text: "There is no country with this code."}
	}
	if err != nil {
		return nil, err
	}
	contacts, err := r.Read(ctx, reader.Query{
		Model: "res.partner", Profile: r.Profile, Limit: 1, Count: true, Exclude: "*", Filters: []any{schema.Tuple{"country_id.code", "=", code}},
	})
	if err != nil {
		return nil, err
	}
	total, _ := contacts.Total()
	return &server.Reply{Body: fmt.Appendf(nil, `{"country": %s, "contacts": %d}`, found, total)}, contacts.Close()
}

// first returns the first record of a read, io.EOF where there is none.
func first(ctx context.Context, r *server.Request, q reader.Query) ([]byte, error) {
	rows, err := r.Read(ctx, q)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	document, err := rows.Next(ctx)
	if err != nil {
		return nil, err
	}
	return append([]byte(nil), document...), nil
}

// users tells the server of users and models.
type users struct {
	pool      *pg.Pool
	read      *reader.Reader
	directory *auth.Directory
}

func (u *users) User(ctx context.Context, uid int64) (server.User, error) {
	c, err := u.catalogue(ctx)
	if err != nil {
		return server.User{}, err
	}
	p, err := u.directory.Principal(ctx, u.pool, c, uid, nil)
	if err != nil {
		return server.User{}, err
	}
	return server.User{Lang: p.Lang, Tz: p.Tz, CompanyID: p.DefaultCompany}, nil
}

func (u *users) catalogue(ctx context.Context) (*schema.Catalogue, error) {
	c, _, err := u.read.Current(ctx)
	return c, err
}
