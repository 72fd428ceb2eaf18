package pg

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Snapshot is a REPEATABLE READ, READ ONLY transaction of several pipelines, all of which see the
// database as of one instant: that of the first statement. It holds a connection until it is
// closed, and is not safe for concurrent use.
type Snapshot struct {
	pool *Pool
	conn *pgxpool.Conn
	left *Pipeline // abandoned and not read to its end, or broken; nil: none
}

// BeginSnapshot begins a snapshot. At most half of the pool's connections are held by snapshots,
// since what is worked out between their statements needs others; it waits until ctx ends.
func (p *Pool) BeginSnapshot(ctx context.Context) (*Snapshot, error) {
	select {
	case p.snapshots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a snapshot: %w", ctx.Err())
	}
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		<-p.snapshots
		return nil, err
	}
	s := &Snapshot{pool: p, conn: conn}
	if _, err := conn.Exec(ctx, beginTransaction); err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	return s, nil
}

// savepoint lets a statement fail without the snapshot being lost.
const savepoint = "before_read"

// Pipeline sends statements in one round trip. The caller reads the results in order and must Close
// or abandon it before the next.
func (s *Snapshot) Pipeline(ctx context.Context, statements ...Statement) (*Pipeline, error) {
	if err := s.settle(); err != nil {
		return nil, err
	}
	p := &Pipeline{pool: s.pool, conn: s.conn, snapshot: s, wire: wireOf(s.conn.Conn().PgConn(), s.pool.unnamed)}
	err := p.send(ctx, append([]Statement{{SQL: "SAVEPOINT " + savepoint}}, statements...))
	if err == nil {
		_, err = p.Row()
	}
	if !errors.Is(err, io.EOF) {
		p.Fail(err)
		return nil, err
	}
	return p, nil
}

// PipelineFor is Pipeline with statements chosen as for a pool's; a snapshot remembers nothing.
func (s *Snapshot) PipelineFor(ctx context.Context, choose func(*Session) []Statement) (*Pipeline, error) {
	return s.Pipeline(ctx, choose(&Session{})...)
}

// Recover makes the snapshot usable again after a statement of it has failed in PostgreSQL.
func (s *Snapshot) Recover(ctx context.Context) error {
	if err := s.settle(); err != nil {
		return err
	}
	if _, err := s.conn.Exec(ctx, "ROLLBACK TO SAVEPOINT "+savepoint); err != nil {
		return fmt.Errorf("recover the snapshot: %w", err)
	}
	return nil
}

// settle reads an abandoned pipeline to its end.
func (s *Snapshot) settle() error {
	if s.left == nil {
		return nil
	}
	err := s.left.Close()
	if !s.left.broken {
		s.left = nil
	}
	if err != nil {
		return fmt.Errorf("go on with a snapshot: %w", err)
	}
	return nil
}

// Close ends the snapshot and gives its connection back. It must be called once.
func (s *Snapshot) Close(ctx context.Context) error {
	defer func() { <-s.pool.snapshots }()
	if s.left != nil {
		s.left.stop()
		s.pool.discard(s.conn)
		return nil
	}
	_, err := s.conn.Exec(ctx, "ROLLBACK")
	// A connection with a transaction still open is closed by the pool rather than used again.
	s.conn.Release()
	if err != nil {
		return fmt.Errorf("end the snapshot: %w", err)
	}
	return nil
}
