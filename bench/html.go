package bench

import (
	"bytes"
	"fmt"
	"html"
	"io"

	"github.com/go-echarts/go-echarts/v2/charts"
	"github.com/go-echarts/go-echarts/v2/components"
	"github.com/go-echarts/go-echarts/v2/opts"
)

// WriteHTML writes the report as a page with plots. The plots are drawn by a script that the browser fetches; the table above them
// is there without.
func (r *Report) WriteHTML(out io.Writer) error {
	var table bytes.Buffer
	if err := r.WriteTable(&table); err != nil {
		return err
	}
	page := components.NewPage()
	page.PageTitle = "lateral bench"
	page.AddCharts(r.peersChart())
	for _, c := range r.Curves {
		page.AddCharts(curveChart(c))
	}
	var plots bytes.Buffer
	if err := page.Render(&plots); err != nil {
		return fmt.Errorf("plots: %w", err)
	}
	before, after, found := bytes.Cut(plots.Bytes(), []byte("<body>"))
	if !found {
		return fmt.Errorf("plots: the page has no body")
	}
	_, err := fmt.Fprintf(out, "%s<body>\n<pre style=\"font: 13px monospace; margin: 2em; overflow-x: auto\">%s</pre>\n%s", before, html.EscapeString(table.String()), after)
	return err
}

// peersChart compares the peers, on a scale of powers of ten.
func (r *Report) peersChart() *charts.Bar {
	bar := charts.NewBar()
	bar.SetGlobalOptions(
		charts.WithTitleOpts(opts.Title{Title: "Requests per second"}),
		charts.WithLegendOpts(opts.Legend{Top: "30"}),
		charts.WithYAxisOpts(opts.YAxis{Type: "log"}),
		charts.WithInitializationOpts(opts.Initialization{Width: "1100px"}),
	)
	titles := make([]string, len(r.Results))
	for i, v := range r.Results {
		titles[i] = v.Title
	}
	bar.SetXAxis(titles)
	for _, peer := range peers {
		data := make([]opts.BarData, len(r.Results))
		for i, v := range r.Results {
			data[i] = opts.BarData{Value: v.Peers[peer].Median}
		}
		bar.AddSeries(peer, data)
	}
	return bar
}

func curveChart(c Curve) *charts.Line {
	line := charts.NewLine()
	line.SetGlobalOptions(
		charts.WithTitleOpts(opts.Title{Title: "Requests per second by " + c.Name, Subtitle: c.verdict()}),
		charts.WithLegendOpts(opts.Legend{Top: "50"}),
		charts.WithXAxisOpts(opts.XAxis{Name: c.Name}),
		charts.WithYAxisOpts(opts.YAxis{Type: "log"}),
		charts.WithInitializationOpts(opts.Initialization{Width: "1100px"}),
	)
	names := make([]string, len(c.Points))
	ours := make([]opts.LineData, len(c.Points))
	ceiling := make([]opts.LineData, len(c.Points))
	for i, p := range c.Points {
		names[i] = fmt.Sprint(p.X)
		ours[i], ceiling[i] = opts.LineData{Value: p.Lateral}, opts.LineData{Value: p.Ceiling}
	}
	line.SetXAxis(names).AddSeries(peerCeiling, ceiling).AddSeries(peerLateral, ours)
	return line
}
