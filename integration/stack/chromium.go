package stack

import (
	"context"
	"fmt"
	"io"
	"os/exec"
)

// Chromium returns the path of a Chromium on this machine. It installs Debian's where there is none, which
// needs root and is told of on progress.
func Chromium(ctx context.Context, progress io.Writer) (string, error) {
	if path, err := exec.LookPath("chromium"); err == nil {
		return path, nil
	}
	cache, err := openCache()
	if err != nil {
		return "", err
	}
	apt := apt{cache: cache, progress: newProgress(progress)}
	if err := apt.install(ctx, "tests in a browser", "chromium"); err != nil {
		return "", err
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		return "", fmt.Errorf("the package chromium has brought no browser: %w", err)
	}
	return path, nil
}
