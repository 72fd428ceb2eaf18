package server

import (
	"github.com/valyala/fasthttp"

	"lateral/reader"
)

// profile is how one family of clients is spoken to. Profiles are data: handlers are the same.
type profile struct {
	name string
	base string // the first segment of its paths
	// values is how the reader writes values.
	values reader.Profile
	// typedStatus chooses the second of a problem's two statuses.
	typedStatus bool
	// challenge adds WWW-Authenticate to 401.
	challenge bool
	// located adds field and path to errors.
	located bool
	// total accepts the parameter count.
	total bool
	// created is the status of an answered create.
	created int
	// clientFirst leaves what a client says of a new record as it is, whatever the preset's defaults.
	clientFirst bool
}

// The two profiles of the contract, and that of the pages' own routes; they are never changed.
var (
	classic = profile{name: "classic", base: "/api", values: reader.Classic(), created: fasthttp.StatusOK}
	typed   = profile{
		name: "typed", base: "/v2", values: reader.Typed(),
		typedStatus: true, challenge: true, located: true, total: true,
		created: fasthttp.StatusCreated, clientFirst: true,
	}
	studio = profile{name: "studio", base: "/studio/api", values: reader.Typed(), typedStatus: true, challenge: true, located: true}
)

func (p *profile) status(problem *problem) int {
	if p.typedStatus {
		return problem.typed
	}
	return problem.classic
}
