package reader

import (
	"context"
	"fmt"
	"strings"

	"lateral/auth"
	"lateral/pg"
)

// Inspection tells how a read is answered.
type Inspection struct {
	// Path is the way the read goes, Reason why it is not direct.
	Path   string
	Reason string
	// Nodes are the fields of the tree, each before those nested in it.
	Nodes []NodeCost
	// SQL is the statement, see Reader.Statement, Args its parameters as texts and Plan what EXPLAIN (ANALYZE, BUFFERS) says of
	// it. They are of reads through SQL, and for administrators alone.
	SQL  string
	Args []string
	Plan string
}

// NodeCost is what one field of a tree costs.
type NodeCost struct {
	Path string // from the root, names joined by points
	Cost string // PathDirect, PathHybrid or PathOdoo
	// Reason is why it is not direct.
	Reason string
}

// Inspect tells how a query is answered, and refuses what Read would refuse before it looks at records.
// For administrators it runs the statement once, without its answer. Errors are *Error.
func (r *Reader) Inspect(ctx context.Context, who auth.Credentials, q Query) (*Inspection, error) {
	q.whole = true
	return insist(ctx, r, who, &q, func(requested Context) (*Inspection, error) {
		on, err := r.planned(ctx, who, &q, requested)
		if err != nil {
			return nil, err
		}
		c, p, made := on.catalogue, on.principal, on.prepared
		if err := r.unlessStale(ctx, c, p, nil); err != nil {
			return nil, err
		}
		e := &Inspection{Path: made.path, Reason: made.reason, Nodes: nodeCosts(made.plan)}
		if made.statement == nil || !p.Administrator() {
			return e, nil
		}
		err = r.explainStatement(ctx, e, made.statement, q)
		switch {
		case err == nil:
			return e, nil
		case pg.Classify(err) == pg.Denied:
			// Read goes through Odoo then.
			plan := deniedTable(made.plan)
			return &Inspection{Path: PathOdoo, Reason: plan.Delegate, Nodes: nodeCosts(plan)}, nil
		case pg.Classify(err) == pg.Undefined:
			r.deps.Catalogues.Invalidate()
			if err := r.renew(ctx, c); err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("%w: %w", errStale, err)
		}
		return nil, err
	})
}

// explainStatement has PostgreSQL run a statement and tell how it did.
func (r *Reader) explainStatement(ctx context.Context, e *Inspection, s *statement, q Query) error {
	args := s.arguments(q)
	rows, err := r.deps.Pool.Query(ctx, "EXPLAIN (ANALYZE, BUFFERS) "+s.sql, args...)
	if err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return fmt.Errorf("explain: %w", err)
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	e.SQL, e.Plan = s.sql, strings.Join(lines, "\n")
	e.Args = make([]string, len(args))
	for i, arg := range args {
		e.Args[i] = fmt.Sprint(arg)
	}
	return nil
}

// nodeCosts are the costs of all fields of a plan that was compiled.
func nodeCosts(p *Plan) []NodeCost {
	var costs []NodeCost
	var walk func(level *Level, path string, above NodeCost)
	walk = func(level *Level, path string, above NodeCost) {
		for _, n := range level.Nodes {
			cost := NodeCost{Path: join(path, n.Key), Cost: above.Cost, Reason: above.Reason}
			if cost.Cost == PathDirect && n.Computed != "" {
				cost.Cost, cost.Reason = PathHybrid, n.Computed
			}
			costs = append(costs, cost)
			if n.Sub != nil {
				walk(n.Sub, cost.Path, cost)
			}
		}
	}
	root := NodeCost{Cost: PathDirect}
	if p.Delegate != "" {
		root = NodeCost{Cost: PathOdoo, Reason: p.Delegate}
	}
	walk(p.Root, "", root)
	return costs
}
