package verify

import (
	"context"
	"maps"
	"slices"

	"lateral/schema"
)

// shrinkTries bounds how many smaller requests are tried.
const shrinkTries = 80

// Shrink looks for the smallest request of which the same holds, until ctx ends or enough were
// tried. same is not asked of the request itself.
func Shrink(ctx context.Context, r Request, same func(Request) bool) Request {
	for tries := 0; tries < shrinkTries && ctx.Err() == nil; {
		found := false
		for _, smaller := range r.smaller() {
			tries++
			if same(smaller) {
				r, found = smaller, true
				break
			}
		}
		if !found {
			break
		}
	}
	return r
}

// smaller returns simpler requests, the boldest first.
func (r Request) smaller() []Request {
	var list []Request
	add := func(change func(s *Request)) {
		s := r
		change(&s)
		list = append(list, s)
	}
	if len(r.Wants) > 1 {
		add(func(s *Request) { s.Wants = []Want{{Name: "id"}} })
	}
	if len(r.Context) > 0 {
		add(func(s *Request) { s.Context = nil })
	}
	if len(r.Order) > 0 {
		add(func(s *Request) { s.Order = nil })
	}
	if len(r.Domain) > 0 {
		add(func(s *Request) { s.Domain = nil })
	}
	if r.Offset > 0 {
		add(func(s *Request) { s.Offset = 0 })
	}
	if r.Flat {
		add(func(s *Request) { s.Flat = false })
	}
	if len(r.Context) > 1 {
		for _, key := range slices.Sorted(maps.Keys(r.Context)) {
			add(func(s *Request) { s.Context = maps.Clone(r.Context); delete(s.Context, key) })
		}
	}
	for i, t := range r.Domain {
		if len(r.Domain) > 1 {
			add(func(s *Request) { s.Domain = slices.Delete(slices.Clone(r.Domain), i, i+1) })
		}
		for _, smaller := range t.smaller() {
			add(func(s *Request) { s.Domain = slices.Clone(r.Domain); s.Domain[i] = smaller })
		}
	}
	for i := range r.Order {
		if len(r.Order) > 1 {
			add(func(s *Request) { s.Order = slices.Delete(slices.Clone(r.Order), i, i+1) })
		}
	}
	for _, wants := range smallerWants(r.Wants) {
		add(func(s *Request) { s.Wants = wants })
	}
	return list
}

func smallerWants(wants []Want) [][]Want {
	var list [][]Want
	for i, w := range wants {
		if w.Name != "id" && len(wants) > 2 {
			list = append(list, slices.Delete(slices.Clone(wants), i, i+1))
		}
		for _, sub := range smallerWants(w.Sub) {
			changed := slices.Clone(wants)
			changed[i].Sub = sub
			list = append(list, changed)
		}
		if w.Form != schema.Plain {
			changed := slices.Clone(wants)
			changed[i] = Want{Name: w.Name}
			list = append(list, changed)
		}
	}
	return list
}
