package reader

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lateral/schema"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Each file of testdata/sql is a request, a line of dashes, and per series the SQL that lateral
// compiles it to, or why it leaves it to Odoo. The request has one setting per line:
// model, fields, filters, order, offset, limit, one, created, together, lang, active_test, layered, and rule MODEL,
// opaque MODEL, closed MODEL, hidden MODEL.
func TestCompileGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/sql/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			request, want, _ := strings.Cut(string(raw), "\n----\n")
			var got strings.Builder
			for _, series := range []string{"14.0", "19.0"} {
				fmt.Fprintf(&got, "## %s\n%s\n", series, compileText(t, series, request))
			}
			if *update {
				if err := os.WriteFile(file, []byte(strings.TrimRight(request, "\n")+"\n----\n"+got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got.String()); diff != "" {
				t.Errorf("-want +got (go test ./reader -update writes them anew):\n%s", diff)
			}
		})
	}
}

var setting = regexp.MustCompile(`^(\w+)(?: (\S+))?: (.*)$`)

func compileText(t *testing.T, series, request string) string {
	t.Helper()
	f := fixtureAccess{
		catalogue: fixture(series), rules: map[string]schema.Domain{}, opaque: map[string]string{},
		closed: map[string]bool{}, hidden: map[string]string{},
	}
	q, readContext := Query{Profile: Classic()}, Context{}
	for _, line := range strings.Split(request, "\n") {
		m := setting.FindStringSubmatch(line)
		if m == nil {
			if line != "" && !strings.HasPrefix(line, "#") {
				t.Fatalf("cannot read %q", line)
			}
			continue
		}
		key, model, text := m[1], m[2], m[3]
		switch v := schema.ParseParam(text); key {
		case "model":
			q.Model = text
		case "fields":
			tree, err := schema.ParseTree(f.catalogue, q.Model, v)
			if err != nil {
				t.Fatal(err)
			}
			q.Preset = &schema.Preset{ReadAll: tree, ReadOne: tree, CreateOne: tree}
		case "filters":
			q.Filters = v
		case "order":
			q.Order = text
		case "offset":
			q.Offset = v.(int64)
		case "limit":
			q.Limit = v.(int64)
		case "count":
			q.Count = v.(bool)
		case "one":
			q.One, q.ID = true, v.(int64)
		case "created":
			q.One, q.Created, q.ID = true, true, v.(int64)
		case "together":
			q.One, q.many, q.ID = true, true, v.(int64)
			f.layered = true
		case "lang":
			readContext.Lang = text
		case "active_test":
			flag := v.(bool)
			readContext.ActiveTest = &flag
		case "rule":
			rule, err := schema.ParseDomain(v)
			if err != nil {
				t.Fatal(err)
			}
			f.rules[model] = rule
		case "opaque":
			f.opaque[model] = text
		case "closed":
			f.closed[model] = true
		case "hidden":
			f.hidden[model] = text
		case "layered":
			f.layered = v.(bool)
		default:
			t.Fatalf("unknown setting %q", key)
		}
	}
	plan, made, err := compileQuery(t, f, q, readContext)
	if reason, ok := delegated(err); ok {
		return "odoo: " + reason
	}
	if err != nil {
		return "error: " + err.Error()
	}
	out := made.sql
	if made.count != "" {
		out += "\ncount: " + made.count
	}
	if len(made.args) > 0 {
		out += fmt.Sprintf("\nargs: %v", made.args)
	}
	if made.layer != nil {
		out += partTexts(made.layer, "")
	}
	if computed := computedReason(plan.Root, ""); computed != "" {
		out += "\ncomputed: " + computed
	}
	return strings.NewReplacer(spliceMark, "<", spliceEnd, ">").Replace(out)
}

// partTexts lists the statements of a layer's parts, with the paths of their fields.
func partTexts(l *layer, path string) string {
	var out strings.Builder
	for _, c := range l.columns {
		if c.part == nil {
			continue
		}
		name := path + "/" + strings.Trim(c.lead, `{,":`)
		if c.ofRecord {
			fmt.Fprintf(&out, "\n%s, alongside: %s", name, c.part.sql)
		} else {
			fmt.Fprintf(&out, "\n%s: %s", name, c.part.sql)
		}
		if len(c.part.args) > 1 {
			fmt.Fprintf(&out, "\nargs: %v", c.part.args[1:])
		}
		out.WriteString(partTexts(&c.part.layer, name))
	}
	return out.String()
}
