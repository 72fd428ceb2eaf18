package reader

import (
	"context"

	"lateral/auth"
)

// This file has the ways to look at a read from outside, for those who compare both executors.

// Explain returns the way a read would go and why it would not go direct, without reading any
// record. It fails where the read is refused whatever the records. Errors are *Error.
func (r *Reader) Explain(ctx context.Context, who auth.Credentials, q Query) (path, reason string, err error) {
	made, err := insist(ctx, r, who, &q, func(requested Context) (*prepared, error) {
		on, err := r.planned(ctx, who, &q, requested)
		return on.prepared, err
	})
	if err != nil {
		return "", "", err
	}
	return made.path, made.reason, nil
}

// ReadThroughOdoo answers a query as Read does, through Odoo alone and with Odoo's judgement of what
// the user may read: the model's ACL, the groups of fields, record rules and companies are asked of
// nobody else. Where a level has no records Odoo is not asked for its fields, and so refuses none.
// Errors are *Error. The result must be closed.
func (r *Reader) ReadThroughOdoo(ctx context.Context, who auth.Credentials, q Query) (*Result, error) {
	return insist(ctx, r, who, &q, func(requested Context) (*Result, error) { return r.attemptOdoo(ctx, who, q, requested) })
}

func (r *Reader) attemptOdoo(ctx context.Context, who auth.Credentials, q Query, requested Context) (*Result, error) {
	c, err := r.catalogue(ctx)
	if err != nil {
		return nil, err
	}
	// The companies of the request are Odoo's to judge.
	p, err := r.deps.Directory.Principal(ctx, r.deps.Pool, c, who.UID, nil)
	if err != nil {
		return nil, r.unlessStale(ctx, c, nil, asError(err))
	}
	if err := r.findPreset(&q, c, p.Policy()); err != nil {
		return nil, r.unlessStale(ctx, c, p, asError(err))
	}
	planner := &planner{
		ctx: ctx, catalogue: c, principal: p, policy: p.Policy(), gate: openGate{}, profile: q.Profile,
		access: r.accessor(ctx, who, c, p, Context{}),
	}
	plan, err := planner.plan(q, requested.withUser(p))
	if err := r.unlessStale(ctx, c, p, asError(err)); err != nil {
		return nil, err
	}
	plan.Delegate = "asked of Odoo"
	return r.throughOdoo(ctx, who, plan, q)
}
