package auth

import (
	"encoding/json"
	"fmt"
	"sync"

	"lateral/schema"
)

// viewCache keeps field views beyond the life of a principal, because asking Odoo for them costs a
// call. Equal views of different users are kept once.
type viewCache struct {
	limit int

	mu      sync.Mutex
	byKey   map[viewKey]map[string]FieldView
	byValue map[string]map[string]FieldView
}

// viewKey is on what views depend: the principal's viewKey and the model. The former holds the
// catalogue's stamp.
type viewKey struct{ principal, model string }

func newViewCache(limit int) *viewCache {
	v := &viewCache{limit: limit}
	v.clear()
	return v
}

// clear forgets everything; the caller holds the lock or is alone.
func (v *viewCache) clear() {
	v.byKey = map[viewKey]map[string]FieldView{}
	v.byValue = map[string]map[string]FieldView{}
}

func (v *viewCache) get(key viewKey) map[string]FieldView {
	if v == nil {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.byKey[key]
}

// put keeps views and returns an equal map that may be older. Where there is no room it starts
// anew: refilling costs one call for each user and model in use.
func (v *viewCache) put(key viewKey, views map[string]FieldView) map[string]FieldView {
	if v == nil {
		return views
	}
	digest, err := viewsDigest(views)
	if err != nil {
		return views
	}
	digest = key.model + ":" + digest
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.byKey) >= v.limit {
		v.clear()
	}
	if known, ok := v.byValue[digest]; ok {
		views = known
	} else {
		v.byValue[digest] = views
	}
	v.byKey[key] = views
	return views
}

// viewsDigest identifies the content of views.
func viewsDigest(views map[string]FieldView) (string, error) {
	type flat struct {
		Domain     []any
		ActiveTest *bool
		Opaque     string
	}
	all := make(map[string]flat, len(views))
	for name, view := range views {
		f := flat{ActiveTest: view.ActiveTest, Opaque: view.Opaque}
		if view.Domain != nil {
			f.Domain = schema.DomainList(view.Domain)
		}
		all[name] = f
	}
	text, err := json.Marshal(all) // keys are sorted
	if err != nil {
		return "", fmt.Errorf("compare field views: %w", err)
	}
	return digestOf(string(text)), nil
}
