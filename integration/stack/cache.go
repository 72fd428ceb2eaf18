package stack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// cache is the folder that keeps what was installed and prepared, shared by every process of this user:
//
//	odoo-19.0-<key>/       an unpacked Odoo
//	template-19.0-<key>/   a prepared database: a dump and its filestore
//	cluster-19.0-<key>/    the same as a PostgreSQL data directory, ready to be copied
//	run/<version>-<random> what one running stack writes; removed by Close, or by a later Start after a crash
//	locks/                 one lock file per thing that is built
type cache struct {
	root string
}

// openCache makes the cache folder: $LATERAL_CACHE, else lateral below the user's cache folder.
func openCache() (cache, error) {
	root := os.Getenv("LATERAL_CACHE")
	if root == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return cache{}, fmt.Errorf("cache folder (set LATERAL_CACHE): %w", err)
		}
		root = filepath.Join(base, "lateral")
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return cache{}, fmt.Errorf("cache folder: %w", err)
	}
	for _, dir := range []string{"locks", "run", "logs"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return cache{}, fmt.Errorf("cache folder: %w", err)
		}
	}
	return cache{root: root}, nil
}

func (c cache) path(elements ...string) string {
	return filepath.Join(append([]string{c.root}, elements...)...)
}

// key condenses everything that something in the cache was made from.
func key(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:6])
}

// build returns the folder of this name, made by make if it is not there. One process makes it, others wait for that.
// It is made beside its place and renamed, so a folder with the right name is always complete.
func (c cache) build(ctx context.Context, name string, make func(dir string) error) (string, error) {
	target := c.path(name)
	if _, err := os.Stat(target); err == nil {
		return target, nil
	}
	unlock, err := c.lock(ctx, name)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(target); err == nil {
		return target, nil
	}
	// Whoever left a half-made folder is gone, because the lock was free.
	partial := target + ".partial"
	if err := removeTree(partial); err != nil {
		return "", fmt.Errorf("remove the rest of an interrupted run: %w", err)
	}
	if err := os.MkdirAll(partial, 0o755); err != nil {
		return "", fmt.Errorf("make %s: %w", name, err)
	}
	if err := make(partial); err != nil {
		return "", errors.Join(fmt.Errorf("make %s: %w", name, err), removeTree(partial))
	}
	if err := os.Rename(partial, target); err != nil {
		return "", fmt.Errorf("make %s: %w", name, err)
	}
	return target, nil
}

// lock takes the lock of this name among all processes, waiting for it as long as the context allows.
func (c cache) lock(ctx context.Context, name string) (unlock func(), err error) {
	file, err := os.OpenFile(c.path("locks", name), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	err = poll(ctx, 100*time.Millisecond, func(context.Context) (bool, error) {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR):
			return false, errors.New("another process has it")
		default:
			return true, err
		}
	})
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return func() { file.Close() }, nil
}

// newRun makes a folder for one stack and locks it. The lock is handed on to every process of the stack, so it is free
// only when all of them are gone.
func (c cache) newRun(ctx context.Context, version string) (dir string, lock *os.File, err error) {
	if err := c.sweepRuns(ctx); err != nil {
		return "", nil, err
	}
	unlock, err := c.lock(ctx, "run")
	if err != nil {
		return "", nil, err
	}
	defer unlock()
	dir, err = os.MkdirTemp(c.path("run"), version+"-")
	if err != nil {
		return "", nil, fmt.Errorf("run folder: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", nil, fmt.Errorf("run folder: %w", err)
	}
	lock, err = os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", nil, fmt.Errorf("run folder: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return "", nil, fmt.Errorf("lock the run folder: %w", err)
	}
	return dir, lock, nil
}

// sweepRuns removes the folders of stacks whose processes are gone without having cleaned up.
func (c cache) sweepRuns(ctx context.Context) error {
	unlock, err := c.lock(ctx, "run")
	if err != nil {
		return err
	}
	defer unlock()
	entries, err := os.ReadDir(c.path("run"))
	if err != nil {
		return fmt.Errorf("run folders: %w", err)
	}
	for _, entry := range entries {
		dir := c.path("run", entry.Name())
		file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			continue // removed by its owner in this moment
		}
		if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			err = removeTree(dir)
		}
		file.Close()
		if err != nil {
			return fmt.Errorf("remove the folder of a dead stack: %w", err)
		}
	}
	return nil
}

// removeTree removes a folder. It refuses to cross into anything mounted below, such as /dev in a Debian root whose
// installation was interrupted.
func removeTree(dir string) error {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err == nil {
		for line := range strings.Lines(string(mounts)) {
			fields := strings.Fields(line)
			if len(fields) > 1 && strings.HasPrefix(fields[1], dir+"/") {
				return fmt.Errorf("%s is still mounted", fields[1])
			}
		}
	}
	return os.RemoveAll(dir)
}
