package main

import (
	"context"
	"log/slog"
	"time"

	"lateral/reader"
	"lateral/schema"
)

// trustFile follows the verification's file.
type trustFile struct {
	trust  *reader.Trust
	holder *schema.Holder
	log    *slog.Logger
}

// watch applies a verification that was written after the start, until ctx ends.
func (f *trustFile) watch(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		changed, err := f.trust.Reload()
		if err != nil {
			f.log.Error("the verification cannot be used: that from before stays", slog.String("cause", err.Error()))
		}
		if changed {
			f.log.Info("a verification was written")
			f.holder.Replace(f.trust.Apply)
		}
	}
}
