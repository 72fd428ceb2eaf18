//go:build planted

package reader

import (
	"lateral/auth"
	"lateral/schema"
)

// planted makes the compiler forget the record rules of sale.order, the gravest fault there can be,
// so that a test can see it being caught. No release is built with it.
func planted(a accessor) accessor {
	return func(model string) (*auth.ModelAccess, error) {
		access, err := a(model)
		if err != nil || model != "sale.order" {
			return access, err
		}
		open := *access
		open.Rule = schema.True{}
		return &open, nil
	}
}
