package writer

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"lateral/auth"
)

// parameterCaller remembers the last call.
type parameterCaller struct {
	call string
	err  error
}

func (c *parameterCaller) Authenticate(context.Context, string, string) (int64, error) {
	return 0, c.err
}

func (c *parameterCaller) Execute(_ context.Context, who auth.Credentials, model, method string, args []any, _ map[string]any) (any, error) {
	c.call = fmt.Sprint(who.UID, " ", model, ".", method, args)
	return nil, c.err
}

// Ensure parameters are set and removed by the method that checks the user's rights.
func TestParameters(t *testing.T) {
	ctx, who := context.Background(), auth.Credentials{UID: 7}
	c := &parameterCaller{}
	if err := SetParameter(ctx, c, who, "a", "b"); err != nil || c.call != "7 ir.config_parameter.set_param[a b]" {
		t.Errorf("got %s, %v", c.call, err)
	}
	c.err = &Fault{Kind: ReturnedNone}
	if err := RemoveParameter(ctx, c, who, "a"); err != nil || c.call != "7 ir.config_parameter.set_param[a false]" {
		t.Errorf("got %s, %v", c.call, err)
	}
	c.err = &Fault{Kind: Access, Message: "no"}
	var fault *Fault
	if err := SetParameter(ctx, c, who, "a", "b"); !errors.As(err, &fault) || fault.Kind != Access {
		t.Errorf("got %v", err)
	}
}
