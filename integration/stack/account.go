package stack

import (
	_ "embed"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

//go:embed scripts/expose.sh
var exposeScript string

// account is the operating system user that the servers run as.
type account struct {
	uid, gid int
	drop     bool   // this program is root and has to give that up
	cache    string // folder that the servers have to reach
	closed   string // folder on the way there that only root may enter, or empty
}

// currentAccount is the user nobody when this program is root, because PostgreSQL refuses root, and otherwise the user
// who runs it.
func currentAccount(cache string) (account, error) {
	if os.Geteuid() != 0 {
		return account{uid: os.Geteuid(), gid: os.Getegid(), cache: cache}, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return account{}, fmt.Errorf("a user to run the servers as: %w", err)
	}
	uid, err := strconv.Atoi(nobody.Uid)
	if err != nil {
		return account{}, fmt.Errorf("uid of nobody: %w", err)
	}
	gid, err := strconv.Atoi(nobody.Gid)
	if err != nil {
		return account{}, fmt.Errorf("gid of nobody: %w", err)
	}
	closed, err := closedAncestor(cache)
	if err != nil {
		return account{}, err
	}
	return account{uid: uid, gid: gid, drop: true, cache: cache, closed: closed}, nil
}

// closedAncestor returns the topmost folder on the way to dir that others may not pass through, or an empty string.
// Root's home is such a folder on most machines.
func closedAncestor(dir string) (string, error) {
	closed := ""
	for at := filepath.Dir(dir); at != "/"; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			return "", fmt.Errorf("the way to the cache: %w", err)
		}
		if info.Mode().Perm()&0o001 == 0 {
			closed = at
		}
	}
	return closed, nil
}

// prefix is the command that runs the rest of a command line as the account.
func (a account) prefix() []string {
	if !a.drop {
		return nil
	}
	var argv []string
	if a.closed != "" {
		argv = append(argv, "unshare", "--mount", "--", "/bin/sh", "-c", exposeScript, "expose", a.closed, a.cache)
	}
	return append(argv, "setpriv", "--reuid", strconv.Itoa(a.uid), "--regid", strconv.Itoa(a.gid), "--clear-groups")
}

// own gives a file or a folder with all it contains to the account.
func (a account) own(root string) error {
	if !a.drop {
		return nil
	}
	return filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, a.uid, a.gid)
	})
}
