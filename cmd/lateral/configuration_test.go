package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the table of docs/configuration.md")

// perProcessor are defaults that depend on the machine.
var perProcessor = map[string]string{
	"database.max_conns": "4 for each processor, 8 at least", "redis.pool_size": "8 for each processor, 16 at least",
}

// settingRow is a setting's row in the document.
func settingRow(k key) string {
	value, depends := perProcessor[k.name]
	if !depends {
		switch v := k.value.Interface().(type) {
		case string:
			value = v
		case time.Duration:
			value = v.String()
			for _, zeros := range []string{"m0s", "h0m"} {
				if strings.HasSuffix(value, zeros) {
					value = strings.TrimSuffix(value, zeros[1:])
				}
			}
		default:
			value = fmt.Sprint(v)
		}
		if value != "" {
			value = "`" + value + "`"
		}
	}
	return fmt.Sprintf("| `%s` | %s | %s |\n", k.name, value, k.help)
}

// Ensure the document lists every setting as it is; -update makes it so.
func TestConfigurationDocument(t *testing.T) {
	const document, head = "../../docs/configuration.md", "| key | default | meaning |\n|---|---|---|\n"
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	before, table, found := strings.Cut(string(text), head)
	if !found {
		t.Fatal("the document has no table of settings")
	}
	settings := defaults()
	var want strings.Builder
	for _, k := range keysOf(&settings) {
		want.WriteString(settingRow(k))
	}
	if *update {
		if err := os.WriteFile(document, []byte(before+head+want.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		table = want.String()
	}
	if diff := cmp.Diff(want.String(), table); diff != "" {
		t.Errorf("go test ./cmd/lateral -run TestConfigurationDocument -update writes it:\n%s", diff)
	}
}
