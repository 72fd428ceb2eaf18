package schema

import "strings"

// treeWidth is how long a line of a formatted tree may be, in characters.
const treeWidth = 64

// FormatTree writes a tree in the tuple syntax, over several lines where it is long. ParseTree gives the
// same tree for it.
func FormatTree(t *Tree) string {
	w := &treeWriter{}
	w.tuple(t.Items, 0, 0, 0)
	return w.b.String()
}

// FormatTreeLine is FormatTree on one line.
func FormatTreeLine(t *Tree) string { return tupleLine(t.Items) }

func tupleLine(items []Item) string {
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = itemLine(item)
	}
	if len(parts) == 1 {
		return "(" + parts[0] + ",)"
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func itemLine(item Item) string {
	if item.Form == Plain {
		return "'" + item.Name + "'"
	}
	head, tail := nestedBrackets(item)
	return head + tupleLine(item.Sub.Items) + tail
}

// nestedBrackets are what stands before and behind the fields of a nested item.
func nestedBrackets(item Item) (head, tail string) {
	head = "('" + item.Name + "', "
	if item.Form == List {
		return head + "[", "])"
	}
	return head, ")"
}

type treeWriter struct{ b strings.Builder }

// tuple writes fields. The line that it begins on is indented by indent and has column characters so
// far; after more will follow it.
func (w *treeWriter) tuple(items []Item, indent, column, after int) {
	if line := tupleLine(items); column+len(line)+after <= treeWidth {
		w.b.WriteString(line)
		return
	}
	w.b.WriteByte('(')
	indent += 4
	column = treeWidth // names go on a line of names alone
	for _, item := range items {
		if line := itemLine(item) + ","; item.Form == Plain && column+1+len(line) <= treeWidth {
			w.b.WriteString(" " + line)
			column += 1 + len(line)
			continue
		}
		w.newLine(indent)
		if item.Form == Plain {
			line := itemLine(item) + ","
			w.b.WriteString(line)
			column = indent + len(line)
			continue
		}
		head, tail := nestedBrackets(item)
		w.b.WriteString(head)
		w.tuple(item.Sub.Items, indent, indent+len(head), len(tail)+1)
		w.b.WriteString(tail + ",")
		column = treeWidth
	}
	w.newLine(indent - 4)
	w.b.WriteByte(')')
}

func (w *treeWriter) newLine(indent int) {
	w.b.WriteString("\n" + strings.Repeat(" ", indent))
}
