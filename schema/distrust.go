package schema

import "maps"

// Distrust returns a catalogue in which the named models are Odoo's alone, each for the given
// reason, because what SQL answers about them was found to be wrong. Guards from an earlier Distrust
// are taken back first, so the reasons are always the whole of them. The receiver stays as it is.
//
// A reader that distrusts more than before needs a new catalogue rather than a changed one: all that
// was compiled or cached belongs to the catalogue it was made with.
func (c *Catalogue) Distrust(reasons map[string]string) *Catalogue {
	if len(reasons) == 0 && c.trusted == nil {
		return c
	}
	trusted := c
	if c.trusted != nil {
		trusted = c.trusted
	}
	changed := *trusted
	changed.Stamp = c.Stamp
	if len(reasons) == 0 {
		return &changed
	}
	changed.trusted = trusted
	changed.models = maps.Clone(trusted.models)
	for name, reason := range reasons {
		m := trusted.models[name]
		if m == nil || m.Guard.Kind == Guarded {
			continue
		}
		guarded := *m
		guarded.Guard = Guard{Kind: Guarded, Distrusted: true, Reason: reason}
		guarded.Fields = make(map[string]*Field, len(m.Fields))
		for key, f := range m.Fields {
			own := *f
			own.Model = &guarded
			guarded.Fields[key] = &own
		}
		changed.models[name] = &guarded
	}
	return &changed
}
