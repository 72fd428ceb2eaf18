package stack

import (
	"context"
	"io"
)

// InstallPackages makes sure that Debian packages are on this machine, as the local provider does for its own. It needs
// root only where one is missing.
func InstallPackages(ctx context.Context, out io.Writer, what string, packages ...string) error {
	cache, err := openCache()
	if err != nil {
		return err
	}
	return apt{cache: cache, progress: newProgress(out)}.install(ctx, what, packages...)
}
