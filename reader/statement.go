package reader

import (
	"context"
	"fmt"

	"lateral/auth"
	"lateral/pg"
)

// Statement returns the one statement that a query is answered with, or would be if its page were not rendered level by
// level, without running it. It is for those who want to run or
// explain it themselves: it tells how the user's access is decided, which is nobody's business but an administrator's.
// Errors are *Error; a query that is left to Odoo has no statement.
func (r *Reader) Statement(ctx context.Context, who auth.Credentials, q Query) (pg.Statement, error) {
	q.whole = true
	return insist(ctx, r, who, &q, func(requested Context) (pg.Statement, error) {
		on, err := r.planned(ctx, who, &q, requested)
		if err != nil {
			return pg.Statement{}, err
		}
		made := on.prepared
		if made.statement == nil {
			return pg.Statement{}, fmt.Errorf("%s is read through Odoo: %s", q.Model, made.reason)
		}
		return pg.Statement{SQL: made.statement.sql, Args: made.statement.arguments(q)}, nil
	})
}
