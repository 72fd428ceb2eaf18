package verify

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"lateral/schema"
)

// Python writes a value as a Python literal.
func Python(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case string:
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`).Replace(v) + "'"
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = Python(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case schema.Tuple:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = Python(item)
		}
		if len(parts) == 1 {
			return "(" + parts[0] + ",)"
		}
		return "(" + strings.Join(parts, ", ") + ")"
	case map[string]any:
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, Python(key)+": "+Python(v[key]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(v)
}
