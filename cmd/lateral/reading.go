package main

import (
	"context"
	"log/slog"

	"lateral/auth"
	"lateral/pg"
	"lateral/reader"
	"lateral/schema"
	"lateral/writer"
)

// reading is what reads Odoo's database without serving it.
type reading struct {
	pool      *pg.Pool
	source    *source
	odoo      *writer.XMLRPC
	reader    *reader.Reader
	catalogue *schema.Catalogue
}

// openReading connects to the database and loads the catalogue. What an earlier verification has left to Odoo
// is read from the database too.
func openReading(ctx context.Context, s settings) (*reading, error) {
	pool, err := openPool(ctx, s.Database)
	if err != nil {
		return nil, err
	}
	r := &reading{
		pool: pool,
		odoo: writer.NewXMLRPC(writer.Config{URL: s.Odoo.URL, Database: s.Odoo.Database, Timeout: s.Odoo.Timeout, MaxConns: s.Odoo.MaxConns}),
	}
	trust, err := reader.NewTrust(reader.TrustConfig{Database: s.Odoo.Database})
	if err != nil {
		r.close()
		return nil, err
	}
	r.source = &source{pool: pool, directory: auth.NewDirectory(auth.DirectoryConfig{}), trust: trust}
	r.source.holder = schema.NewHolder(r.source.loadCatalogue, catalogueTimeout)
	if r.catalogue, err = r.source.catalogue(ctx); err != nil {
		r.close()
		return nil, err
	}
	r.reader = reader.New(reader.Deps{
		Pool: pool, Catalogues: r.source.holder, Directory: r.source.directory, Odoo: r.odoo, Filestore: s.Filestore,
		Log: slog.New(slog.DiscardHandler),
	})
	return r, nil
}

func (r *reading) close() {
	r.odoo.Close()
	r.pool.Close()
}
