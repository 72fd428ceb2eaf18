package stack

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

//go:embed scripts/chroot.sh
var chrootScript string

// chrootMount is where a process in the Debian root sees its run folder; chroot.sh mounts it there.
const chrootMount = "/lateral"

// odoo14 is Debian 11's package odoo-14 in a root of its own: it needs Python 3.9 and Werkzeug 1.
type odoo14 struct {
	root    string
	account account
}

func installOdoo14(ctx context.Context, apt apt, account account) (odoo14, error) {
	if os.Geteuid() != 0 {
		return odoo14{}, fmt.Errorf("local Odoo 14.0 runs in a chroot, which needs root; use the containers provider")
	}
	root, err := apt.cache.build(ctx, "odoo-14.0-"+key("odoo-14", "bullseye", chrootMount, "1"), func(dir string) error {
		return makeOdoo14Root(ctx, apt, dir)
	})
	if err != nil {
		return odoo14{}, err
	}
	return odoo14{root: root, account: account}, nil
}

// makeOdoo14Root installs Debian 11 with Odoo 14.0 below dir.
func makeOdoo14Root(ctx context.Context, apt apt, dir string) error {
	if err := apt.install(ctx, "Odoo 14.0", "debootstrap"); err != nil {
		return err
	}
	mirror, err := apt.mirror(ctx)
	if err != nil {
		return err
	}
	done := apt.progress.step("installing Odoo 14.0 in a Debian 11 root")
	defer done()
	log := apt.cache.path("logs", "odoo-14.0.log")
	// It mounts /proc below the folder; in a namespace of its own that is gone even where it is killed.
	err = run(ctx, processSpec{
		name:  "debootstrap",
		argv:  []string{"unshare", "--mount", "--", "debootstrap", "--variant=minbase", "bullseye", dir, mirror},
		dir:   dir,
		log:   log,
		grace: 10 * time.Second,
	}, account{})
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, chrootMount), 0o755); err != nil {
		return fmt.Errorf("mount point: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, policyFile), []byte(policyText), 0o755); err != nil {
		return fmt.Errorf("policy for daemons: %w", err)
	}
	resolv, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return fmt.Errorf("name servers: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "etc/resolv.conf"), resolv, 0o644); err != nil {
		return fmt.Errorf("name servers: %w", err)
	}
	const install = `apt-get -q update
		apt-get -q install -y --no-install-recommends -o DPkg::Options::=--force-unsafe-io odoo-14
		apt-get clean`
	empty, err := os.MkdirTemp(apt.cache.path(), "apt-")
	if err != nil {
		return fmt.Errorf("scratch folder: %w", err)
	}
	defer os.RemoveAll(empty)
	return run(ctx, processSpec{
		name:  "apt-get install odoo-14",
		argv:  chrootCommand(dir, empty, account{}, "/usr/bin/env", "DEBIAN_FRONTEND=noninteractive", "sh", "-ec", install),
		dir:   dir,
		log:   log,
		grace: 30 * time.Second,
	}, account{})
}

// chrootCommand runs a command in the Debian root, in a mount namespace of its own.
func chrootCommand(root, runDir string, account account, command ...string) []string {
	argv := strings.Fields("unshare --mount -- /bin/sh -c")
	argv = append(argv, chrootScript, "chroot", root, runDir, strconv.Itoa(account.uid), strconv.Itoa(account.gid))
	return append(argv, command...)
}

func (o odoo14) command(runDir string, arguments ...string) []string {
	return chrootCommand(o.root, runDir, o.account, append([]string{"/usr/bin/odoo"}, arguments...)...)
}

func (o odoo14) inner(runDir, path string) string {
	return filepath.Join(chrootMount, strings.TrimPrefix(path, runDir))
}

func (o odoo14) env() []string { return nil }

func (o odoo14) addons() string { return "/usr/lib/python3/dist-packages/odoo/addons" }
