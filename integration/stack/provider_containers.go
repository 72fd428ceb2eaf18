package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
	tcnetwork "github.com/testcontainers/testcontainers-go/network"
)

// Where things are in the containers. PostgreSQL's data is not in the official image's volume, so that it is kept when
// a container is made into an image.
const (
	containerPostgres = "postgres" // host name in the stack's network
	containerShare    = "/lateral" // a folder of this machine
	containerData     = "/var/lib/lateral/pgdata"
	containerOdooData = "/var/lib/odoo"
	containerConfig   = "/etc/odoo/odoo.conf"
)

// containerHost is what the containers provider works with: an engine, a network, and the run folder of one stack.
type containerHost struct {
	cache    cache
	account  account
	progress *progress
	version  string
	engine   *engine
	run      string
	lock     *os.File
	network  *testcontainers.DockerNetwork
}

// containersReady reports whether the containers provider can work without building or installing anything.
func containersReady(ctx context.Context, o Options) bool {
	if engineAnswers(ctx) != nil {
		return false
	}
	// Not testcontainers' client: it would read its settings for good, before disableReaper has set them.
	docker, err := client.New(client.FromEnv)
	if err != nil {
		return false
	}
	defer docker.Close()
	for _, image := range imagesFor(o) {
		if pullImage(ctx, docker, image) != nil {
			return false
		}
	}
	return true
}

// newContainerHost connects to the engine and makes the run folder and the network.
func newContainerHost(ctx context.Context, o Options, progress *progress) (_ *containerHost, err error) {
	cache, err := openCache()
	if err != nil {
		return nil, err
	}
	account, err := currentAccount(cache.root)
	if err != nil {
		return nil, err
	}
	apt := apt{cache: cache, progress: progress}
	h := &containerHost{cache: cache, account: account, progress: progress, version: o.Version}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close(context.WithoutCancel(ctx)))
		}
	}()
	if h.engine, err = openEngine(ctx, apt); err != nil {
		return nil, err
	}
	if err := provideImages(ctx, h.engine, o, apt, account); err != nil {
		return nil, err
	}
	if h.run, h.lock, err = cache.newRun(ctx, o.Version); err != nil {
		return nil, err
	}
	if err := h.sweep(ctx); err != nil {
		return nil, err
	}
	h.network, err = tcnetwork.New(ctx, tcnetwork.WithLabels(h.labels()))
	if err != nil {
		return nil, fmt.Errorf("network of the stack: %w", err)
	}
	return h, nil
}

// containerSpec says how a container is run.
type containerSpec struct {
	image string
	alias string
	cmd   []string
	env   map[string]string
	binds []string    // folder:folder
	ports map[int]int // container's port to port on the loopback interface
	user  string
}

// start runs a container. Its ports are chosen beforehand, because ports that the engine chooses change when a
// container is stopped and started.
func (h *containerHost) start(ctx context.Context, spec containerSpec) (*testcontainers.DockerContainer, error) {
	exposed := make([]string, 0, len(spec.ports))
	bindings := network.PortMap{}
	for inner, outer := range spec.ports {
		name := strconv.Itoa(inner) + "/tcp"
		port, err := network.ParsePort(name)
		if err != nil {
			return nil, fmt.Errorf("port of %s: %w", spec.image, err)
		}
		exposed = append(exposed, name)
		bindings[port] = []network.PortBinding{{
			HostIP: netip.AddrFrom4([4]byte{127, 0, 0, 1}), HostPort: strconv.Itoa(outer),
		}}
	}
	c, err := testcontainers.Run(ctx, spec.image,
		// The stack has its own words for progress.
		testcontainers.WithLogger(log.NewNoopLogger()),
		testcontainers.WithCmd(spec.cmd...),
		testcontainers.WithEnv(spec.env),
		testcontainers.WithExposedPorts(exposed...),
		testcontainers.WithLabels(h.labels()),
		tcnetwork.WithNetwork([]string{spec.alias}, h.network),
		testcontainers.WithConfigModifier(func(config *container.Config) { config.User = spec.user }),
		testcontainers.WithHostConfigModifier(func(config *container.HostConfig) {
			config.Binds = spec.binds
			config.PortBindings = bindings
			config.ShmSize = 1 << 30
		}),
	)
	if err != nil {
		if c != nil {
			err = errors.Join(err, c.Terminate(context.WithoutCancel(ctx)))
		}
		return nil, fmt.Errorf("run %s: %w", spec.image, err)
	}
	return c, nil
}

// startPostgres runs a PostgreSQL and waits until it answers.
func (h *containerHost) startPostgres(ctx context.Context, image string, port int, settings []string, binds ...string) (*testcontainers.DockerContainer, error) {
	cmd := []string{"postgres"}
	for _, setting := range settings {
		cmd = append(cmd, "-c", setting)
	}
	c, err := h.start(ctx, containerSpec{
		image: image,
		alias: containerPostgres,
		cmd:   cmd,
		env: map[string]string{
			"PGDATA":               containerData,
			"POSTGRES_USER":        ownerRole,
			"POSTGRES_PASSWORD":    ownerPassword,
			"POSTGRES_DB":          "postgres",
			"POSTGRES_INITDB_ARGS": "--encoding=UTF8 --locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256 --no-sync",
		},
		binds: binds,
		ports: map[int]int{5432: port},
	})
	if err != nil {
		return nil, err
	}
	if err := waitForPostgres(ctx, c, port); err != nil {
		return nil, errors.Join(err, c.Terminate(context.WithoutCancel(ctx)))
	}
	return c, nil
}

// waitForPostgres waits until PostgreSQL answers. While the official image prepares its data, a server runs that only
// the container itself can reach.
func waitForPostgres(ctx context.Context, c *testcontainers.DockerContainer, port int) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	err := poll(ctx, 50*time.Millisecond, func(ctx context.Context) (bool, error) {
		if err := containerFailure(ctx, c); err != nil {
			return true, err
		}
		conn, err := pgx.Connect(ctx, dsn("127.0.0.1", port, ownerRole, ownerPassword, "postgres"))
		if err != nil {
			return false, err
		}
		return true, conn.Close(ctx)
	})
	if err != nil {
		return fmt.Errorf("waiting for PostgreSQL: %w", err)
	}
	return nil
}

// odooSpec describes an Odoo container. It runs as the account, so its files belong to whoever removes the run folder.
func (h *containerHost) odooSpec(command ...string) containerSpec {
	return containerSpec{
		image: odooImage(h.version),
		alias: "odoo",
		cmd:   command,
		env: map[string]string{
			"HOST": containerPostgres, "PORT": "5432", "USER": ownerRole, "PASSWORD": ownerPassword,
			"HOME": "/tmp", "LANG": "C.UTF-8",
		},
		binds: []string{
			h.dataDir() + ":" + containerOdooData,
			filepath.Join(h.run, "odoo.conf") + ":" + containerConfig + ":ro",
			h.run + ":" + containerShare,
		},
		user: fmt.Sprintf("%d:%d", h.account.uid, h.account.gid),
	}
}

func (h *containerHost) dataDir() string { return filepath.Join(h.run, "data") }

// writeConfig writes odoo.conf and makes Odoo's data directory.
func (h *containerHost) writeConfig(workers int) error {
	if err := os.MkdirAll(filepath.Join(h.dataDir(), "filestore"), 0o755); err != nil {
		return fmt.Errorf("data directory of Odoo: %w", err)
	}
	if err := h.account.own(h.dataDir()); err != nil {
		return fmt.Errorf("data directory of Odoo: %w", err)
	}
	config := odooConfig{
		version: h.version, dataDir: containerOdooData, dbHost: containerPostgres, dbPort: 5432,
		listen: "0.0.0.0", port: 8069, eventPort: 8072, workers: workers,
	}
	if err := os.WriteFile(filepath.Join(h.run, "odoo.conf"), []byte(config.render()), 0o644); err != nil {
		return fmt.Errorf("configuration of Odoo: %w", err)
	}
	return nil
}

// close removes the network and the run folder and leaves the engine. The containers are gone by then.
func (h *containerHost) close(ctx context.Context) error {
	var failures []error
	if h.network != nil {
		failures = append(failures, h.network.Remove(ctx))
	}
	if h.lock != nil {
		failures = append(failures, h.lock.Close(), removeTree(h.run))
	}
	if h.engine != nil {
		failures = append(failures, h.engine.close(ctx))
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("close the stack: %w", err)
	}
	return nil
}

// containerFailure is why a container is not running, with the end of its log, or nil while it runs.
func containerFailure(ctx context.Context, c *testcontainers.DockerContainer) error {
	state, err := c.State(ctx)
	if err != nil {
		return fmt.Errorf("state of a container: %w", err)
	}
	if state.Running {
		return nil
	}
	return fmt.Errorf("the container ended (exit code %d); the end of its log:\n%s", state.ExitCode, containerLog(ctx, c))
}

// containerLog is the end of a container's log.
func containerLog(ctx context.Context, c *testcontainers.DockerContainer) string {
	reader, err := c.Logs(ctx)
	if err != nil {
		return err.Error()
	}
	defer reader.Close()
	text, err := io.ReadAll(reader)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-30):], "\n")
}

// loopback is an address on this machine.
func loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
