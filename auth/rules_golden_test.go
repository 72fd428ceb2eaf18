package auth

import (
	"context"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lateral/schema"
)

var update = flag.Bool("update", false, "write the results of golden tests instead of comparing")

// Ensure that every rule of the two real databases means what it meant. The files hold each distinct
// text, white space reduced, and after an arrow the domain for the user of rulePrincipal or, after
// "opaque:", why there is none. Run with -update and read the difference after a change.
func TestRulesGolden(t *testing.T) {
	t.Parallel()
	for _, series := range []string{"14.0", "19.0"} {
		path := "testdata/rules-" + series + ".txt"
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		var result strings.Builder
		for block := range strings.SplitSeq(strings.TrimSpace(string(content)), "\n\n") {
			text, _, _ := strings.Cut(block, "\n")
			e := newEvaluator(context.Background(), rulePrincipal(), ruleCatalogue(series), ruleRecords(), knownFieldViews)
			domain, opaque, err := e.domain(text)
			require.NoError(t, err)
			result.WriteString(text + "\n=> ")
			if opaque != "" {
				result.WriteString("opaque: " + opaque)
			} else {
				result.WriteString(schema.FormatLiteral(schema.DomainList(domain)))
			}
			result.WriteString("\n\n")
		}
		if *update {
			require.NoError(t, os.WriteFile(path, []byte(result.String()), 0o644))
			continue
		}
		require.Equal(t, string(content), result.String())
	}
}
