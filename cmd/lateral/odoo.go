package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"lateral/integration/stack"
)

// withOdoo brings up a real Odoo, with the settings of a lateral in front of it, for as long as work takes.
func withOdoo(ctx context.Context, version string, progress io.Writer, work func(*stack.Stack, settings) error) (err error) {
	odoo, err := stack.Start(ctx, stack.Options{Version: version, Progress: progress})
	if err != nil {
		return fmt.Errorf("bring up Odoo: %w", err)
	}
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, odoo.Close(ending))
	}()
	s := defaults()
	s.Database.DSN, s.Odoo.URL, s.Odoo.Database = odoo.DSN, odoo.OdooURL, odoo.Database
	s.Filestore = odoo.Filestore
	return work(odoo, s)
}
