package integration

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// documentedElsewhere are the requests of docs/writing.md, which TestWrites sends.
var documentedElsewhere = regexp.MustCompile(`^(POST|PUT|DELETE) /`)

// documentRunner runs the blocks of the documents on one service.
type documentRunner struct {
	client
	folder string
	shell  string // PATH with a curl that notes the statuses of its answers
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
	bin := filepath.Join(r.folder, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Fatalf("the documents' commands need curl: %v", err)
	}
	shim := fmt.Sprintf("#!/bin/sh\nexec %s -w '%%{stderr}%%{http_code}\\n' \"$@\" 2>>%s/statuses\n", curl, r.folder)
	if err := os.WriteFile(filepath.Join(bin, "curl"), []byte(shim), 0o700); err != nil {
		t.Fatal(err)
	}
	r.shell = bin + ":" + os.Getenv("PATH")
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
		return r.run(b)
	case b.language == "json" && b.answers && r.ran.file == b.file:
		return r.compare(b)
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
	return fmt.Errorf("nothing looks at a block of %q; say sh, json, python, yaml or star, or %q with a reason", b.language, "sh "+notRun)
}

// run runs commands, on the service in place of the one of the documents.
func (r *documentRunner) run(b block) error {
	_ = os.Remove(filepath.Join(r.folder, "statuses"))
	command := exec.CommandContext(r.t.Context(), "bash", "-euo", "pipefail", "-c", strings.ReplaceAll(b.text, "http://localhost:8070", r.v.url))
	command.Dir = r.folder
	command.Env = append(os.Environ(), "PATH="+r.shell, "TOKEN="+r.token)
	out, err := command.CombinedOutput()
	statuses, _ := os.ReadFile(filepath.Join(r.folder, "statuses"))
	lines := strings.Fields(string(statuses))
	r.ran, r.output, r.status = b, string(out), ""
	if len(lines) > 0 {
		r.status = lines[len(lines)-1]
		for _, status := range lines[:len(lines)-1] {
			if status[0] != '2' {
				return fmt.Errorf("an answer on the way has the status %s:\n%s", status, out)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("%w:\n%s", err, out)
	}
	return nil
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

// settings loads a configuration.
func (r *documentRunner) settings(b block) error {
	file := filepath.Join(r.folder, "config.yaml")
	if err := os.WriteFile(file, []byte(b.text), 0o600); err != nil {
		return err
	}
	command := exec.CommandContext(r.t.Context(), binary.executable(r.t), "config", "--config", file)
	command.Env = []string{"LATERAL_DATABASE_DSN=dbname=x", "LATERAL_ODOO_URL=http://localhost:8069", "LATERAL_ODOO_DATABASE=x"}
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w:\n%s", err, out)
	}
	return nil
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
