package stack

import (
	"fmt"
	"os/user"
	"strconv"
)

// lookupNobody finds the user that owns nothing on any Debian system.
func lookupNobody() (account, error) {
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
	return account{uid: uid, gid: gid}, nil
}
