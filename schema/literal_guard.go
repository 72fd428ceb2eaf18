package schema

import (
	"strings"
	"unicode/utf8"
)

// literalGuard walks over the tokens of a text before it is parsed. The parser recurses without
// a limit, so what could make it do so – brackets, chains of prefix operators and of conditional
// expressions – is bounded or refused here, where nothing recurses. On the way it rewrites the few
// string escapes that Python takes and Starlark does not.
type literalGuard struct {
	text  string
	pos   int
	depth int
	// last is the last character that was neither blank nor comment, 0 at the start. Names,
	// numbers and strings count as 'a'.
	last byte
	out  strings.Builder
	// copied is how much of text has been written to out.
	copied int
}

// guardLiteral returns the text, its escapes rewritten, or why it cannot be a literal.
func guardLiteral(text string) (string, error) {
	switch {
	case len(text) > MaxLiteralBytes:
		return "", &LiteralError{Line: 1, Col: 1, Msg: "the text is longer than 1 MiB"}
	case strings.IndexByte(text, 0) >= 0:
		return "", positionError(text, strings.IndexByte(text, 0), "a text cannot hold the character NUL")
	case !utf8.ValidString(text):
		return "", &LiteralError{Line: 1, Col: 1, Msg: "the text is not valid UTF-8"}
	}
	g := &literalGuard{text: text}
	for g.pos < len(text) {
		if msg := g.token(); msg != "" {
			return "", positionError(text, g.pos, msg)
		}
	}
	switch {
	case g.depth > 0:
		return "", positionError(text, len(text), "a bracket is not closed")
	case g.last == 0:
		return "", positionError(text, len(text), "a value is missing")
	}
	if g.copied == 0 {
		return text, nil
	}
	g.out.WriteString(text[g.copied:])
	return g.out.String(), nil
}

func positionError(text string, pos int, msg string) *LiteralError {
	before := text[:pos]
	line := strings.Count(before, "\n") + 1
	return &LiteralError{Line: line, Col: pos - strings.LastIndexByte(before, '\n'), Msg: msg}
}

// token steps over one token, or says what is wrong with it.
func (g *literalGuard) token() string {
	c := g.text[g.pos]
	switch {
	case c == ' ' || c == '\t' || c == '\n' || c == '\r':
		g.pos++
		return ""
	case c == '#':
		if end := strings.IndexByte(g.text[g.pos:], '\n'); end >= 0 {
			g.pos += end
		} else {
			g.pos = len(g.text)
		}
		return ""
	case c == '(' || c == '[' || c == '{':
		if g.last == 'a' || g.last == ')' {
			return "a comma is missing"
		}
		if g.depth++; g.depth > MaxNesting {
			return "brackets nest too deep"
		}
		g.last = c
	case c == ')' || c == ']' || c == '}':
		if g.depth--; g.depth < 0 {
			return "a bracket is closed that was not opened"
		}
		g.last = ')'
	case c == ',' || c == ':':
		g.last = c
	case c == '-':
		// A minus after a value would subtract, and one after a minus would make a chain.
		if g.last == 'a' || g.last == ')' || g.last == '-' {
			return "operators are not allowed"
		}
		g.last = c
	case c == '\'' || c == '"':
		return g.string(false)
	case c >= '0' && c <= '9' || c == '.':
		return g.number()
	case isLetter(c):
		return g.word()
	default:
		return "this character is not allowed outside of strings"
	}
	g.pos++
	return ""
}

// value notes that a value ends here; two in a row are no literal.
func (g *literalGuard) value(end int) string {
	if g.last == 'a' || g.last == ')' {
		return "a comma is missing"
	}
	g.pos, g.last = end, 'a'
	return ""
}

func (g *literalGuard) number() string {
	end := g.pos
	for end < len(g.text) {
		c := g.text[end]
		exponent := (c == '+' || c == '-') && (g.text[end-1] == 'e' || g.text[end-1] == 'E') &&
			!strings.HasPrefix(g.text[g.pos:], "0x") && !strings.HasPrefix(g.text[g.pos:], "0X")
		if c != '.' && c < utf8.RuneSelf && !isLetter(c) && (c < '0' || c > '9') && !exponent {
			break
		}
		end++
	}
	if end-g.pos > maxDigits {
		return "the number is too long"
	}
	return g.value(end)
}

func (g *literalGuard) word() string {
	end := g.pos
	for end < len(g.text) && (isLetter(g.text[end]) || g.text[end] >= '0' && g.text[end] <= '9') {
		end++
	}
	word := g.text[g.pos:end]
	if end < len(g.text) && (g.text[end] == '\'' || g.text[end] == '"') {
		switch word {
		case "u", "U":
			// Python's mark of a Unicode string says nothing.
			g.replace(g.pos, end, "")
			g.pos = end
			return g.string(false)
		case "r", "R":
			g.replace(g.pos, end, "r")
			g.pos = end
			return g.string(true)
		}
	}
	if word != "None" && word != "True" && word != "False" {
		return "a name is not allowed here: strings want quotes"
	}
	return g.value(end)
}

// string steps over a string whose first quote is at pos.
func (g *literalGuard) string(raw bool) string {
	start := g.pos
	quote := g.text[start : start+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(g.text[start:], triple) {
		quote = triple
	}
	for i := start + len(quote); i < len(g.text); {
		switch {
		case strings.HasPrefix(g.text[i:], quote):
			return g.value(i + len(quote))
		case g.text[i] == '\n' && len(quote) == 1:
			return "the string is not closed on its line"
		case g.text[i] == '\\' && raw:
			i += 2
		case g.text[i] == '\\':
			i = g.escape(i)
		default:
			i++
		}
	}
	return "the string is not closed"
}

// escape steps over an escape sequence at i and rewrites those that only Python knows: a backslash
// before a character that needs none stands for itself, as in the patterns of "like" ('50\%'), and
// \x and octal escapes reach up to 255.
func (g *literalGuard) escape(i int) int {
	if i+1 >= len(g.text) {
		return i + 1
	}
	const hexDigits = "0123456789abcdef"
	switch c := g.text[i+1]; {
	case strings.IndexByte("abfnrtv\\'\"\nuU", c) >= 0 || c == '\r':
		return i + 2
	case c == 'x':
		// Both forms have two digits after their prefix.
		g.replace(i, i+2, `\u00`)
		return i + 2
	case c >= '0' && c <= '7':
		end, code := i+1, 0
		for end < len(g.text) && end < i+4 && g.text[end] >= '0' && g.text[end] <= '7' {
			code = code*8 + int(g.text[end]-'0')
			end++
		}
		digits := []byte{'\\', 'u', '0', hexDigits[code>>8&15], hexDigits[code>>4&15], hexDigits[code&15]}
		g.replace(i, end, string(digits))
		return end
	}
	g.replace(i, i+1, `\\`)
	return i + 1
}

// replace writes the text up to from, and instead of what lies between from and to, with.
func (g *literalGuard) replace(from, to int, with string) {
	g.out.WriteString(g.text[g.copied:from])
	g.out.WriteString(with)
	g.copied = to
}

func isLetter(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
