package server

import "github.com/valyala/fasthttp"

// Reports are not answered by this version yet: they are checked for their token and say so, rather
// than look like a typing error.

func (s *Server) getPDF(x *exchange) { x.notBuilt("Printing reports") }

func (x *exchange) notBuilt(what string) {
	if _, err := x.authenticate(); err != nil {
		x.fail(err)
		return
	}
	x.fail(same(fasthttp.StatusNotImplemented, "not_implemented", what+" is not available in this version. Nothing was done."))
}

// noReport answers /report/<anything but get_pdf>.
func (s *Server) noReport(x *exchange) {
	if _, err := x.authenticate(); err != nil {
		x.fail(err)
		return
	}
	x.fail(same(fasthttp.StatusNotImplemented, "report_method_not_implemented", "Of reports, only get_pdf can be called."))
}
