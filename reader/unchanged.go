package reader

import (
	"context"
	"io"
	"strings"

	"lateral/pg"
	"lateral/schema"
)

// A client that asks again may tell which answers it has, by tags made of their bytes. What a connection has
// answered it remembers by tag for as long as it sees the same snapshot: while that is so, nothing at all has been
// written in the whole server, and the answer is what it was. Then it is called unchanged without being read. As with
// Odoo's signals, see seen, this holds where a read tells its snapshot, and for as long as the
// connection lives: a server that has crashed may give the numbers of lost transactions to others.

// Asker is what a client tells of itself that a read need not be made for it.
type Asker struct {
	// Asks identifies the request in whatever form its answer has: what is asked alike is answered alike.
	Asks string
	// Has reports whether the client has an answer of this tag.
	Has func(tag string) bool
}

// answerKey identifies an answer but for what is in the database.
type answerKey struct {
	prepared *prepared
	id       int64
	asks     string
}

// maxTags bounds the answers that one connection remembers.
const maxTags = 256

// known returns the tag of the answer that a query had in the snapshot that the session saw last, where the client has
// that answer; "" otherwise.
func (q Query) known(session *pg.Session, made *prepared) string {
	last, ok := session.Value.(*seen)
	if !ok || q.Asker == nil || !made.lasting || q.One && !calm(session) {
		// To find that the snapshot is another one takes about as long as to read one record.
		return ""
	}
	if tag := last.tags[answerKey{made, q.ID, q.Asker.Asks}]; tag != "" && q.Asker.Has(tag) {
		return tag
	}
	return ""
}

// remember returns what notes the tag of a query's answer for its session, nil where that is of no use.
func (q Query) remember(session *pg.Session, made *prepared) func(tag string) {
	last, ok := session.Value.(*seen)
	if !ok || q.Asker == nil || !made.lasting {
		return nil
	}
	return func(tag string) {
		if last.tags == nil || len(last.tags) >= maxTags {
			last.tags = map[answerKey]string{}
		}
		last.tags[answerKey{made, q.ID, q.Asker.Asks}] = tag
	}
}

// lasts reports whether what a statement answers depends on nothing but the rows of tables: views may call any
// function and reach beyond the database, and so may what is filled in from Odoo or from files.
func lasts(c *schema.Catalogue, made *prepared) bool {
	if made.path != PathDirect || made.files || made.statement == nil {
		return false
	}
	texts := []string{made.statement.sql, made.statement.count}
	if made.statement.layer != nil {
		_ = made.statement.layer.every(func(p *part) error {
			texts = append(texts, p.sql)
			return nil
		})
	}
	for _, text := range texts {
		if strings.Contains(text, "now()") {
			return false
		}
	}
	for _, name := range c.ModelNames() {
		if m := c.Model(name); m.Relation == schema.View {
			for _, text := range texts {
				if strings.Contains(text, ident(m.Table)) {
					return false
				}
			}
		}
	}
	return true
}

// nothing is the source of an answer that is not read.
type nothing struct {
	pipeline *pg.Pipeline
	cancel   context.CancelFunc
}

func (nothing) next(context.Context) ([]byte, error) { return nil, io.EOF }

func (n nothing) close() error {
	defer ended(n.cancel)
	return n.pipeline.Close()
}
