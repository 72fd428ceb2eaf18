package server

import (
	"errors"

	"github.com/valyala/fasthttp"

	"lateral/schema"
	"lateral/writer"
)

// getPDF answers GET and PUT /report/get_pdf with a JSON string, the PDF in base64, or with the PDF
// itself where format=raw.
func (s *Server) getPDF(x *exchange) {
	work := x.work()
	pdf, raw, err := s.startReport(x, work)
	switch {
	case err != nil:
		x.fail(endedBy(work.ctx, err))
		work.cancel()
	case raw:
		x.ctx.Response.Header.SetContentType("application/pdf")
		x.ctx.Response.Header.Set("Content-Disposition", disposition(pdf.Name, "report.pdf"))
		x.startBody(work, pdf, pdf, pdf.Size)
	default:
		x.startBody(work, newBase64Lines(pdf), pdf, base64LinesSize(pdf.Size))
	}
}

// startReport has the report printed that a request asks for, and tells whether it is wanted raw.
func (s *Server) startReport(x *exchange, work *work) (pdf *writer.PDF, raw bool, err error) {
	who, err := x.authenticate()
	if err != nil {
		return nil, false, err
	}
	p, err := readParams(x.ctx)
	if err != nil {
		return nil, false, err
	}
	report, err := reportOf(p)
	if err != nil {
		return nil, false, err
	}
	format, _, err := p.word("format")
	if err != nil || format != "" && format != "raw" && format != "base64" {
		return nil, false, badReport("format", "it is raw or base64")
	}
	if value, given := p.parsed("__context__"); given {
		if _, ok := value.(map[string]any); !ok {
			return nil, false, badReport("__context__", "it must be an object")
		}
	}
	if report.Context, err = x.callContext(work.ctx, who, p); err != nil {
		return nil, false, err
	}
	pdf, err = s.deps.Reports.Print(work.ctx, who, report)
	return pdf, format == "raw", notPrinted(err)
}

// reportOf reads report_name and ids.
func reportOf(p params) (writer.Report, error) {
	var report writer.Report
	name, given, err := p.word("report_name")
	switch {
	case err != nil:
		return report, badReport("report_name", err.Error())
	case !given:
		return report, missingReport("report_name")
	}
	value, given := p.parsed("ids")
	if !given {
		return report, missingReport("ids")
	}
	report.Name = name
	report.IDs, err = reportIDs(value)
	switch {
	case err != nil:
		return report, badReport("ids", err.Error())
	case len(report.IDs) == 0:
		return report, missingReport("ids")
	}
	return report, nil
}

// reportIDs reads a list of ids, or one.
func reportIDs(value any) ([]int64, error) {
	var list []any
	switch v := value.(type) {
	case []any:
		list = v
	case schema.Tuple:
		list = v
	default:
		list = []any{v}
	}
	ids := make([]int64, len(list))
	for i, item := range list {
		id, ok := item.(int64)
		if !ok || id < 1 {
			return nil, errors.New("it must be a list of positive integers")
		}
		ids[i] = id
	}
	return ids, nil
}

// noReport answers /report/<anything but get_pdf>.
func (s *Server) noReport(x *exchange) {
	if _, err := x.authenticate(); err != nil {
		x.fail(err)
		return
	}
	x.fail(same(fasthttp.StatusNotImplemented, "report_method_not_implemented", "Of reports, only get_pdf can be called."))
}
