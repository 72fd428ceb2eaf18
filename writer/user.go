package writer

import (
	"context"
	"fmt"

	"lateral/auth"
)

// UserCaller makes one user's calls in one company context.
type UserCaller struct {
	caller    Caller
	who       auth.Credentials
	companies []int64
}

// NewUserCaller returns a caller for one user. The companies are allowed_company_ids of its calls;
// nil: all of the user's.
func NewUserCaller(caller Caller, who auth.Credentials, companies []int64) *UserCaller {
	return &UserCaller{caller: caller, who: who, companies: companies}
}

// FieldsGet returns the descriptions of the fields that the user may read of a model, by field:
// the attributes asked for, all where there are none. It is auth's FieldsGetter.
func (u *UserCaller) FieldsGet(ctx context.Context, model string, attributes []string) (map[string]map[string]any, error) {
	kwargs := map[string]any{}
	if len(attributes) > 0 {
		kwargs["attributes"] = attributes
	}
	if u.companies != nil {
		kwargs["context"] = map[string]any{"allowed_company_ids": u.companies}
	}
	result, err := u.caller.Execute(ctx, u.who, model, "fields_get", nil, kwargs)
	if err != nil {
		return nil, fmt.Errorf("fields_get of %s: %w", model, err)
	}
	described, ok := result.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("fields_get of %s: %T is no description of fields", model, result)
	}
	fields := make(map[string]map[string]any, len(described))
	for name, value := range described {
		attributes, ok := value.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("fields_get of %s: %T is no description of the field %s", model, value, name)
		}
		fields[name] = attributes
	}
	return fields, nil
}
