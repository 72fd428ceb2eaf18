package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// policyFile decides whether a freshly installed package may start its daemon; see invoke-rc.d(8).
const policyFile = "/usr/sbin/policy-rc.d"

// policyText denies that. Its second line tells a later run that the file is ours, should this run be killed.
const policyText = "#!/bin/sh\n# placed by lateral's integration stack while it installs packages\nexit 101\n"

// apt installs Debian packages on this machine.
type apt struct {
	cache    cache
	progress *progress
}

// install makes sure that the packages are on this machine. Daemons among them are not started. It needs root only
// where something is missing.
func (a apt) install(ctx context.Context, what string, packages ...string) error {
	missing, err := missingPackages(ctx, packages)
	if err != nil || len(missing) == 0 {
		return err
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("%s needs these Debian packages, and only root can install them: apt-get install %s",
			what, strings.Join(missing, " "))
	}
	unlock, err := a.cache.lock(ctx, "apt")
	if err != nil {
		return err
	}
	defer unlock()
	if missing, err = missingPackages(ctx, packages); err != nil || len(missing) == 0 {
		return err
	}
	done := a.progress.step("installing %d Debian packages for %s", len(missing), what)
	defer done()

	restore, err := forbidDaemons()
	if err != nil {
		return err
	}
	defer restore()
	arguments := append([]string{"install", "--yes", "--no-install-recommends"}, missing...)
	if err := a.get(ctx, nil, arguments...); err != nil {
		// Package lists that are absent or old are the usual reason.
		if err := a.get(ctx, nil, "update"); err != nil {
			return err
		}
		if err := a.get(ctx, nil, arguments...); err != nil {
			return err
		}
	}
	return nil
}

// get runs apt-get with the options given and waits for whoever else is using it.
func (a apt) get(ctx context.Context, options []string, arguments ...string) error {
	return a.getIn(ctx, a.cache.path(), options, arguments...)
}

// getIn is get in a working folder, which is where "apt-get download" leaves what it fetched.
func (a apt) getIn(ctx context.Context, dir string, options []string, arguments ...string) error {
	argv := append([]string{"apt-get", "--quiet", "-o", "DPkg::Lock::Timeout=600", "-o", "Acquire::Retries=3"}, options...)
	return run(ctx, processSpec{
		name:  "apt-get " + arguments[0],
		argv:  append(argv, arguments...),
		env:   []string{"DEBIAN_FRONTEND=noninteractive"},
		dir:   dir,
		log:   a.cache.path("logs", "apt.log"),
		grace: 30 * time.Second, // dpkg must not be killed in the middle of a package
	}, account{})
}

// missingPackages returns those of the packages that are not installed.
func missingPackages(ctx context.Context, packages []string) ([]string, error) {
	if _, err := exec.LookPath("dpkg-query"); err != nil {
		return nil, fmt.Errorf("the local provider needs a Debian system: %w", err)
	}
	arguments := append([]string{"--show", "--showformat", "${Package} ${db:Status-Status}\n"}, packages...)
	// It answers 1 for unknown packages, which is one way of being missing.
	output, err := exec.CommandContext(ctx, "dpkg-query", arguments...).Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, fmt.Errorf("dpkg-query: %w", err)
	}
	installed := make(map[string]bool)
	for line := range strings.Lines(string(output)) {
		if name, status, _ := strings.Cut(strings.TrimSpace(line), " "); status == "installed" {
			installed[name] = true
		}
	}
	var missing []string
	for _, name := range packages {
		if !installed[name] {
			missing = append(missing, name)
		}
	}
	return missing, nil
}

// forbidDaemons keeps packages from starting their services while they are installed. A policy that the machine has
// already stays as it is.
func forbidDaemons() (restore func(), err error) {
	present, err := os.ReadFile(policyFile)
	switch {
	case err == nil && string(present) != policyText:
		return func() {}, nil
	case err == nil:
	case errors.Is(err, os.ErrNotExist):
		if err := os.WriteFile(policyFile, []byte(policyText), 0o755); err != nil {
			return nil, fmt.Errorf("policy for daemons: %w", err)
		}
	default:
		return nil, fmt.Errorf("policy for daemons: %w", err)
	}
	return func() { os.Remove(policyFile) }, nil
}

// mirror is the Debian mirror that apt uses on this machine; no mirror is named in this repository.
func (a apt) mirror(ctx context.Context) (string, error) {
	find := func() (string, error) {
		output, err := exec.CommandContext(ctx, "apt-get", "indextargets",
			"--format", "$(ORIGIN) $(LABEL) $(COMPONENT) $(REPO_URI)", "Created-By: Packages").Output()
		if err != nil {
			return "", fmt.Errorf("apt-get indextargets: %w", err)
		}
		mirror, ok := pickMirror(string(output))
		if !ok {
			return "", errors.New("apt's sources name no Debian mirror")
		}
		return mirror, nil
	}
	mirror, err := find()
	if err == nil {
		return mirror, nil
	}
	if os.Geteuid() != 0 {
		return "", err
	}
	if err := a.get(ctx, nil, "update"); err != nil {
		return "", err
	}
	return find()
}

// pickMirror finds the main archive among apt's index targets, one per line: neither its security part, which has few
// packages, nor somebody else's.
func pickMirror(targets string) (mirror string, ok bool) {
	for line := range strings.Lines(targets) {
		fields := strings.Fields(line)
		if len(fields) == 4 && fields[0] == "Debian" && fields[1] == "Debian" && fields[2] == "main" {
			return strings.TrimRight(fields[3], "/"), true
		}
	}
	return "", false
}

// download fetches one package of another Debian suite into dir, with lists and a cache of its own: this machine's
// packages never see that suite.
func (a apt) download(ctx context.Context, dir, suite, name string) (file string, err error) {
	mirror, err := a.mirror(ctx)
	if err != nil {
		return "", err
	}
	for _, folder := range []string{"lists/partial", "cache/archives/partial", "deb"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			return "", fmt.Errorf("download %s: %w", name, err)
		}
	}
	list := filepath.Join(dir, "sources.list")
	source := fmt.Sprintf("deb [signed-by=%s] %s %s main\n", archiveKeyring, mirror, suite)
	if err := os.WriteFile(list, []byte(source), 0o644); err != nil {
		return "", fmt.Errorf("download %s: %w", name, err)
	}
	options := []string{
		"-o", "Dir::Etc::sourcelist=" + list,
		"-o", "Dir::Etc::sourceparts=-",
		"-o", "Dir::State::lists=" + filepath.Join(dir, "lists"),
		"-o", "Dir::Cache=" + filepath.Join(dir, "cache"),
		"-o", "Acquire::Languages=none",
		"-o", "APT::Sandbox::User=", // the sandbox user may not enter the cache
	}
	if err := a.get(ctx, options, "update"); err != nil {
		return "", err
	}
	deb := filepath.Join(dir, "deb")
	if err := a.getIn(ctx, deb, options, "download", name); err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(deb, "*.deb"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("download %s: %d files (%w)", name, len(found), err)
	}
	return found[0], nil
}

// archiveKeyring signs every suite of Debian; it comes with the package debian-archive-keyring.
const archiveKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
