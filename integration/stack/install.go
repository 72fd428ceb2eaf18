package stack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Install installs add-ons into the stack's database, which should be a fork's, and restarts Odoo, for all forks too. folder holds
// add-ons that Odoo does not bring along; it may be empty.
func (s *Stack) Install(ctx context.Context, folder string, modules ...string) error {
	if s.backend == nil {
		return errExternal
	}
	if folder != "" {
		if err := s.backend.addAddons(ctx, folder); err != nil {
			return fmt.Errorf("install add-ons: %w", err)
		}
	}
	if err := s.StopOdoo(ctx); err != nil {
		return err
	}
	err := s.backend.runOdoo(ctx, "-d", s.Database, "-i", strings.Join(modules, ","), "--stop-after-init", "--no-http", "--workers=0")
	if err != nil {
		return fmt.Errorf("install %s: %w", strings.Join(modules, ", "), err)
	}
	return s.StartOdoo(ctx)
}

// copyAddons puts add-ons where Odoo of a version looks for them beside those of its configuration: in its data
// directory (14.0 and 19.0: odoo/tools/config.py, addons_data_dir).
func copyAddons(ctx context.Context, folder, dataDir, version string, account account) error {
	to := filepath.Join(dataDir, "addons", version)
	if err := os.MkdirAll(to, 0o755); err != nil {
		return fmt.Errorf("folder of add-ons: %w", err)
	}
	// Odoo has made it unwritable where it came first.
	if err := os.Chmod(to, 0o755); err != nil {
		return fmt.Errorf("folder of add-ons: %w", err)
	}
	if err := copyTree(ctx, folder, to, "--no-preserve=ownership"); err != nil {
		return err
	}
	return account.own(filepath.Join(dataDir, "addons"))
}

func (l *local) addAddons(ctx context.Context, folder string) error {
	return copyAddons(ctx, folder, filepath.Join(l.run, "data"), l.host.version, l.host.account)
}

func (l *local) runOdoo(ctx context.Context, arguments ...string) error {
	return l.host.runOdoo(ctx, l.run, "", append([]string{"-c", l.config}, arguments...)...)
}

func (c *containers) addAddons(ctx context.Context, folder string) error {
	return copyAddons(ctx, folder, c.host.dataDir(), c.host.version, c.host.account)
}

func (c *containers) runOdoo(ctx context.Context, arguments ...string) error {
	return c.host.runOdoo(ctx, append([]string{"odoo"}, arguments...)...)
}
