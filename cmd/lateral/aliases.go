package main

import "context"

// aliases implements server.Deps.Aliases: the models of the aliases in force. Those that are cached
// are good enough: the preset that a request is answered with is looked up again by the reader.
func (p *currentPresets) aliases(ctx context.Context) (map[string]string, error) {
	if p.keeper.dir == "" {
		return nil, nil
	}
	state := p.keeper.current.Load()
	if state == nil {
		var err error
		if state, err = p.state(ctx); err != nil {
			return nil, err
		}
	}
	return state.presets.Aliases(), nil
}
