package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"lateral/integration/stack"
)

// beside runs a turn while orders that the workload reads are written through Odoo, as often as the workload
// says, and returns how many writes there were.
func (b *bench) beside(ctx context.Context, w workload, turn func() error) (int, error) {
	if w.Writes == 0 {
		return 0, turn()
	}
	writing, stop := context.WithCancel(ctx)
	defer stop()
	var (
		wait    sync.WaitGroup
		written int
		failed  error
	)
	wait.Go(func() {
		ticker := time.NewTicker(time.Duration(float64(time.Second) / w.Writes))
		defer ticker.Stop()
		for failed == nil {
			select {
			case <-ticker.C:
				// A write that has begun is waited for.
				if failed = b.write(context.WithoutCancel(writing), w.next(b.clones).ID, written); failed == nil {
					written++
				}
			case <-writing.Done():
				return
			}
		}
	})
	err := turn()
	stop()
	wait.Wait()
	return written, errors.Join(err, failed)
}

// write changes an order as its form in Odoo would; n makes it another change each time.
func (b *bench) write(ctx context.Context, order int64, n int) error {
	values := map[string]any{"date_order": time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC).Add(time.Duration(n) * time.Minute).Format(time.DateTime)}
	if _, err := b.Odoo.Execute(ctx, b.users[stack.RoleAdmin], "sale.order", "write", []any{[]any{order}, values}, nil); err != nil {
		return fmt.Errorf("write an order: %w", err)
	}
	return nil
}
