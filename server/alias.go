package server

import (
	"strings"

	"github.com/valyala/fasthttp"
)

// enterAlias lets a request of an alias go on as one of its model, whose preset is the alias's own. It
// reports false where it has answered itself, since the aliases cannot be told.
func (s *Server) enterAlias(ctx *fasthttp.RequestCtx, p *profile, segments []string) bool {
	x := exchangeOf(ctx)
	aliases, err := s.deps.Aliases(s.base)
	if err != nil {
		x.profile = p
		x.fail(err)
		return false
	}
	for n := len(segments); n > 0; n-- {
		alias := strings.Join(segments[:n], "/")
		model, ok := aliases[alias]
		if !ok {
			continue
		}
		x.alias = alias
		ctx.Request.URI().SetPath(p.base + "/" + strings.Join(append([]string{model}, segments[n:]...), "/"))
		return true
	}
	return true
}

// name is what the exchange's model is asked for by, and what its preset is found by.
func (x *exchange) name() string {
	if x.alias != "" {
		return x.alias
	}
	return x.model
}
