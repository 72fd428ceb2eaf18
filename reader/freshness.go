package reader

import (
	"errors"

	"lateral/auth"
	"lateral/pg"
	"lateral/schema"
)

// calmAfter is after how many reads of one connection that saw the same snapshot the next one reads no
// signals but only looks whether that is so again.
const calmAfter = 8

// seen is what a connection remembers of its last read: Odoo's signals, and the snapshot they were
// read in. Two snapshots of one server with the same bounds and the same transactions in progress show
// the same rows, so that the signals need not be read again, which is a good part of a small read's
// cost. It holds where signals are rows, as in 19.0; the sequences of older series obey no snapshot.
// On a standby the text of a snapshot leaves out what is in progress, so that there it does not hold.
type seen struct {
	snapshot string
	signals  schema.Signals
	times    int // reads in a row that saw the snapshot
	// tags are those of answers made of the snapshot.
	tags map[answerKey]string
}

// snapshotText is what PostgreSQL tells of a snapshot: its bounds and what is in progress between them.
const snapshotText = "pg_current_snapshot()::text"

// signalsOf returns the statement that reads the signals and, where signals are rows, the snapshot, empty on a standby.
func signalsOf(f schema.Features) string {
	signals := schema.SignalStatement(f)
	if f.SignalTables {
		signals += ", CASE WHEN NOT pg_is_in_recovery() THEN " + snapshotText + " END"
	}
	return signals
}

// calm reports whether a connection has seen the same snapshot so often that it may be expected again.
func calm(session *pg.Session) bool {
	last, ok := session.Value.(*seen)
	return ok && last.times >= calmAfter
}

// errRestless tells that a connection that was calm is so no more.
var errRestless = errors.New("the snapshot is another one")

// brief reports whether a query's answer is short enough to be thrown away where the signals turn out
// to be needed.
func brief(q Query) bool { return q.One || q.Limit > 0 && q.Limit <= wholePage }

// signalReading is the reading of a pipeline's first statement: of the signals or, on a calm
// connection, of the snapshot alone.
type signalReading struct {
	session *pg.Session
	calm    bool
	// within is set where the snapshot is told by the row that is read rather than by a statement of its own.
	within bool
	// unchanged is the tag of the answer if the snapshot is the same; "": the answer is read with it.
	unchanged string
}

// last is what the connection remembers, nil for nothing.
func (r signalReading) last() *seen {
	last, _ := r.session.Value.(*seen)
	return last
}

// current reports whether catalogue and principal are of the signals that the connection remembers.
func (r signalReading) current(c *schema.Catalogue, p *auth.Principal) bool {
	return current(r.last().signals, c, p)
}

// statement is the first statement of a pipeline.
func (r signalReading) statement(made *prepared) pg.Statement {
	if r.calm {
		return pg.Statement{SQL: "SELECT " + snapshotText}
	}
	return pg.Statement{SQL: made.signals}
}

// read returns the signals. It fails with errRestless where they have to be read after all.
func (r signalReading) read(pipeline *pg.Pipeline) (s schema.Signals, err error) {
	last := r.last()
	err = pipeline.Only(func(row [][]byte) error {
		switch {
		case r.calm && string(row[0]) == last.snapshot:
			s = last.signals
		case r.calm:
			last.times = 0
			return errRestless
		default:
			s.Registry, s.Cache = string(row[0]), string(row[1])
			if len(row) > 2 && row[2] != nil {
				r.remember(last, s, row[2])
			}
		}
		return nil
	})
	return s, err
}

func (r signalReading) remember(last *seen, s schema.Signals, snapshot []byte) {
	if last != nil && last.signals == s && last.snapshot == string(snapshot) {
		last.times++
		return
	}
	r.session.Value = &seen{snapshot: string(snapshot), signals: s}
}
