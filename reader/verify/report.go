package verify

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"lateral/reader"
)

// Report is what a run has found so far. It is kept in the result file, so that a run can be
// resumed.
type Report struct {
	// Next is the number of the next request: all before are in the report.
	Next int `json:"next"`
	// Reads is the number of reads compared, Agree of those that agreed.
	Reads int `json:"reads"`
	Agree int `json:"agree"`
	// Paths counts the reads compared by the way lateral went: direct, hybrid, odoo or refused.
	Paths map[string]int `json:"paths"`
	// Unsampled counts the reads that are Odoo's anyway and were not made.
	Unsampled int `json:"unsampled"`
	// Stored counts the requests that the user may make for stored fields alone, StoredDirect those of
	// them that go direct. Pure and PureDirect count those of them that touch only models without Python
	// access code, and search neither by names nor by hierarchies without a stored parent.
	Stored       int `json:"stored"`
	StoredDirect int `json:"stored_direct"`
	Pure         int `json:"pure"`
	PureDirect   int `json:"pure_direct"`
	// Indirect counts the pure ones that do not go direct, by why.
	Indirect map[string]int `json:"indirect"`
	// Strict counts the reads that lateral refuses by design where Odoo answers, by reason. They agree.
	Strict map[string]int `json:"strict"`
	// Moving counts the reads whose records kept changing, Slow those that took too long. Neither is
	// compared.
	Moving int `json:"moving"`
	Slow   int `json:"slow"`

	Kinds         map[Kind]int                   `json:"kinds"`
	Models        map[string]reader.ModelVerdict `json:"-"`
	Users         map[string]reader.ModelVerdict `json:"users"`
	Disagreements []Disagreement                 `json:"disagreements"`
}

// Disagreement is a read that lateral and Odoo answer differently.
type Disagreement struct {
	Number int    `json:"number"`
	Kind   Kind   `json:"kind"`
	Model  string `json:"model"`
	User   string `json:"user"`
	Path   string `json:"path"`
	// Request is the smallest request found that shows it, Text what differs.
	Request string `json:"request"`
	Text    string `json:"text"`
}

// NewReport returns an empty report.
func NewReport() *Report {
	return &Report{
		Paths: map[string]int{}, Strict: map[string]int{}, Indirect: map[string]int{}, Kinds: map[Kind]int{},
		Models: map[string]reader.ModelVerdict{}, Users: map[string]reader.ModelVerdict{},
	}
}

// mostKept bounds the disagreements that are kept with their requests.
const mostKept = 500

// reasonsShown is how many reasons of reads that are not direct are printed.
const reasonsShown = 10

// add files a finding.
func (p *Report) add(f finding) {
	p.Next = f.number + 1
	direct := f.path == reader.PathDirect
	if f.stored && f.path != "refused" {
		p.Stored++
		if direct {
			p.StoredDirect++
		}
	}
	if f.pure && f.path != "refused" {
		p.Pure++
		if direct {
			p.PureDirect++
		} else if _, known := p.Indirect[f.reason]; known || len(p.Indirect) < mostKept {
			p.Indirect[f.reason]++
		}
	}
	switch {
	case f.verdict.moving:
		p.Moving++
		return
	case f.slow:
		p.Slow++
		return
	case !f.compared:
		p.Unsampled++
		return
	}
	p.Reads++
	p.Paths[f.path]++
	v, d := f.verdict, Disagreement{}
	if v.strict != "" {
		p.Strict[v.strict]++
	}
	if v.kind == "" {
		p.Agree++
	} else {
		p.Kinds[v.kind]++
		d = Disagreement{
			Number: f.number, Kind: v.kind, Model: f.request.Model, User: f.request.User,
			Path: cmp.Or(v.path, "refused"), Request: f.request.String(), Text: v.text,
		}
		if len(p.Disagreements) < mostKept {
			p.Disagreements = append(p.Disagreements, d)
		}
	}
	for _, file := range []struct {
		verdicts map[string]reader.ModelVerdict
		key      string
	}{{p.Models, f.request.Model}, {p.Users, f.request.User}} {
		entry := file.verdicts[file.key]
		entry.Reads++
		switch v.kind {
		case "":
			entry.Agree++
		case Leak:
			entry.Leak++
			fallthrough
		default:
			entry.Differ++
			entry.Reason = cmp.Or(entry.Reason, string(d.Kind)+": "+d.Request+": "+d.Text)
		}
		file.verdicts[file.key] = entry
	}
}

// Write prints the report for people.
func (p *Report) Write(w io.Writer) error {
	var b strings.Builder
	share := func(part, whole int) string { return fmt.Sprintf("%.2f %%", 100*float64(part)/float64(max(whole, 1))) }
	for _, d := range p.Disagreements {
		fmt.Fprintf(&b, "%s #%d (%s) %s\n    %s\n", strings.ToUpper(string(d.Kind)), d.Number, d.Path, d.Request, d.Text)
	}
	if len(p.Disagreements) > 0 {
		b.WriteByte('\n')
	}
	table := func(title string, verdicts map[string]reader.ModelVerdict, all bool) {
		fmt.Fprintf(&b, "%-42s %7s %7s %7s %5s\n", title, "reads", "agree", "differ", "leak")
		for _, name := range slices.Sorted(maps.Keys(verdicts)) {
			if v := verdicts[name]; all || v.Differ > 0 {
				fmt.Fprintf(&b, "%-42s %7d %7d %7d %5d\n", name, v.Reads, v.Agree, v.Differ, v.Leak)
			}
		}
	}
	if p.Agree < p.Reads {
		table("model that disagrees", p.Models, false)
		b.WriteByte('\n')
		for _, kind := range Kinds() {
			if p.Kinds[kind] > 0 {
				fmt.Fprintf(&b, "%-10s %5d\n", kind, p.Kinds[kind])
			}
		}
		b.WriteByte('\n')
	}
	table("user", p.Users, true)
	fmt.Fprintf(&b, "\n%d reads of %d models compared: %d agree (%s), %d differ, %d leak\n",
		p.Reads, len(p.Models), p.Agree, share(p.Agree, p.Reads), p.Reads-p.Agree, p.Kinds[Leak])
	fmt.Fprintf(&b, "way: %d direct, %d hybrid, %d odoo, %d refused; %d more are Odoo's and were not made\n",
		p.Paths[reader.PathDirect], p.Paths[reader.PathHybrid], p.Paths[reader.PathOdoo], p.Paths["refused"], p.Unsampled)
	fmt.Fprintf(&b, "stored fields: %d of %d direct (%s); of models without Python access code: %d of %d (%s)\n",
		p.StoredDirect, p.Stored, share(p.StoredDirect, p.Stored), p.PureDirect, p.Pure, share(p.PureDirect, p.Pure))
	reasons := slices.SortedFunc(maps.Keys(p.Indirect), func(a, b string) int {
		return cmp.Or(p.Indirect[b]-p.Indirect[a], strings.Compare(a, b))
	})
	for _, reason := range reasons[:min(len(reasons), reasonsShown)] {
		fmt.Fprintf(&b, "    %5d not: %s\n", p.Indirect[reason], reason)
	}
	for _, reason := range slices.Sorted(maps.Keys(p.Strict)) {
		fmt.Fprintf(&b, "stricter by design (%s): %d\n", reason, p.Strict[reason])
	}
	if p.Moving+p.Slow > 0 {
		fmt.Fprintf(&b, "not comparable: %d kept changing, %d took too long\n", p.Moving, p.Slow)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
