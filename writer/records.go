package writer

import (
	"context"
	"errors"
	"fmt"

	"lateral/auth"
)

// Create creates a record, its lines included, in one Odoo transaction and returns its id. Errors
// are *Fault.
func Create(ctx context.Context, caller Caller, who auth.Credentials, model string, values, callContext map[string]any) (int64, error) {
	result, err := caller.Execute(ctx, who, model, "create", []any{values}, map[string]any{"context": callContext})
	if err != nil {
		return 0, err
	}
	// Overrides of create that are made for lists may answer with one.
	if list, ok := result.([]any); ok && len(list) == 1 {
		result = list[0]
	}
	id, ok := result.(int64)
	if !ok {
		return 0, &Fault{Kind: Unreturnable, Message: fmt.Sprintf("create of '%s' has run and answers no id", model)}
	}
	return id, nil
}

// Update writes values to records in one Odoo transaction: all of them or none. Errors are *Fault.
func Update(ctx context.Context, caller Caller, who auth.Credentials, model string, ids []int64, values, callContext map[string]any) error {
	_, err := caller.Execute(ctx, who, model, "write", []any{ids, values}, map[string]any{"context": callContext})
	return unlessRun(err)
}

// Delete deletes records in one Odoo transaction: all of them or none. Errors are *Fault.
func Delete(ctx context.Context, caller Caller, who auth.Credentials, model string, ids []int64, callContext map[string]any) error {
	_, err := caller.Execute(ctx, who, model, "unlink", []any{ids}, map[string]any{"context": callContext})
	return unlessRun(err)
}

// unlessRun drops the fault of a method that has run and committed, of which nothing is to be
// returned: an override that forgets to return True makes one.
func unlessRun(err error) error {
	if fault, ok := errors.AsType[*Fault](err); ok && (fault.Kind == ReturnedNone || fault.Kind == Unreturnable) {
		return nil
	}
	return err
}
