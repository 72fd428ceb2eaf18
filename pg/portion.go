package pg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// ErrPortion tells that all rows of a portion have been read, and that there may be more.
var ErrPortion = errors.New("the portion of rows has been read")

// errLate tells that a statement takes longer than statements may. PostgreSQL counts a portion's time alone.
var errLate = errors.New("the statement took too long")

const beginTransaction = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

// TransactionFor is PipelineFor in a transaction, which goes on after the statements: Send runs further
// ones, and More reads on in the last of these. All see one snapshot. Close ends the transaction. Where one statement is
// chosen that is read at once, it is taken for all that there is, which needs no transaction.
func (p *Pool) TransactionFor(ctx context.Context, choose func(*Session) []Statement) (*Pipeline, error) {
	pipeline, session, err := p.acquire(ctx)
	if err != nil {
		return nil, err
	}
	statements := choose(session)
	var first []Statement
	if len(statements) > 1 || statements[0].Portion > 0 {
		pipeline.transaction = true
		first = append(first, Statement{SQL: beginTransaction})
	}
	if pipeline.transaction && pipeline.wire.plansOnce && slices.ContainsFunc(statements, func(s Statement) bool { return s.Generic }) {
		pipeline.generic = true
		first = append(first, planOnce)
	}
	if err := pipeline.send(ctx, append(slices.Clone(first), statements...)); err != nil {
		pipeline.Abandon()
		return nil, err
	}
	if err := pipeline.pass(len(first)); err != nil {
		pipeline.Fail(err)
		return nil, err
	}
	return pipeline, nil
}

// planOnce has all further statements of a transaction planned once, for any parameters.
var planOnce = Statement{SQL: "SET LOCAL plan_cache_mode = force_generic_plan"}

// pass reads past so many statements that have no rows.
func (p *Pipeline) pass(statements int) error {
	for range statements {
		if _, err := p.Row(); !errors.Is(err, io.EOF) {
			return err
		}
	}
	return nil
}

// TransactionFor is PipelineFor: a snapshot is a transaction, which Close of the pipeline leaves open.
func (s *Snapshot) TransactionFor(ctx context.Context, choose func(*Session) []Statement) (*Pipeline, error) {
	return s.PipelineFor(ctx, choose)
}

// Send sends further statements in the same transaction, once the answers of those before, and the
// portion of the last of them, have been read. In a transaction of the pipeline's own they are planned
// once for any parameters: for a list of ids, whose length would have PostgreSQL plan anew each time,
// that takes a third of the time.
func (p *Pipeline) Send(statements ...Statement) error {
	if err := p.ready(); err != nil {
		return err
	}
	if !p.transaction || p.generic || !p.wire.plansOnce {
		return p.queue(statements)
	}
	p.generic = true
	if err := p.queue(append([]Statement{planOnce}, statements...)); err != nil {
		return err
	}
	return p.pass(1)
}

// SendLast is Send of statements after which nothing else will be asked for: the transaction ends with them, which
// spares the round trip that Close would end it with.
func (p *Pipeline) SendLast(statements ...Statement) error {
	if p.transaction {
		statements = append(statements, commit)
	}
	return p.Send(statements...)
}

var commit = Statement{SQL: "COMMIT"}

// More asks for so many more rows of the statement that was asked for a portion of, once all that was sent
// since has been read.
func (p *Pipeline) More(rows int) error {
	if limit := p.pool.statementTimeout; limit > 0 && time.Since(p.begun) > limit {
		return fmt.Errorf("%w: it was asked for portions for more than %v", errLate, limit)
	}
	if err := p.ready(); err != nil {
		return err
	}
	p.wire.fetch(portal, rows)
	return p.failure(p.wire.flush())
}

// ready reads the end of what was sent before.
func (p *Pipeline) ready() error {
	for !p.ended {
		if _, err := p.receive(); err != nil {
			return err
		}
	}
	p.ended, p.parsing = false, p.parsing[:0]
	return nil
}

// end ends the transaction. In one that has failed nothing is left to be done but that.
func (p *Pipeline) end() error {
	if err := p.ready(); err != nil {
		return err
	}
	if err := p.queue([]Statement{commit}); err != nil {
		return err
	}
	for !p.ended {
		if _, err := p.receive(); err != nil {
			return err
		}
	}
	return nil
}
