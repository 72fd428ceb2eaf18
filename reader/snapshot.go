package reader

import (
	"context"
	"errors"
	"fmt"

	"lateral/auth"
	"lateral/pg"
	"lateral/schema"
)

// Snapshot makes several reads of one user as of one instant, that of the first: they share one
// transaction, one catalogue and one principal. What goes through Odoo, reads as a whole and fields
// that Odoo computes, is not of that instant; the results' Path tells. It holds a connection from
// the first read on, must be closed, and is not safe for concurrent use. A result must be
// closed before the next read.
type Snapshot struct {
	reader *Reader
	who    auth.Credentials

	tx *pg.Snapshot
	// catalogue and principals, by allowed companies, are those that were found to be current as of
	// tx; nil before its first read.
	catalogue  *schema.Catalogue
	principals map[string]*auth.Principal
	// written is set once there was a write, which the reads after it have to see.
	written bool
}

// Snapshot returns a snapshot for a user that has not begun yet.
func (r *Reader) Snapshot(who auth.Credentials) *Snapshot {
	return &Snapshot{reader: r, who: who}
}

// Renew ends the snapshot after a write, so that the next read begins another and sees it.
func (s *Snapshot) Renew(ctx context.Context) error {
	s.written = true
	return s.Close(ctx)
}

// Close frees what the snapshot holds.
func (s *Snapshot) Close(ctx context.Context) error {
	tx := s.tx
	s.tx, s.catalogue, s.principals = nil, nil, nil
	if tx == nil {
		return nil
	}
	return tx.Close(ctx)
}

// Read answers a query like Reader.Read. Errors are *Error.
func (s *Snapshot) Read(ctx context.Context, q Query) (*Result, error) {
	return insist(ctx, s.reader, s.who, &q, func(requested Context) (*Result, error) {
		result, err := s.attempt(ctx, q, requested)
		if (errors.Is(err, errStale) || errors.Is(err, errGivenUp)) && s.catalogue == nil {
			// Nothing was answered from it, so that it may begin anew.
			err = errors.Join(err, s.Close(ctx))
		}
		return result, err
	})
}

func (s *Snapshot) attempt(ctx context.Context, q Query, requested Context) (*Result, error) {
	r := s.reader
	begun := s.catalogue != nil
	companies := fmt.Sprint(requested.Companies)
	catalogue, principal := s.catalogue, s.principals[companies]
	var err error
	if !begun {
		if catalogue, err = r.catalogue(ctx); err != nil {
			return nil, err
		}
	}
	q.written = s.written && catalogue.Standby
	if principal == nil {
		principal, err = r.deps.Directory.Principal(ctx, r.deps.Pool, catalogue, s.who.UID, requested.Companies)
		if err != nil {
			return nil, s.unlessStale(ctx, catalogue, nil, asError(err))
		}
	}
	if err := r.findPreset(&q, catalogue, principal.Policy()); err != nil {
		return nil, s.unlessStale(ctx, catalogue, principal, asError(err))
	}
	prepared, err := r.prepare(ctx, s.who, catalogue, principal, q, requested.withUser(principal))
	if err != nil {
		return nil, s.unlessStale(ctx, catalogue, principal, asError(err))
	}
	if prepared.statement == nil {
		if err := s.unlessStale(ctx, catalogue, principal, nil); err != nil {
			return nil, err
		}
		return r.throughOdoo(ctx, s.who, prepared.plan, q)
	}
	if s.tx == nil {
		if s.tx, err = r.deps.Pool.BeginSnapshot(ctx); err != nil {
			return nil, err
		}
	}
	result, err := r.throughSQL(ctx, s.pipeliner(), s.who, catalogue, principal, prepared, q)
	switch {
	case err == nil:
		s.pin(catalogue, companies, principal)
		result.Preset = q.Preset
	case errors.Is(err, errStale) && begun:
		return nil, changing(err)
	case pg.Classify(err) == pg.Denied:
		if err := s.tx.Recover(ctx); err != nil {
			return nil, err
		}
		return r.throughOdoo(ctx, s.who, deniedTable(prepared.plan), q)
	case pg.Classify(err) == pg.Undefined && !begun:
		r.deps.Catalogues.Invalidate()
		if err := r.renew(ctx, catalogue); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", errStale, err)
	case pg.Classify(err) == pg.Conflict && !begun:
		return nil, fmt.Errorf("%w: %w", errGivenUp, err)
	}
	return result, err
}

// pipeliner is tx, once there is something pinned with the signals of that: up to 18.0 Odoo signals by
// sequences, which belong to no snapshot and move within it.
func (s *Snapshot) pipeliner() pipeliner {
	if s.catalogue == nil {
		return s.tx
	}
	stamps := schema.Signals{Registry: s.catalogue.Stamp}
	for _, p := range s.principals {
		stamps.Cache = p.Stamp()
	}
	return pinnedSignals{s.tx, stamps}
}

type pinnedSignals struct {
	tx     *pg.Snapshot
	stamps schema.Signals
}

// TransactionFor is PipelineFor.
func (p pinnedSignals) TransactionFor(ctx context.Context, choose func(*pg.Session) []pg.Statement) (*pg.Pipeline, error) {
	return p.PipelineFor(ctx, choose)
}

// PipelineFor runs statements of which the first reads the signals.
func (p pinnedSignals) PipelineFor(ctx context.Context, choose func(*pg.Session) []pg.Statement) (*pg.Pipeline, error) {
	return p.tx.PipelineFor(ctx, func(session *pg.Session) []pg.Statement {
		statements := choose(session)
		statements[0] = pg.Statement{SQL: "SELECT $1::text, $2::text", Args: []any{p.stamps.Registry, p.stamps.Cache}}
		return statements
	})
}

// pin keeps what was found to be current as of the snapshot for its further reads.
func (s *Snapshot) pin(c *schema.Catalogue, companies string, p *auth.Principal) {
	s.catalogue = c
	if s.principals == nil {
		s.principals = map[string]*auth.Principal{}
	}
	s.principals[companies] = p
}

// unlessStale is Reader's, but for what is pinned: that is current as of the snapshot, whatever Odoo
// has signalled since.
func (s *Snapshot) unlessStale(ctx context.Context, c *schema.Catalogue, p *auth.Principal, err error) error {
	if p != nil {
		for _, pinned := range s.principals {
			if p == pinned {
				return err
			}
		}
	}
	return s.reader.unlessStale(ctx, c, p, err)
}
