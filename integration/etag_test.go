package integration

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lateral/integration/stack"
)

// Ensure no answer is called unchanged that has changed: while Odoo counts a record up, a client that asks with the
// tag of its last answer never is behind what was written before it asked.
func TestTagsUnderWrites(t *testing.T) {
	s := shared(t, versions()[0]).fork(t)
	v := s.serve(t, nil)
	token := v.admin(t, s)
	admin := s.login(t, stack.RoleAdmin)
	id := s.call(t, admin, "res.partner", "create", []any{map[string]any{"name": "tags", "color": int64(0)}}, nil)
	var written atomic.Int64
	const last = 40
	var writing, reading sync.WaitGroup
	writing.Go(func() {
		for n := int64(1); n <= last; n++ {
			if _, err := s.odoo.Execute(t.Context(), admin, "res.partner", "write", []any{[]any{id}, map[string]any{"color": n}}, nil); err != nil {
				t.Errorf("write %d: %v", n, err)
				break
			}
			written.Store(n)
		}
		written.CompareAndSwap(last, last+1)
	})
	var unchanged, changed atomic.Int64
	for _, path := range []string{
		fmt.Sprintf("/v2/res.partner/%v?exclude_fields=*&include_fields=color", id),
		fmt.Sprintf("/v2/res.partner?filters=[('id','=',%v)]&include_fields=color&after=&count=true", id),
	} {
		reading.Go(func() {
			tag, seen := "", int64(-1)
			for end := time.Now().Add(time.Minute); time.Now().Before(end); {
				before := written.Load()
				got := v.send("GET", path, token, "", "If-None-Match", tag)
				switch got.status {
				case 304:
					unchanged.Add(1)
				case 200:
					changed.Add(1)
					tag = got.header.Get("ETag")
					var record struct {
						Color   int64
						Results []struct{ Color int64 }
					}
					if err := json.Unmarshal(got.body, &record); err != nil {
						t.Errorf("%s: %v", got.body, err)
						return
					}
					seen = record.Color
					for _, one := range record.Results {
						seen = one.Color
					}
				default:
					t.Errorf("%d %s %v", got.status, got.body, got.err)
					return
				}
				if seen < min(before, last) {
					t.Errorf("%s: %d is called the present state after %d was written", path, seen, before)
					return
				}
				if before > last {
					return
				}
			}
			t.Error("the writes did not end")
		})
	}
	writing.Wait()
	reading.Wait()
	if unchanged.Load() == 0 || changed.Load() < last/2 {
		t.Errorf("%d unchanged and %d changed answers", unchanged.Load(), changed.Load())
	}
}
