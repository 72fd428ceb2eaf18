package stack

import (
	"errors"
	"fmt"
	"os"
)

// startExternal describes servers that are there already, from the environment: LATERAL_STACK_DSN,
// LATERAL_STACK_OWNER_DSN, LATERAL_STACK_ODOO_URL and LATERAL_STACK_DATABASE, and where there are such,
// LATERAL_STACK_REDIS and LATERAL_STACK_FILESTORE.
func startExternal(o Options) (*Stack, error) {
	s := &Stack{
		Version:   o.Version,
		Provider:  "external",
		OdooURL:   os.Getenv("LATERAL_STACK_ODOO_URL"),
		Database:  os.Getenv("LATERAL_STACK_DATABASE"),
		DSN:       os.Getenv("LATERAL_STACK_DSN"),
		OwnerDSN:  os.Getenv("LATERAL_STACK_OWNER_DSN"),
		RedisAddr: os.Getenv("LATERAL_STACK_REDIS"),
		Filestore: os.Getenv("LATERAL_STACK_FILESTORE"),
		Users:     users(),
	}
	var missing []error
	for name, value := range map[string]string{
		"LATERAL_STACK_ODOO_URL": s.OdooURL, "LATERAL_STACK_DATABASE": s.Database,
		"LATERAL_STACK_DSN": s.DSN, "LATERAL_STACK_OWNER_DSN": s.OwnerDSN,
	} {
		if value == "" {
			missing = append(missing, fmt.Errorf("%s is not set", name))
		}
	}
	if o.Redis && s.RedisAddr == "" {
		missing = append(missing, errors.New("LATERAL_STACK_REDIS is not set"))
	}
	if err := errors.Join(missing...); err != nil {
		return nil, fmt.Errorf("external stack: %w", err)
	}
	return s, nil
}
