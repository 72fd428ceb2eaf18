package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/testcontainers/testcontainers-go"
)

// containers runs the servers in containers, on an image of PostgreSQL that has the prepared database already.
type containers struct {
	host         *containerHost
	template     string // folder of the prepared database
	postgres     *testcontainers.DockerContainer
	postgresPort int
	odoo         *testcontainers.DockerContainer
	odooPort     int
	redis        *testcontainers.DockerContainer
	redisPort    int
	started      bool // Odoo is meant to run
}

// startContainers brings up a stack of containers.
func startContainers(ctx context.Context, o Options, progress *progress) (_ *Stack, err error) {
	host, err := newContainerHost(ctx, o, progress)
	if err != nil {
		return nil, err
	}
	c := &containers{host: host}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close(context.WithoutCancel(ctx)))
		}
	}()
	if c.template, err = host.template(ctx, o); err != nil {
		return nil, err
	}
	image, err := host.preparedImage(ctx, c.template)
	if err != nil {
		return nil, err
	}
	defer progress.step("starting containers of PostgreSQL and Odoo %s", o.Version)()

	for _, port := range []*int{&c.postgresPort, &c.odooPort, &c.redisPort} {
		if *port, err = freePort(ctx); err != nil {
			return nil, err
		}
	}
	if c.postgres, err = host.startPostgres(ctx, image, c.postgresPort, o.settings()); err != nil {
		return nil, err
	}
	if o.Redis {
		c.redis, err = host.start(ctx, containerSpec{
			image: redisImage, alias: "redis", ports: map[int]int{6379: c.redisPort},
			cmd: []string{"redis-server", "--save", "", "--appendonly", "no", "--protected-mode", "no"},
		})
		if err != nil {
			return nil, err
		}
		if err := waitForPort(ctx, c.redisAddr()); err != nil {
			return nil, fmt.Errorf("waiting for Redis: %w", err)
		}
	}
	if err := host.writeConfig(o.Workers); err != nil {
		return nil, err
	}
	return open(ctx, "containers", o, c)
}

func (c *containers) dsn(role, password, database string) string {
	return dsn("127.0.0.1", c.postgresPort, role, password, database)
}

func (c *containers) odooURLs() (public, own string) {
	return "http://" + loopback(c.odooPort), "http://" + loopback(8069)
}

func (c *containers) startPostgres(ctx context.Context) error {
	if err := c.postgres.Start(ctx); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	return waitForPostgres(ctx, c.postgres, c.postgresPort)
}

func (c *containers) stopPostgres(ctx context.Context) error {
	return stopContainer(ctx, c.postgres, postgresGrace)
}

func (c *containers) startOdoo(ctx context.Context) error {
	if c.started {
		return errors.New("start Odoo: it runs already")
	}
	var err error
	if c.odoo == nil {
		spec := c.host.odooSpec("odoo")
		spec.ports = map[int]int{8069: c.odooPort}
		c.odoo, err = c.host.start(ctx, spec)
	} else {
		err = c.odoo.Start(ctx)
	}
	if err != nil {
		return fmt.Errorf("start Odoo: %w", err)
	}
	c.started = true
	return nil
}

func (c *containers) stopOdoo(ctx context.Context) error {
	if !c.started {
		return nil
	}
	if err := stopContainer(ctx, c.odoo, odooGrace); err != nil {
		return err
	}
	c.started = false
	return nil
}

func (c *containers) odooFailure() error {
	if !c.started {
		return errors.New("the stack's Odoo is stopped")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return containerFailure(ctx, c.odoo)
}

func (c *containers) addFilestore(ctx context.Context, database string) (string, error) {
	folder := filestore(c.host.dataDir(), database)
	return folder, linkTree(ctx, templateFilestore(c.template), folder)
}

func (c *containers) removeFilestore(_ context.Context, database string) error {
	return os.RemoveAll(filestore(c.host.dataDir(), database))
}

func (c *containers) startRedis(ctx context.Context) error {
	if c.redis == nil {
		return errNoRedis
	}
	if err := c.redis.Start(ctx); err != nil {
		return fmt.Errorf("start Redis: %w", err)
	}
	return waitForPort(ctx, c.redisAddr())
}

func (c *containers) stopRedis(ctx context.Context) error {
	if c.redis == nil {
		return errNoRedis
	}
	return stopContainer(ctx, c.redis, 5*time.Second)
}

func (c *containers) redisAddr() string {
	if c.redis == nil {
		return ""
	}
	return loopback(c.redisPort)
}

// close removes the containers with their data, and what the host has made for them.
func (c *containers) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var failures []error
	for _, one := range []*testcontainers.DockerContainer{c.odoo, c.redis, c.postgres} {
		if one != nil {
			// There is nothing to save, so nobody waits for an orderly end.
			failures = append(failures, one.Terminate(ctx, testcontainers.StopTimeout(0)))
		}
	}
	failures = append(failures, c.host.close(ctx))
	return errors.Join(failures...)
}

// stopContainer stops a container, and kills it if that takes longer than the grace period.
func stopContainer(ctx context.Context, c *testcontainers.DockerContainer, grace time.Duration) error {
	if err := c.Stop(ctx, &grace); err != nil {
		return fmt.Errorf("stop a container: %w", err)
	}
	return nil
}
