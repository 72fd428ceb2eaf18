package pg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Statement is SQL text with its arguments.
type Statement struct {
	SQL  string
	Args []any
	// Parameters are Args where they are encoded already; nil: they are encoded when they are sent.
	Parameters [][]byte
	// Portion is how many rows are wanted at first; 0: all. The others are for Pipeline.More to ask for, so that
	// it takes a transaction, see TransactionFor, and the pipeline's last statement.
	Portion int
	// Generic tells that the plan of any parameters is good enough for these. In a transaction of a pipeline's own, all
	// statements are planned once, then, rather than anew for as long as PostgreSQL hopes for a better plan: with some tens of
	// conditions planning takes longer by far than all the rest.
	Generic bool
}

// Pipeline is statements under way, sent in one round trip. It speaks PostgreSQL's extended protocol
// itself rather than through pgx's batches, which take about as much processor time for a small read
// as all the rest of it: rows are handed on as they come off the wire, in text format.
type Pipeline struct {
	pool *Pool
	conn *pgxpool.Conn
	wire *wire
	ctx  context.Context
	stop func() bool // ends the watch over ctx
	// parsing are the statements whose parsing has yet to be confirmed, in order.
	parsing []*named
	ended   bool // all has been read
	// broken is set once the connection cannot be used again.
	broken bool
	// snapshot is the one whose connection it is, nil where it has one of its own.
	snapshot *Snapshot
	// transaction is set where the pipeline has begun one, which Close ends.
	transaction bool
	open        bool      // there is a transaction, as the server told last
	generic     bool      // its statements are planned for any parameters
	begun       time.Time // when it was sent
}

// Session is what the user of pipelines remembers of one connection to the server. It ends with the
// connection. Behind a PgBouncer no connection is known to be the same, and nothing is remembered.
type Session struct{ Value any }

// Pipeline sends statements in one round trip, as one implicit transaction and so one snapshot.
// The caller reads the results in order and must Close, Fail or Abandon it.
func (p *Pool) Pipeline(ctx context.Context, statements ...Statement) (*Pipeline, error) {
	return p.PipelineFor(ctx, func(*Session) []Statement { return statements })
}

// PipelineFor is Pipeline with the statements chosen for the connection that they are sent on.
func (p *Pool) PipelineFor(ctx context.Context, choose func(*Session) []Statement) (*Pipeline, error) {
	pipeline, session, err := p.acquire(ctx)
	if err != nil {
		return nil, err
	}
	if err := pipeline.send(ctx, choose(session)); err != nil {
		pipeline.Abandon()
		return nil, err
	}
	return pipeline, nil
}

// acquire returns a pipeline of nothing yet on a connection of its own.
func (p *Pool) acquire(ctx context.Context) (*Pipeline, *Session, error) {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return nil, nil, err
	}
	pipeline := &Pipeline{pool: p, conn: conn, wire: wireOf(conn.Conn().PgConn(), p.unnamed)}
	if p.unnamed {
		return pipeline, &Session{}, nil
	}
	return pipeline, &pipeline.wire.session, nil
}

// send writes all statements at once. PostgreSQL reads them to the end before it answers at length,
// since only the last one's answer is long, so that neither side waits for the other.
func (p *Pipeline) send(ctx context.Context, statements []Statement) error {
	p.ctx, p.begun = ctx, time.Now()
	connection := p.conn.Conn().PgConn().Conn()
	p.stop = context.AfterFunc(ctx, func() { _ = connection.SetDeadline(time.Unix(1, 0)) })
	return p.queue(statements)
}

// queue sends statements on a connection that is ready for them.
func (p *Pipeline) queue(statements []Statement) error {
	for i := range statements {
		if s := &statements[i]; s.Parameters == nil && len(s.Args) > 0 {
			var err error
			if s.Parameters, err = Parameters(s.Args); err != nil {
				return err
			}
		}
	}
	for i := range statements {
		if parsing := p.wire.send(&statements[i]); parsing != nil {
			p.parsing = append(p.parsing, parsing)
		}
	}
	return p.failure(p.wire.flush())
}

// Row returns the next row of the statement whose turn it is: its columns in text format, nil for
// NULL, valid until the next call. io.EOF tells that the statement has no more and the next one's turn
// has come, and ErrPortion that a portion of it ends. After any other error Fail must be called.
func (p *Pipeline) Row() ([][]byte, error) {
	for {
		message, err := p.receive()
		if err != nil {
			return nil, err
		}
		switch message := message.(type) {
		case *pgproto3.DataRow:
			return message.Values, nil
		case *pgproto3.CommandComplete, *pgproto3.EmptyQueryResponse:
			return nil, io.EOF
		case *pgproto3.PortalSuspended:
			return nil, ErrPortion
		case *pgproto3.ReadyForQuery:
			return nil, errors.New("there are no more statements")
		}
	}
}

// Only reads the next statement, which must have one row, and hands that to fn.
func (p *Pipeline) Only(fn func(row [][]byte) error) error {
	row, err := p.Row()
	if errors.Is(err, io.EOF) {
		return errors.New("the statement has no row")
	}
	if err != nil {
		return err
	}
	if err := fn(row); err != nil {
		return err
	}
	if _, err = p.Row(); err == nil {
		return errors.New("the statement has more than one row")
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// receive reads the next message. An error of the server is a *pgconn.PgError; what follows it is
// read by Close.
func (p *Pipeline) receive() (pgproto3.BackendMessage, error) {
	message, err := p.wire.frontend.Receive()
	if err != nil {
		return nil, p.failure(err)
	}
	switch message := message.(type) {
	case *pgproto3.ErrorResponse:
		p.wire.distrust(p.parsing)
		return nil, pgconn.ErrorResponseToPgError(message)
	case *pgproto3.ParseComplete:
		if len(p.parsing) > 0 {
			p.parsing[0].parsed, p.parsing = true, p.parsing[1:]
		}
	case *pgproto3.ReadyForQuery:
		p.ended, p.open = true, message.TxStatus != idle
	}
	return message, nil
}

// idle is how the server tells that there is no transaction.
const idle = 'I'

// failure tells why the connection failed: because the caller's context ended, if it has.
func (p *Pipeline) failure(err error) error {
	if err == nil {
		return nil
	}
	p.broken = true
	if ended := p.ctx.Err(); ended != nil {
		return fmt.Errorf("the statement was given up: %w", ended)
	}
	return err
}

// Close reads what is left and gives the connection back. It returns the first error met in that.
func (p *Pipeline) Close() error {
	var first error
	for !p.ended && !p.broken {
		if _, err := p.receive(); err != nil && first == nil {
			first = err
		}
	}
	if p.transaction && p.open && !p.broken {
		if err := p.end(); err != nil && first == nil {
			first = err
		}
	}
	// A watch that cannot be stopped has spoilt the connection, or is about to.
	if !p.stop() || p.broken {
		p.broken = true
		p.Abandon()
		return cmp.Or(first, p.failure(errBroken))
	}
	if p.snapshot == nil {
		p.conn.Release()
	}
	return first
}

// errBroken is the error of using a connection that is lost.
var errBroken = errors.New("the connection is lost")

// Fail ends a pipeline that err came from: after an error of the server little follows, so that the
// connection is kept; otherwise it is abandoned.
func (p *Pipeline) Fail(err error) {
	if server := (*pgconn.PgError)(nil); !errors.As(err, &server) {
		p.Abandon()
		return
	}
	// Nothing that it could tell matters more than err.
	_ = p.Close()
}

// Abandon gives up a pipeline whose results are not wanted: rather than read an answer of any
// length to its end, it closes the connection and has the server cancel the statement. One of a
// snapshot is read to its end if the snapshot is used once more.
func (p *Pipeline) Abandon() {
	if p.snapshot != nil {
		p.snapshot.left = p
		return
	}
	if p.stop != nil {
		p.stop()
	}
	p.pool.discard(p.conn)
}

// cancelTime is the longest that telling the server to cancel a statement may take.
const cancelTime = 5 * time.Second

// discard closes a connection in the midst of an answer, and cancels what the server is at: it would
// find out by itself only once it has a row to send.
func (p *Pool) discard(held *pgxpool.Conn) {
	conn := held.Hijack().PgConn()
	p.discarding.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cancelTime)
		defer cancel()
		// Where it cannot be told, the statement timeout ends it.
		_ = conn.CancelRequest(ctx)
		// A context that has ended skips the polite goodbye, which would wait for the server to finish
		// sending.
		cancel()
		_ = conn.Close(ctx)
	})
}
