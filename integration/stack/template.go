package stack

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/jackc/pgx/v5"
)

// prepareScript makes the users, companies, translations and odd records that tests rely on. It runs in "odoo shell".
//
//go:embed scripts/prepare.py
var prepareScript string

// preparedMark is a parameter that the script's last line sets, so a script that stopped halfway is noticed.
const preparedMark = "lateral.prepared"

// templateFilestore is where a template folder has the attachments.
func templateFilestore(template string) string {
	return filepath.Join(template, filestoreDir)
}

// templateName is the cache's name for the prepared database of a version.
func templateName(version string) string {
	return "template-" + version + "-" + key(version, modules, prepareScript, "1")
}

// installArguments make Odoo install the modules into the template database and end.
func installArguments() []string {
	return []string{"-d", templateDatabase, "-i", modules, "--stop-after-init", "--no-http", "--workers=0"}
}

// dumpFile is the prepared database in a template folder, in pg_dump's own format; its attachments are in the folder
// filestoreDir beside it.
const (
	dumpFile     = "database.dump"
	filestoreDir = "filestore"
	clusterDir   = "pgdata"
)

// localHost is what the local provider works with: a machine with Debian packages, and the cache.
type localHost struct {
	cache    cache
	apt      apt
	account  account
	progress *progress
	version  string
	odoo     odooDist
}

// newLocalHost installs what the local provider needs.
func newLocalHost(ctx context.Context, cache cache, version string, progress *progress) (*localHost, error) {
	account, err := currentAccount(cache.root)
	if err != nil {
		return nil, err
	}
	apt := apt{cache: cache, progress: progress}
	if err := apt.install(ctx, "PostgreSQL", postgresPackage); err != nil {
		return nil, err
	}
	odoo, err := installOdoo(ctx, version, apt, account)
	if err != nil {
		return nil, err
	}
	return &localHost{cache: cache, apt: apt, account: account, progress: progress, version: version, odoo: odoo}, nil
}

// base returns a folder with a database that has the modules and nothing else done to it, as a PostgreSQL data
// directory and a filestore. It takes most of the time, and is kept apart so that a change of the prepare script does
// not take it again.
func (h *localHost) base(ctx context.Context) (string, error) {
	return h.cache.build(ctx, "base-"+h.version+"-"+key(h.version, modules, "2"), func(dir string) error {
		defer h.progress.step("installing modules and demo data of Odoo %s", h.version)()
		return h.scratch(ctx, func(run string, postgres *postgres) error {
			if err := initCluster(ctx, postgres.data, run, h.account); err != nil {
				return err
			}
			err := h.whileRunning(ctx, postgres, func() error {
				config, err := h.writeConfig(run, odooConfig{dbPort: postgres.port})
				if err != nil {
					return err
				}
				return h.runOdoo(ctx, run, "", append([]string{"-c", config}, installArguments()...)...)
			})
			if err != nil {
				return err
			}
			return errors.Join(
				os.Rename(postgres.data, filepath.Join(dir, clusterDir)),
				os.Rename(filestore(filepath.Join(run, "data"), templateDatabase), filepath.Join(dir, filestoreDir)))
		})
	})
}

// template returns the folder with the prepared database, made if it is not there.
func (h *localHost) template(ctx context.Context) (string, error) {
	return h.cache.build(ctx, templateName(h.version), func(dir string) error {
		base, err := h.base(ctx)
		if err != nil {
			return err
		}
		defer h.progress.step("preparing the database of Odoo %s", h.version)()
		return h.scratch(ctx, func(run string, postgres *postgres) error {
			if err := cloneTree(ctx, filepath.Join(base, clusterDir), postgres.data); err != nil {
				return err
			}
			config, err := h.writeConfig(run, odooConfig{dbPort: postgres.port})
			if err != nil {
				return err
			}
			files := filestore(filepath.Join(run, "data"), templateDatabase)
			if err := linkTree(ctx, filepath.Join(base, filestoreDir), files); err != nil {
				return err
			}
			err = h.whileRunning(ctx, postgres, func() error {
				if err := h.prepare(ctx, run, config, postgres); err != nil {
					return err
				}
				return postgres.dump(ctx, templateDatabase, filepath.Join(dir, dumpFile))
			})
			if err != nil {
				return err
			}
			return os.Rename(files, filepath.Join(dir, filestoreDir))
		})
	})
}

// prepare runs the prepare script on the database of a running server.
func (h *localHost) prepare(ctx context.Context, run, config string, postgres *postgres) error {
	script := filepath.Join(run, "prepare.py")
	if err := os.WriteFile(script, []byte(prepareScript), 0o644); err != nil {
		return fmt.Errorf("prepare script: %w", err)
	}
	if err := h.runOdoo(ctx, run, script, "shell", "-c", config, "-d", templateDatabase, "--no-http"); err != nil {
		return err
	}
	return checkPrepared(ctx, postgres.dsn(ownerRole, ownerPassword, templateDatabase))
}

// cluster returns a folder with a PostgreSQL data directory that holds the prepared database as a template, made if it
// is not there.
func (h *localHost) cluster(ctx context.Context, template string) (string, error) {
	return h.cache.build(ctx, "cluster-"+h.version+"-"+key(template, readerRole, "1"), func(dir string) error {
		defer h.progress.step("restoring the prepared database of Odoo %s", h.version)()
		return h.scratch(ctx, func(run string, postgres *postgres) error {
			if err := initCluster(ctx, postgres.data, run, h.account); err != nil {
				return err
			}
			err := h.whileRunning(ctx, postgres, func() error {
				return postgres.restore(ctx, filepath.Join(template, dumpFile))
			})
			if err != nil {
				return err
			}
			return os.Rename(postgres.data, filepath.Join(dir, clusterDir))
		})
	})
}

// scratch lends a run folder, with a server that is not started yet and whose data directory is to be made in it.
func (h *localHost) scratch(ctx context.Context, use func(run string, postgres *postgres) error) (err error) {
	run, lock, err := h.cache.newRun(ctx, h.version)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close(), removeTree(run)) }()
	postgres, err := h.newPostgres(ctx, run, lock)
	if err != nil {
		return err
	}
	return use(run, postgres)
}

// whileRunning does something while a server runs.
func (h *localHost) whileRunning(ctx context.Context, postgres *postgres, do func() error) error {
	if err := postgres.start(ctx); err != nil {
		return errors.Join(err, postgres.stop(context.WithoutCancel(ctx)))
	}
	return errors.Join(do(), postgres.stop(context.WithoutCancel(ctx)))
}

// checkPrepared makes sure that the prepare script came to its end.
func checkPrepared(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("prepared database: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var mark string
	if err := conn.QueryRow(ctx, "SELECT value FROM ir_config_parameter WHERE key = $1", preparedMark).Scan(&mark); err != nil {
		return fmt.Errorf("the prepare script did not come to its end: %w", err)
	}
	return nil
}

// newPostgres describes a server whose data directory is in the run folder.
func (h *localHost) newPostgres(ctx context.Context, run string, lock *os.File) (*postgres, error) {
	if err := os.Chown(run, h.account.uid, h.account.gid); err != nil {
		return nil, fmt.Errorf("run folder: %w", err)
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	return &postgres{
		data:    filepath.Join(run, "pgdata"),
		port:    port,
		account: h.account,
		lock:    lock,
		log:     filepath.Join(run, "postgres.log"),

		settings: postgresSettings,
	}, nil
}

// writeConfig writes odoo.conf and makes Odoo's data directory. It returns the file's path as Odoo sees it.
func (h *localHost) writeConfig(run string, config odooConfig) (string, error) {
	data := filepath.Join(run, "data")
	if err := os.MkdirAll(filepath.Join(data, "filestore"), 0o755); err != nil {
		return "", fmt.Errorf("data directory of Odoo: %w", err)
	}
	if err := h.account.own(data); err != nil {
		return "", fmt.Errorf("data directory of Odoo: %w", err)
	}
	config.version = h.version
	config.addons = h.odoo.addons()
	config.dataDir = h.odoo.inner(run, data)
	config.dbHost = "127.0.0.1"
	config.listen = "127.0.0.1"
	file := filepath.Join(run, "odoo.conf")
	if err := os.WriteFile(file, []byte(config.render()), 0o644); err != nil {
		return "", fmt.Errorf("configuration of Odoo: %w", err)
	}
	return h.odoo.inner(run, file), nil
}

// odooSpec describes an Odoo process of a run folder.
func (h *localHost) odooSpec(run string, arguments ...string) processSpec {
	_, chrooted := h.odoo.(odoo14)
	return processSpec{
		name:   "Odoo " + h.version,
		argv:   h.odoo.command(run, arguments...),
		env:    h.odoo.env(),
		dir:    run,
		log:    filepath.Join(run, "odoo.log"),
		grace:  odooGrace,
		asUser: !chrooted, // the chroot gives up root itself, once it has mounted what it needs
	}
}

// runOdoo runs an Odoo command to its end, with a script on its standard input if there is one.
func (h *localHost) runOdoo(ctx context.Context, runDir, input string, arguments ...string) error {
	spec := h.odooSpec(runDir, arguments...)
	spec.input = input
	return run(ctx, spec, h.account)
}

// dump writes a database to a file.
func (p *postgres) dump(ctx context.Context, database, file string) error {
	return p.tool(ctx, "pg_dump", "--format=custom", "--compress=1", "--no-owner", "--file="+file, "--dbname="+
		p.dsn(ownerRole, ownerPassword, database))
}

// restore loads a dump as the template database and makes the role that may only read.
func (p *postgres) restore(ctx context.Context, file string) error {
	dsnOf := func(database string) string { return p.dsn(ownerRole, ownerPassword, database) }
	return restoreTemplate(ctx, dsnOf, func() error {
		return p.tool(ctx, "pg_restore", "--no-owner", "--exit-on-error", "--jobs=4", "--dbname="+dsnOf(templateDatabase), file)
	})
}

// tool runs one of PostgreSQL's own programs. It runs as this program's user: its files are in the cache.
func (p *postgres) tool(ctx context.Context, name string, arguments ...string) error {
	return run(ctx, processSpec{
		name: name,
		argv: append([]string{filepath.Join(postgresBin, name)}, arguments...),
		dir:  filepath.Dir(p.data),
		log:  p.log,
	}, p.account)
}

// cloneTree copies a folder; where the file system can share blocks, it does.
func cloneTree(ctx context.Context, from, to string) error {
	return copyTree(ctx, from, to, "--reflink=auto")
}

// linkTree copies a folder whose files are never changed in place, such as a filestore, without copying their content.
func linkTree(ctx context.Context, from, to string) error {
	return copyTree(ctx, from, to, "--link")
}

func copyTree(ctx context.Context, from, to, how string) error {
	output, err := exec.CommandContext(ctx, "cp", "--archive", how, "--no-target-directory", from, to).CombinedOutput()
	if err != nil {
		return fmt.Errorf("copy %s: %w: %s", from, err, output)
	}
	return nil
}
