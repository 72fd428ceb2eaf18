package reader

import (
	"context"
	"fmt"

	"lateral/auth"
)

// count returns the number of all records that match the plan's domain, whatever the page.
func (o *odooExecutor) count(ctx context.Context, who auth.Credentials, p *Plan) (int64, error) {
	model := p.Root.Model.Name
	result, err := o.caller.Execute(ctx, who, model, "search_count", []any{possibleIDs(p.RawDomain)}, map[string]any{"context": p.Context.Map()})
	if err != nil {
		return 0, odooError("counting "+model, "", err)
	}
	n, ok := result.(int64)
	if !ok {
		return 0, odooError("counting "+model, "", fmt.Errorf("search_count returned a %T", result))
	}
	return n, nil
}
