package schema

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strconv"
)

// longString is the length in bytes from which on a string is lifted out of a JSON text.
const longString = 64 << 10

// liftedText is a JSON text without its long strings, such as an upload's base64: the decoder would
// copy them several times over. A mark stands for each.
type liftedText struct {
	text    []byte
	strings map[string]string // by mark
	places  []liftedPlace
}

// liftedPlace is where a string was lifted out: its mark's end in the shorter text, and by how much
// what follows has moved.
type liftedPlace struct{ end, moved int64 }

// liftStrings lifts the long strings out of a text. It leaves in place keys, strings with escapes,
// and what the decoder is to refuse.
func liftStrings(text []byte) *liftedText {
	lifted := &liftedText{text: text}
	if len(text) < longString {
		return lifted
	}
	var short []byte
	var secret string
	kept := 0 // up to where text is in short
	for at := 0; at < len(text); {
		open := bytes.IndexByte(text[at:], '"')
		if open < 0 {
			break
		}
		begin := at + open + 1
		length, plain := stringLength(text[begin:])
		at = begin + length + 1
		if length < longString || !plain || at > len(text) || isKey(text[at:]) {
			continue
		}
		if secret == "" {
			// No client can write a mark that it does not know.
			secret = rand.Text()
			lifted.strings = map[string]string{}
		}
		mark := secret + strconv.Itoa(len(lifted.strings))
		lifted.strings[mark] = string(text[begin : at-1])
		short = append(append(append(short, text[kept:begin]...), mark...), '"')
		kept = at
		lifted.places = append(lifted.places, liftedPlace{end: int64(len(short)), moved: int64(at - len(short))})
	}
	if len(lifted.strings) > 0 {
		lifted.text = append(short, text[kept:]...)
	}
	return lifted
}

// stringLength returns how long a string is whose opening quote lies before text, and whether it
// stands there as it is meant: without escapes and without what JSON does not allow.
func stringLength(text []byte) (length int, plain bool) {
	plain = true
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return i, plain
		case c == '\\':
			plain = false
			i++
		case c < 0x20:
			plain = false
		}
	}
	return len(text), false
}

// isKey reports whether what follows a string makes it a key.
func isKey(rest []byte) bool {
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return len(rest) > 0 && rest[0] == ':'
}

// offset returns where a place of the shorter text is in the text itself.
func (l *liftedText) offset(short int64) int64 {
	moved := int64(0)
	for _, place := range l.places {
		if place.end > short {
			break
		}
		moved = place.moved
	}
	return short + moved
}

// located returns a syntax error of the shorter text with its place in the text itself.
func (l *liftedText) located(err error) error {
	var syntaxError *json.SyntaxError
	if errors.As(err, &syntaxError) {
		syntaxError.Offset = l.offset(syntaxError.Offset)
	}
	return err
}
