// Package writer is the way to Odoo itself: the Caller interface and its XML-RPC implementation,
// JSON to values and commands, method calls and reports, and Odoo's faults as typed errors.
package writer

import (
	"context"

	"lateral/auth"
)

// Caller calls methods of Odoo's models with a user's own rights, so that business logic and
// access rules apply. Implementations are safe for concurrent use.
type Caller interface {
	// Authenticate checks a login and returns its uid. It fails with ErrAccessDenied where Odoo
	// refuses, and with an Unavailable fault where Odoo cannot be reached.
	Authenticate(ctx context.Context, login, secret string) (int64, error)
	// Execute runs model.method(*args, **kwargs) in one Odoo transaction and returns the result:
	// nil, bool, int64, float64, string, []any or map[string]any. Errors are *Fault.
	Execute(ctx context.Context, who auth.Credentials, model, method string, args []any, kwargs map[string]any) (any, error)
}
