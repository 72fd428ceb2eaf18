package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// companion is the place of an ordinary process beside a stack, whichever provider the stack is of: a run folder of its own and
// the account that the process runs as.
type companion struct {
	account account
	run     string
	lock    *os.File
}

// newCompanion makes a place for a process that comes with Debian packages, and installs these.
func newCompanion(ctx context.Context, version string, progress io.Writer, what string, packages ...string) (*companion, error) {
	cache, err := openCache()
	if err != nil {
		return nil, err
	}
	c := &companion{}
	if c.account, err = currentAccount(cache.root); err != nil {
		return nil, err
	}
	if err := (apt{cache: cache, progress: newProgress(progress)}).install(ctx, what, packages...); err != nil {
		return nil, err
	}
	if c.run, c.lock, err = cache.newRun(ctx, version); err != nil {
		return nil, err
	}
	if err := os.Chown(c.run, c.account.uid, c.account.gid); err != nil {
		return nil, errors.Join(fmt.Errorf("run folder: %w", err), c.close())
	}
	return c, nil
}

// close removes the place, once its process has ended.
func (c *companion) close() error {
	return errors.Join(c.lock.Close(), os.RemoveAll(c.run))
}
