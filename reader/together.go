package reader

import (
	"context"
	"errors"
	"io"

	sq "github.com/Masterminds/squirrel"

	"lateral/auth"
	"lateral/pg"
	"lateral/schema"
)

// mostTogether bounds the records that are read together, and with it how long each of them takes.
const mostTogether = 64

// turnsOf returns what orders the reads of one record by a statement, nil where each goes its own way: where documents are not
// finished by SQL alone, and where the record is not found by its id.
func (r *Reader) turnsOf(made *prepared, q Query) *turns {
	if r.abreast < 0 || r.deps.LayersFrom < 0 || made.statement == nil || !made.statement.byID || q.Content != "" || q.many || made.path != PathDirect || made.files {
		return nil
	}
	return &turns{abreast: r.abreast, pages: &r.pages, most: mostTogether}
}

// inTurn makes a read of one record when its turn has come, alone or together with others. All of them have the same
// statement, which stands for all that an answer depends on but the id: the user's access and companies, the fields, the context.
func (r *Reader) inTurn(ctx context.Context, who auth.Credentials, on basis, q Query) (*Result, error) {
	order := on.prepared.turns
	outcome := told{ahead: true}
	if mine := order.enter(q.ID); mine != nil {
		var err error
		if outcome, err = order.wait(ctx, mine); err != nil {
			return nil, err
		}
	}
	if len(outcome.lead) > 0 {
		outcome = r.lead(ctx, who, on, q, outcome.lead)
	}
	switch {
	case outcome.ahead:
		defer order.leave()
		return r.alone(ctx, who, on, q)
	case outcome.alone:
		return r.alone(ctx, who, on, q)
	case outcome.err != nil:
		return nil, outcome.err
	}
	made := on.prepared
	return &Result{Path: made.path, Reason: made.reason, Total: -1, Preset: q.Preset, plan: made.plan, source: &finished{outcome.document}}, nil
}

// lead reads the records of turns together, tells the others of theirs and returns that of the first. Whatever goes wrong with
// all of them may be the matter of one, so that each is then read alone.
func (r *Reader) lead(ctx context.Context, who auth.Credentials, on basis, q Query, all []*turn) told {
	most := mostTogether
	outcomes := make([]told, len(all))
	for i := range outcomes {
		outcomes[i].alone = true
	}
	defer func() {
		for i, one := range all[1:] {
			one.told <- outcomes[i+1]
		}
		on.prepared.turns.leaveTogether(most)
	}()
	q.many = true
	made, err := r.prepare(ctx, who, on.catalogue, on.principal, q, on.context)
	if err != nil || made.path != PathDirect || made.files {
		return outcomes[0]
	}
	together, err := r.together(ctx, on, made, all, true)
	if errors.Is(err, errRestless) {
		together, err = r.together(ctx, on, made, all, false)
	}
	if err != nil {
		return outcomes[0]
	}
	most = min(mostTogether, portion(made.statement.size.Load()))
	r.deps.Observe.Together(len(all))
	outcomes = together
	return outcomes[0]
}

// together reads the records of turns in one snapshot. Where mayBeCalm is set, the signals may be left unread, and errRestless
// tells that they have to be read.
func (r *Reader) together(ctx context.Context, on basis, made *prepared, all []*turn, mayBeCalm bool) ([]told, error) {
	s := made.statement
	root := s.layer.columns[0].part
	shelf := s.takeShelf()
	defer s.giveShelf(shelf)
	var rows *rows
	for _, one := range all {
		rows = shelf.want(root, one.id)
	}
	parts := shelf.wanted
	statements, parts, err := shelf.ask(parts)
	if err != nil {
		return nil, err
	}
	statements[0].Generic = true

	var reading signalReading
	send := r.deps.Pool.PipelineFor
	if s.parted {
		send = r.deps.Pool.TransactionFor
	}
	pipeline, err := send(ctx, func(session *pg.Session) []pg.Statement {
		reading = signalReading{session: session, calm: mayBeCalm && calm(session)}
		return append([]pg.Statement{reading.statement(made)}, statements...)
	})
	if err != nil {
		return nil, err
	}
	if err := shelf.gatherTogether(pipeline, parts, reading, on.catalogue, on.principal); err != nil {
		if errors.Is(err, errRestless) {
			return nil, errors.Join(err, pipeline.Close())
		}
		pipeline.Fail(err)
		return nil, err
	}
	if err := pipeline.Close(); err != nil {
		return nil, err
	}
	return shelf.outcomes(s, rows, all), nil
}

// gatherTogether reads the records that a pipeline was sent for behind the signals, and all that is nested in them.
func (s *shelf) gatherTogether(pipeline *pg.Pipeline, parts []*part, reading signalReading, c *schema.Catalogue, p *auth.Principal) error {
	signals, err := reading.read(pipeline)
	if err != nil {
		return err
	}
	if !current(signals, c, p) {
		return &movedError{signals: signals}
	}
	if err := s.gatherParts(pipeline, parts); err != nil {
		return err
	}
	return s.gather(pipeline, true)
}

// outcomes puts the documents of turns together.
func (s *shelf) outcomes(of *statement, rows *rows, all []*turn) []told {
	outcomes := make([]told, len(all))
	// The documents outlive the shelf.
	text := make([]byte, 0, int(of.size.Load())*len(all))
	for i, one := range all {
		group := rows.of(one.id)
		if group == nil || group.count == 0 {
			continue
		}
		start := len(text)
		var flags int64
		text, flags = s.document(text, &rows.all[group.first])
		if outcomes[i].err = flagError(flags); outcomes[i].err == nil {
			outcomes[i].document = text[start:len(text):len(text)]
		}
	}
	of.size.Store(int64(max(len(text), len(s.text)+gapBytes*len(s.gaps))/len(all)) + 1)
	return outcomes
}

// compileMany writes the read of records by their ids, as compileOne writes that of one, as a layer that has nothing but
// these.
func (c *compiler) compileMany(p *Plan) (*statement, error) {
	root := c.part(&Node{Shape: Object})
	keys := c.keys()
	record := table{scope: c.newScope(), model: p.Root.Model, alias: c.alias()}
	where, err := record.rootConditions(behindID(p.Domain))
	if err != nil {
		return nil, err
	}
	l, selected, flags, err := record.layer(p.Root)
	if err != nil {
		return nil, err
	}
	conditions, err := c.text(sq.And(where))
	if err != nil {
		return nil, err
	}
	var rest []string
	if conditions != "" {
		rest = append(rest, conditions)
	}
	root.layer = l
	root.sendAlongside()
	root.read(record, record.alias+".id", " = ANY("+keys+")", selected, flags, "", rest, "")
	return &statement{layer: &layer{columns: []column{{part: root}}}, parted: len(root.parts()) > 0}, nil
}

// finished is the source of one document that is there already, nil for none.
type finished struct{ document []byte }

func (f *finished) next(context.Context) ([]byte, error) {
	document := f.document
	if f.document = nil; document == nil {
		return nil, io.EOF
	}
	return document, nil
}

func (f *finished) close() error { return nil }
