package writer

import (
	"context"

	"lateral/auth"
)

// Update writes values to records in one Odoo transaction: all of them or none. Errors are *Fault.
func Update(ctx context.Context, caller Caller, who auth.Credentials, model string, ids []int64, values, callContext map[string]any) error {
	_, err := caller.Execute(ctx, who, model, "write", []any{ids, values}, map[string]any{"context": callContext})
	return err
}
