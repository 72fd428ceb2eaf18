package integration

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lateral/endpoint"
	"lateral/integration/stack"
	"lateral/schema"
)

// block is a fenced block of a document: its info string's language and what follows that, and its text.
type block struct {
	file, language, about, text string
	line                        int
	answers                     bool // nothing but empty lines stands between it and the block before
}

func (b block) String() string { return fmt.Sprintf("%s:%d", b.file, b.line) }

// blocksOf returns the blocks of a document.
func blocksOf(t testing.TB, file string) []block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", file))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	var open *block
	adjacent := false
	for i, line := range strings.Split(string(text), "\n") {
		info, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			language, about, _ := strings.Cut(strings.TrimSpace(info), " ")
			open = &block{file: file, language: language, about: about, line: i + 1, answers: adjacent}
		case fence:
			blocks = append(blocks, *open)
			open, adjacent = nil, true
		case open != nil:
			open.text += line + "\n"
		case strings.TrimSpace(line) != "":
			adjacent = false
		}
	}
	if open != nil {
		t.Fatalf("%s: a block does not end", open)
	}
	return blocks
}

// documents are all that is shipped.
func documents(t testing.TB) []string {
	t.Helper()
	found, err := filepath.Glob("../docs/*.md")
	if err != nil || len(found) == 0 {
		t.Fatalf("documents: %v, %v", found, err)
	}
	files := []string{"README.md"}
	for _, file := range found {
		files = append(files, strings.TrimPrefix(file, "../"))
	}
	return files
}

// notRun says why a block of commands is not run here.
const notRun = "not-run: "

// Where and how a block of commands runs, if not in a folder of its own and to its end.
const (
	inRepository = "in-repository"
	untilStopped = "until-stopped"
)

// documentedElsewhere are the requests of docs/writing.md, which TestWrites sends.
var documentedElsewhere = regexp.MustCompile(`^(POST|PUT|DELETE) /`)

// documentRunner runs the blocks of the documents on one service.
type documentRunner struct {
	client
	folder string
	// shell is the environment of commands; stands puts what is here in the place of the documents' names.
	shell  []string
	stands *strings.Replacer
	// ran is the last block of commands, with what it printed and the status of its last answer.
	ran    block
	output string
	status string
	counts map[string]int
}

// Ensure every block of the documents is true: commands run and answer with the statuses and in the
// shapes that stand behind them, presets, settings and scripts are what lateral takes. A block that
// nothing looks at is an error.
func TestDocuments(t *testing.T) {
	s := shared(t, versions()[0]).fork(t)
	presets, endpoints := map[string]string{}, map[string]string{}
	var all []block
	for _, file := range documents(t) {
		for _, b := range blocksOf(t, file) {
			all = append(all, b)
			switch {
			case b.language == "python" && b.about == "alias":
				presets[fmt.Sprintf("%d.alias", b.line)] = b.text
			case b.language == "star":
				endpoints[fmt.Sprintf("%s%d.star", filepath.Base(b.file), b.line)] = b.text
			}
		}
	}
	v := s.serve(t, presets, "LATERAL_ENDPOINTS_FOLDER="+scripts(t, endpoints))
	r := &documentRunner{client: s.client(t, v, stack.RoleAdmin), folder: t.TempDir(), counts: map[string]int{}}
	r.prepare()
	v.until(t, "the service is ready", func() bool { return v.send("GET", "/readyz", "", "").status == 200 })
	for _, b := range all {
		if err := r.check(b); err != nil {
			t.Errorf("%s: %v", b, err)
		}
	}
	t.Logf("blocks: %v", r.counts)
	for _, file := range []string{"README.md", "docs/getting-started.md", "docs/reference.md", "docs/migration.md", "docs/endpoints.md", "docs/security.md"} {
		if r.counts[file] == 0 {
			t.Errorf("%s has no example that was run", file)
		}
	}
	r.codes()
}

// check does with a block what its language says.
func (r *documentRunner) check(b block) error {
	r.counts[b.language]++
	switch {
	case b.language == "sh":
		if reason, skipped := strings.CutPrefix(b.about, notRun); skipped && reason != "" {
			r.counts["not run"]++
			return nil
		}
		r.counts[b.file]++
		if b.about == untilStopped {
			return r.serveAndStop(b)
		}
		return r.run(b)
	case b.language == "json" && b.answers && r.ran.file == b.file:
		return r.compare(b)
	case b.language == "csv" && b.answers && r.ran.file == b.file:
		return r.compareTable(b)
	case b.language == "json":
		var value any
		return json.Unmarshal([]byte(b.text), &value)
	case b.language == "python":
		return r.preset(b)
	case b.language == "yaml":
		return r.settings(b)
	case b.language == "star":
		return script(b)
	case b.language == "" && b.file == "docs/writing.md" && documentedElsewhere.MatchString(b.text):
		return nil
	}
	return fmt.Errorf("nothing looks at a block of %q; say sh, json, csv, python, yaml or star, or %q with a reason", b.language+" "+b.about, "sh "+notRun)
}

// compare holds the last output against the answer that a document has.
func (r *documentRunner) compare(b block) error {
	want := b.about
	if want == "" && strings.HasPrefix(r.status, "2") {
		want = r.status
	}
	if r.status != want {
		return fmt.Errorf("%s answers %s, not %s: %.500s", r.ran, r.status, want, r.output)
	}
	var documented, got any
	if err := json.Unmarshal([]byte(b.text), &documented); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(r.output), &got); err != nil {
		return fmt.Errorf("%s: %w: %.500s", r.ran, err, r.output)
	}
	if wrong := shape("answer", documented, got); wrong != "" {
		return fmt.Errorf("%s: %s:\n%.800s", r.ran, wrong, r.output)
	}
	return nil
}

// compareTable holds the last output against a table: the names of its columns, and how many rows it has.
func (r *documentRunner) compareTable(b block) error {
	want, err := csv.NewReader(strings.NewReader(b.text)).ReadAll()
	if err != nil {
		return err
	}
	got, err := csv.NewReader(strings.NewReader(r.output)).ReadAll()
	if err != nil {
		return fmt.Errorf("%s: %w: %.500s", r.ran, err, r.output)
	}
	if r.status != "200" || len(got) == 0 {
		return fmt.Errorf("%s answers %s: %.500s", r.ran, r.status, r.output)
	}
	if !slices.Equal(got[0], want[0]) || len(got) != len(want) {
		return fmt.Errorf("%s: another table:\n%.800s", r.ran, r.output)
	}
	return nil
}

// shape tells where an answer is of another shape than the documented one, null being of any. Lists are
// compared as far as both go; one that is empty shows nothing.
func shape(path string, want, got any) string {
	switch want := want.(type) {
	case nil:
		return ""
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s is no object", path)
		}
		for name := range object {
			if _, ok := want[name]; !ok {
				return fmt.Sprintf("%s.%s is not documented", path, name)
			}
		}
		for name, inner := range want {
			value, ok := object[name]
			if !ok {
				return fmt.Sprintf("%s.%s is missing", path, name)
			}
			if wrong := shape(path+"."+name, inner, value); wrong != "" {
				return wrong
			}
		}
	case []any:
		list, ok := got.([]any)
		if !ok || len(want) > 0 && len(list) == 0 {
			return fmt.Sprintf("%s is no list, or empty", path)
		}
		for i := range min(len(want), len(list)) {
			if wrong := shape(fmt.Sprintf("%s[%d]", path, i), want[i], list[i]); wrong != "" {
				return wrong
			}
		}
	default:
		if got != nil && fmt.Sprintf("%T", want) != fmt.Sprintf("%T", got) {
			return fmt.Sprintf("%s is %v, documented is %v", path, got, want)
		}
		// The code of an error is what clients decide on.
		if strings.HasSuffix(path, ".error") && want != got {
			return fmt.Sprintf("%s is %v, documented is %v", path, got, want)
		}
	}
	return ""
}

// preset resolves a preset against the database's models.
func (r *documentRunner) preset(b block) error {
	text := schema.PresetText{Model: b.about, Source: b.String(), Text: b.text}
	if b.about == "alias" {
		text.Model, text.Alias = "", true
	}
	_, _, err := text.Resolve(r.s.catalogue(r.t))
	return err
}

// script loads a script.
func script(b block) error {
	e := &endpoint.Engine{Limits: endpoint.Limits{Steps: 1e6, Memory: 1 << 20}, Time: time.Second, Log: slog.New(slog.DiscardHandler)}
	set := (*endpoint.Set)(nil).Renew(e, []endpoint.File{{Name: "a.star", Text: b.text}}, func([]string) error { return nil })
	return set.Problems()["a.star"]
}

// codes checks that the reference has every error code of the API's description, and that the example
// of endpoints is the one that is shipped.
func (r *documentRunner) codes() {
	reference, err := os.ReadFile("../docs/reference.md")
	if err != nil {
		r.t.Fatal(err)
	}
	d := newDocumentClient(r.t, r.v, "/v2/openapi.json?models=res.country")
	for status, response := range d.document.Components.Responses {
		for _, code := range regexp.MustCompile("`[a-z_]+`").FindAllString(*response.Value.Description, -1) {
			if !strings.Contains(string(reference), code) {
				r.t.Errorf("docs/reference.md does not have %s (%s)", code, status)
			}
		}
	}
	example, err := os.ReadFile("../examples/endpoints/customer.star")
	if err != nil {
		r.t.Fatal(err)
	}
	for _, b := range blocksOf(r.t, "docs/endpoints.md") {
		if b.language == "star" && b.text != string(example) {
			r.t.Errorf("%s is not examples/endpoints/customer.star", b)
		}
	}
}
