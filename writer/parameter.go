package writer

import (
	"context"
	"errors"
	"fmt"

	"lateral/auth"
)

// SetParameter sets one of Odoo's system parameters, which Odoo lets administrators do only
// (addons/base/models/ir_config_parameter.py, set_param). The value must not be empty. Errors are
// those of the Caller.
func SetParameter(ctx context.Context, caller Caller, who auth.Credentials, key, value string) error {
	return setParameter(ctx, caller, who, key, value)
}

// RemoveParameter removes one of Odoo's system parameters; one that is not there is no error.
func RemoveParameter(ctx context.Context, caller Caller, who auth.Credentials, key string) error {
	return setParameter(ctx, caller, who, key, false)
}

func setParameter(ctx context.Context, caller Caller, who auth.Credentials, key string, value any) error {
	_, err := caller.Execute(ctx, who, "ir.config_parameter", "set_param", []any{key, value}, nil)
	if fault := (*Fault)(nil); errors.As(err, &fault) && fault.Kind == ReturnedNone {
		return nil
	}
	if err != nil {
		return fmt.Errorf("parameter %s: %w", key, err)
	}
	return nil
}
