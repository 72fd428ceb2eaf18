package integration

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"lateral/schema"
)

// shrink looks for the smallest request that still disagrees, and logs it.
func (d *differential) shrink(ctx context.Context, number int, r request, v verdict, during time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, during)
	defer cancel()
	for tries := 0; tries < 60 && ctx.Err() == nil; {
		found := false
		for _, smaller := range r.smaller() {
			tries++
			sv, err := d.compareOnce(ctx, smaller)
			if err != nil || sv.text == "" || sv.leak != v.leak {
				continue
			}
			r, v, found = smaller, sv, true
			break
		}
		if !found {
			break
		}
	}
	kind := "DIFFER"
	if v.leak {
		kind = "LEAK"
	}
	d.t.Logf("%s #%d (%s) %s\n      %s", kind, number, cmp.Or(v.path, "refused"), r, v.text)
}

// smaller returns simpler requests, the boldest first.
func (r request) smaller() []request {
	var list []request
	add := func(change func(s *request)) {
		s := r
		change(&s)
		list = append(list, s)
	}
	if len(r.wants) > 1 {
		add(func(s *request) { s.wants = []want{{name: "id"}} })
	}
	if len(r.context) > 0 {
		add(func(s *request) { s.context = nil })
	}
	if len(r.order) > 0 {
		add(func(s *request) { s.order = nil })
	}
	if len(r.domain) > 0 {
		add(func(s *request) { s.domain = nil })
	}
	if r.offset > 0 {
		add(func(s *request) { s.offset = 0 })
	}
	if r.flat {
		add(func(s *request) { s.flat = false })
	}
	if len(r.context) > 1 {
		for _, key := range slices.Sorted(maps.Keys(r.context)) {
			add(func(s *request) { s.context = maps.Clone(r.context); delete(s.context, key) })
		}
	}
	for i, t := range r.domain {
		if len(r.domain) > 1 {
			add(func(s *request) { s.domain = slices.Delete(slices.Clone(r.domain), i, i+1) })
		}
		for _, smaller := range t.smaller() {
			add(func(s *request) { s.domain = slices.Clone(r.domain); s.domain[i] = smaller })
		}
	}
	for i := range r.order {
		if len(r.order) > 1 {
			add(func(s *request) { s.order = slices.Delete(slices.Clone(r.order), i, i+1) })
		}
	}
	for _, wants := range smallerWants(r.wants) {
		add(func(s *request) { s.wants = wants })
	}
	return list
}

func smallerWants(wants []want) [][]want {
	var list [][]want
	for i, w := range wants {
		if w.name != "id" && len(wants) > 2 {
			list = append(list, slices.Delete(slices.Clone(wants), i, i+1))
		}
		for _, sub := range smallerWants(w.sub) {
			changed := slices.Clone(wants)
			changed[i].sub = sub
			list = append(list, changed)
		}
		if w.form != schema.Plain {
			changed := slices.Clone(wants)
			changed[i] = want{name: w.name}
			list = append(list, changed)
		}
	}
	return list
}
