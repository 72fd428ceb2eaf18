package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// local runs the servers as ordinary processes in a run folder of the cache.
type local struct {
	host     *localHost
	run      string
	lock     *os.File
	template string // folder of the prepared database
	postgres *postgres
	odooPort int
	config   string // odoo.conf as Odoo sees it
	odoo     *process
	redis    *redis
}

// startLocal brings up a stack of ordinary processes.
func startLocal(ctx context.Context, o Options, progress *progress) (_ *Stack, err error) {
	cache, err := openCache()
	if err != nil {
		return nil, err
	}
	host, err := newLocalHost(ctx, cache, o.Version, progress)
	if err != nil {
		return nil, err
	}
	template, err := host.template(ctx)
	if err != nil {
		return nil, err
	}
	cluster, err := host.cluster(ctx, template)
	if err != nil {
		return nil, err
	}
	defer progress.step("starting PostgreSQL and Odoo %s", o.Version)()

	run, lock, err := cache.newRun(ctx, o.Version)
	if err != nil {
		return nil, err
	}
	l := &local{host: host, run: run, lock: lock, template: template}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close(context.WithoutCancel(ctx)))
		}
	}()
	if l.postgres, err = host.newPostgres(ctx, run, lock); err != nil {
		return nil, err
	}
	l.postgres.settings = o.settings()
	if err := cloneTree(ctx, filepath.Join(cluster, clusterDir), l.postgres.data); err != nil {
		return nil, err
	}
	if err := l.startPostgres(ctx); err != nil {
		return nil, err
	}
	if o.Redis {
		if l.redis, err = newRedis(ctx, host, run, lock); err != nil {
			return nil, err
		}
		if err := l.startRedis(ctx); err != nil {
			return nil, err
		}
	}
	if err := l.configure(ctx, o); err != nil {
		return nil, err
	}
	return open(ctx, "local", o, l)
}

// configure chooses Odoo's ports and writes its configuration.
func (l *local) configure(ctx context.Context, o Options) error {
	eventPort, err := freePort(ctx)
	if err != nil {
		return err
	}
	if l.odooPort, err = freePort(ctx); err != nil {
		return err
	}
	l.config, err = l.host.writeConfig(l.run, odooConfig{
		dbPort:    l.postgres.port,
		port:      l.odooPort,
		eventPort: eventPort,
		workers:   o.Workers,
	})
	return err
}

func (l *local) dsn(role, password, database string) string {
	return l.postgres.dsn(role, password, database)
}

func (l *local) odooURLs() (public, own string) {
	url := "http://127.0.0.1:" + strconv.Itoa(l.odooPort)
	return url, url
}

func (l *local) startPostgres(ctx context.Context) error {
	if l.postgres.process != nil {
		return errors.New("start PostgreSQL: it runs already")
	}
	return l.postgres.start(ctx)
}

func (l *local) stopPostgres(ctx context.Context) error {
	return l.postgres.stop(ctx)
}

func (l *local) startOdoo(context.Context) error {
	if l.odoo != nil {
		return errors.New("start Odoo: it runs already")
	}
	spec := l.host.odooSpec(l.run, "-c", l.config)
	spec.lock = l.lock
	process, err := startProcess(spec, l.host.account)
	if err != nil {
		return err
	}
	l.odoo = process
	return nil
}

func (l *local) stopOdoo(ctx context.Context) error {
	if l.odoo == nil {
		return nil
	}
	err := l.odoo.stop(ctx)
	if err == nil {
		l.odoo = nil
	}
	return err
}

func (l *local) odooFailure() error {
	if l.odoo == nil {
		return errors.New("the stack's Odoo is stopped")
	}
	select {
	case <-l.odoo.done:
		return l.odoo.failure()
	default:
		return nil
	}
}

func (l *local) addFilestore(ctx context.Context, database string) (string, error) {
	folder := filestore(filepath.Join(l.run, "data"), database)
	return folder, linkTree(ctx, templateFilestore(l.template), folder)
}

func (l *local) removeFilestore(_ context.Context, database string) error {
	return os.RemoveAll(filestore(filepath.Join(l.run, "data"), database))
}

func (l *local) startRedis(ctx context.Context) error {
	if l.redis == nil {
		return errNoRedis
	}
	return l.redis.start(ctx)
}

func (l *local) stopRedis(ctx context.Context) error {
	if l.redis == nil {
		return errNoRedis
	}
	return l.redis.stop(ctx)
}

func (l *local) redisAddr() string {
	if l.redis == nil {
		return ""
	}
	return l.redis.addr
}

// close stops the processes and removes the run folder.
func (l *local) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var failures []error
	failures = append(failures, l.stopOdoo(ctx))
	if l.redis != nil {
		failures = append(failures, l.redis.stop(ctx))
	}
	if l.postgres != nil {
		failures = append(failures, l.postgres.stop(ctx))
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("close the stack: %w", err)
	}
	if err := l.lock.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("close the stack: %w", err)
	}
	return os.RemoveAll(l.run)
}
