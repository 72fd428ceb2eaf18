package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/exec"
	"github.com/testcontainers/testcontainers-go/wait"
)

// runLabel marks everything that belongs to a stack with its run folder.
const runLabel = "lateral.run"

func (h *containerHost) labels() map[string]string {
	return map[string]string{runLabel: h.run}
}

// sweep removes what stacks left in the engine whose process was killed.
func (h *containerHost) sweep(ctx context.Context) error {
	filters := make(client.Filters).Add("label", runLabel)
	containers, err := h.engine.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filters})
	if err != nil {
		return fmt.Errorf("containers of dead stacks: %w", err)
	}
	var failures []error
	for _, c := range containers.Items {
		if h.cache.dead(c.Labels[runLabel]) {
			_, err := h.engine.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
			failures = append(failures, err)
		}
	}
	networks, err := h.engine.NetworkList(ctx, client.NetworkListOptions{Filters: filters})
	if err != nil {
		return fmt.Errorf("networks of dead stacks: %w", err)
	}
	for _, n := range networks.Items {
		if h.cache.dead(n.Labels[runLabel]) {
			_, err := h.engine.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{})
			failures = append(failures, err)
		}
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("remove what dead stacks left: %w", err)
	}
	return nil
}

// dead reports whether a run folder of this cache has no process any more.
func (c cache) dead(run string) bool {
	if filepath.Dir(run) != c.path("run") {
		return false // somebody else's
	}
	file, err := os.Open(filepath.Join(run, "lock"))
	if err != nil {
		return errors.Is(err, os.ErrNotExist)
	}
	defer file.Close()
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// template returns the folder with the prepared database, made in containers if no provider has made it yet.
func (h *containerHost) template(ctx context.Context, o Options) (string, error) {
	return h.cache.build(ctx, templateName(h.version), func(dir string) (err error) {
		// The parts are made for this only: the stack's own run folder stays clean.
		maker, err := newContainerHost(ctx, o, h.progress)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, maker.close(context.WithoutCancel(ctx))) }()
		return maker.makeTemplate(ctx, dir)
	})
}

// makeTemplate installs the modules, runs the prepare script and writes dump and filestore into dir.
func (h *containerHost) makeTemplate(ctx context.Context, dir string) (err error) {
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	postgres, err := h.startPostgres(ctx, postgresImage, port, postgresSettings, dir+":"+containerShare)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, postgres.Terminate(context.WithoutCancel(ctx), testcontainers.StopTimeout(0)))
	}()
	if err := h.writeConfig(0); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(h.run, "prepare.py"), []byte(prepareScript), 0o644); err != nil {
		return fmt.Errorf("prepare script: %w", err)
	}
	done := h.progress.step("installing modules and demo data of Odoo %s in containers", h.version)
	err = h.runOdoo(ctx, append([]string{"odoo"}, installArguments()...)...)
	done()
	if err != nil {
		return err
	}
	defer h.progress.step("preparing the database of Odoo %s in containers", h.version)()
	shell := fmt.Sprintf("exec odoo shell -c %s -d %s --no-http <%s/prepare.py", containerConfig, templateDatabase, containerShare)
	if err := h.runOdoo(ctx, "sh", "-c", shell); err != nil {
		return err
	}
	if err := checkPrepared(ctx, dsn("127.0.0.1", port, ownerRole, ownerPassword, templateDatabase)); err != nil {
		return err
	}
	if err := h.makeReadable(dir); err != nil {
		return err
	}
	err = execIn(ctx, postgres, "pg_dump", "--format=custom", "--compress=1", "--no-owner", "--username="+ownerRole,
		"--file="+containerShare+"/"+dumpFile, templateDatabase)
	if err != nil {
		return err
	}
	return os.Rename(filestore(h.dataDir(), templateDatabase), templateFilestore(dir))
}

// makeReadable lets the containers' users into a folder that is shared with them.
func (h *containerHost) makeReadable(dir string) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return fmt.Errorf("shared folder: %w", err)
	}
	return nil
}

// runOdoo runs a command in an Odoo container to its end.
func (h *containerHost) runOdoo(ctx context.Context, command ...string) (err error) {
	c, err := h.start(ctx, h.odooSpec(command...))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Terminate(context.WithoutCancel(ctx), testcontainers.StopTimeout(0))) }()
	if err := wait.ForExit().WithExitTimeout(30*time.Minute).WaitUntilReady(ctx, c); err != nil {
		return fmt.Errorf("run Odoo %s: %w", h.version, err)
	}
	state, err := c.State(ctx)
	if err != nil {
		return fmt.Errorf("run Odoo %s: %w", h.version, err)
	}
	if state.ExitCode != 0 {
		return fmt.Errorf("run Odoo %s: %w", h.version, containerFailure(ctx, c))
	}
	return nil
}

// preparedImage returns an image of PostgreSQL with the prepared database in it, made if the engine has none.
func (h *containerHost) preparedImage(ctx context.Context, template string) (_ string, err error) {
	base, err := h.engine.ImageInspect(ctx, postgresImage)
	if err != nil {
		return "", fmt.Errorf("image %s: %w", postgresImage, err)
	}
	image := "lateral-postgres:" + h.version + "-" + key(filepath.Base(template), base.ID, readerRole, "1")
	unlock, err := h.cache.lock(ctx, "prepared-"+h.version)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := h.engine.ImageInspect(ctx, image); err == nil {
		return image, nil
	}
	defer h.progress.step("restoring the prepared database of Odoo %s in a container", h.version)()
	port, err := freePort(ctx)
	if err != nil {
		return "", err
	}
	c, err := h.startPostgres(ctx, postgresImage, port, postgresSettings, template+":"+containerShare+":ro")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, c.Terminate(context.WithoutCancel(ctx), testcontainers.StopTimeout(0))) }()
	err = restoreTemplate(ctx, func(database string) string {
		return dsn("127.0.0.1", port, ownerRole, ownerPassword, database)
	}, func() error {
		return execIn(ctx, c, "pg_restore", "--no-owner", "--exit-on-error", "--jobs=4", "--username="+ownerRole,
			"--dbname="+templateDatabase, containerShare+"/"+dumpFile)
	})
	if err != nil {
		return "", err
	}
	// The data has to be at rest when it becomes part of an image.
	if err := stopContainer(ctx, c, postgresGrace); err != nil {
		return "", err
	}
	if _, err := h.engine.ContainerCommit(ctx, c.GetContainerID(), client.ContainerCommitOptions{Reference: image}); err != nil {
		return "", fmt.Errorf("make image %s: %w", image, err)
	}
	return image, nil
}

// execIn runs a command in a running container.
func execIn(ctx context.Context, c *testcontainers.DockerContainer, command ...string) error {
	code, output, err := c.Exec(ctx, command, exec.Multiplexed())
	if err != nil {
		return fmt.Errorf("%s: %w", command[0], err)
	}
	if code == 0 {
		return nil
	}
	text, err := io.ReadAll(output)
	if err != nil {
		return fmt.Errorf("%s: %w", command[0], err)
	}
	return fmt.Errorf("%s: exit code %d: %s", command[0], code, strings.TrimSpace(string(text)))
}

// waitForPort waits until somebody listens.
func waitForPort(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return poll(ctx, 50*time.Millisecond, func(ctx context.Context) (bool, error) {
		var dial net.Dialer
		conn, err := dial.DialContext(ctx, "tcp", address)
		if err != nil {
			return false, err
		}
		return true, conn.Close()
	})
}
