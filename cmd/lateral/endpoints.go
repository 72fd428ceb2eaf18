package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"lateral/endpoint"
	"lateral/schema"
	"lateral/server"
)

// endpointKeeper keeps the endpoints of a folder's scripts and follows its changes. Which paths they
// may have depends on the models and aliases there are.
type endpointKeeper struct {
	dir       string // empty: no endpoints
	engine    *endpoint.Engine
	log       *slog.Logger
	catalogue func() *schema.Catalogue
	presets   *presetKeeper

	current atomic.Pointer[endpointState]
	loading sync.Mutex
}

// endpointState is the endpoints of one state of the folder, the models and the aliases.
type endpointState struct {
	catalogue *schema.Catalogue
	presets   *schema.Presets
	files     []endpoint.File
	seal      string // of the folder they were read from
	set       *endpoint.Set
}

// fits reports whether a state is for the models and aliases there are now.
func (s *endpointState) fits(c *schema.Catalogue, p *schema.Presets) bool {
	return s.catalogue == c && (s.presets == p || s.presets.SameAliases(p))
}

// endpoints implements server.Deps.Endpoints.
func (k *endpointKeeper) endpoints() *server.Endpoints {
	state := k.current.Load()
	if state == nil {
		return nil // not read yet
	}
	if c, p := k.around(); !state.fits(c, p) {
		k.loading.Lock()
		defer k.loading.Unlock()
		if state = k.current.Load(); !state.fits(c, p) {
			state = k.publish(state, &endpointState{catalogue: c, presets: p, files: state.files, seal: state.seal})
		}
	}
	return state.set.Endpoints()
}

// around returns the models and the presets of this moment, nil where they are not known yet.
func (k *endpointKeeper) around() (*schema.Catalogue, *schema.Presets) {
	var presets *schema.Presets
	if state := k.presets.current.Load(); state != nil {
		presets = state.presets
	}
	return k.catalogue(), presets
}

// publish makes the endpoints of a new state and puts it in force. The lock must be held.
func (k *endpointKeeper) publish(old, next *endpointState) *endpointState {
	var before *endpoint.Set
	if old != nil {
		before = old.set
	}
	next.set = before.Renew(k.engine, next.files, next.taken)
	known := before.Problems()
	for file, err := range next.set.Problems() {
		if was := known[file]; was == nil || was.Error() != err.Error() {
			k.log.Error("a script of endpoints is wrong: its last good version stays in force", slog.String("cause", err.Error()))
		}
	}
	if was, is := pathsOf(before), pathsOf(next.set); was != is {
		k.log.Info("endpoints", slog.String("paths", is))
	}
	k.current.Store(next)
	return next
}

func pathsOf(set *endpoint.Set) string {
	var paths []string
	for _, e := range set.Endpoints().All() {
		paths = append(paths, e.Path)
	}
	return strings.Join(paths, " ")
}

// taken returns why an endpoint cannot have a path.
func (s *endpointState) taken(segments []string) error {
	if s.catalogue != nil && s.catalogue.Model(segments[0]) != nil {
		return fmt.Errorf("%s is a model", segments[0])
	}
	path := strings.Join(segments, "/") + "/"
	for alias, model := range s.presets.Aliases() {
		if strings.HasPrefix(path, alias+"/") {
			return fmt.Errorf("%s is an alias of %s", alias, model)
		}
	}
	return nil
}

// watch reads the folder and looks after its changes until ctx ends.
func (k *endpointKeeper) watch(ctx context.Context, every time.Duration) {
	if k.dir != "" {
		watchFolder(ctx, every, k.reload, func(err error) {
			k.log.Error("the folder of endpoints cannot be read: those from before stay in force", slog.String("cause", err.Error()))
		})
	}
}

// reload reads the folder where it has changed.
func (k *endpointKeeper) reload() error {
	if k.dir == "" {
		return nil
	}
	state := k.current.Load()
	seal, err := folderSeal(k.dir)
	if err != nil || state != nil && seal == state.seal {
		return err
	}
	k.loading.Lock()
	defer k.loading.Unlock()
	next := &endpointState{seal: seal}
	next.catalogue, next.presets = k.around()
	if next.files, err = endpoint.ReadFolder(k.dir); err != nil {
		return err
	}
	k.publish(k.current.Load(), next)
	return nil
}

// watchFolder calls reload until ctx ends, and tells of an error when it is another than before.
func watchFolder(ctx context.Context, every time.Duration, reload func() error, tell func(error)) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	told := ""
	for {
		switch err := reload(); {
		case err == nil:
			told = ""
		case err.Error() != told:
			told = err.Error()
			tell(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
