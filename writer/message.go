package writer

import (
	"bytes"
	"crypto/rand"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// message is the body of a call, in parts that follow each other. An upload of 100 MB is one of
// them: the text that the client sent, which is neither copied nor encoded again.
type message []string

// size returns the message's length in bytes.
func (m message) size() int64 {
	var n int64
	for _, part := range m {
		n += int64(len(part))
	}
	return n
}

// reader reads the message from its beginning.
func (m message) reader() io.ReadCloser {
	readers := make([]io.Reader, len(m))
	for i, part := range m {
		readers[i] = strings.NewReader(part)
	}
	return io.NopCloser(io.MultiReader(readers...))
}

// longText is the length in bytes from which on a text becomes a part of its own.
const longText = 64 << 10

// longTexts are the long texts of a call. While the rest is encoded, a mark stands for each: the
// encoder copies what it is given once for every level of nesting.
type longTexts struct {
	mark  string // random, so that no client can write one
	texts []string
}

// text returns what to encode for a text: itself, or its mark.
func (l *longTexts) text(s string) (string, error) {
	if err := checkText(s); err != nil || len(s) < longText {
		return s, err
	}
	// Line breaks and quotes are as good in XML as their references.
	if strings.ContainsAny(s, "&<>\r") {
		var escaped bytes.Buffer
		if err := xml.EscapeText(&escaped, []byte(s)); err != nil {
			return "", fmt.Errorf("escape text: %w", err)
		}
		s = escaped.String()
	}
	if l.mark == "" {
		l.mark = "long text " + rand.Text() + " "
	}
	l.texts = append(l.texts, s)
	return l.mark + strconv.Itoa(len(l.texts)-1) + ".", nil
}

// putInto replaces the marks in an encoded call.
func (l *longTexts) putInto(body []byte) message {
	if l.mark == "" {
		return message{string(body)}
	}
	m := make(message, 0, 2*len(l.texts)+1)
	rest := string(body)
	for {
		before, after, found := strings.Cut(rest, l.mark)
		m = append(m, before)
		if !found {
			return m
		}
		number, behind, _ := strings.Cut(after, ".")
		// The marks are our own, and so are their numbers.
		if i, err := strconv.Atoi(number); err == nil && i < len(l.texts) {
			m = append(m, l.texts[i])
		}
		rest = behind
	}
}
