package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"lateral/reader"
)

// outcome is how a read ended: with records, or with a refusal.
type outcome struct {
	refusal   string // "": answered
	text      string // of a refusal
	at        string // the dotted path of the field that was refused
	path      string // which way the read went
	documents []string
	records   []Object
	ids       []int64
}

// Refusals of a read.
const (
	refusedAccess  = "denied"
	refusedInput   = "invalid"
	refusedMissing = "not found"
	// failed is what no request deserves, such as a statement that PostgreSQL refuses.
	failed = "failed"
)

// same reports whether two outcomes are one and the same.
func (o outcome) same(other outcome) bool {
	return o.refusal == other.refusal && slices.Equal(o.documents, other.documents)
}

func (o outcome) String() string {
	if o.refusal == "" {
		return fmt.Sprintf("answers %d records", len(o.records))
	}
	text := []rune(strings.ReplaceAll(o.text, "\n", " "))
	if len(text) > 300 {
		text = append(text[:300], '…')
	}
	return o.refusal + " (" + string(text) + ")"
}

// collect reads an answer to its end. It fails with what stands in the way of both sides: a server
// that is not there, a time that has run out.
func collect(ctx context.Context, one bool, result *reader.Result, err error) (outcome, error) {
	if err != nil {
		return refused(err)
	}
	defer result.Close()
	out := outcome{path: result.Path}
	for {
		document, err := result.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			end, err := refused(err)
			end.path = out.path
			return end, err
		}
		record, err := Decode(document)
		if err != nil {
			return out, err
		}
		id, err := strconv.ParseInt(string(idOf(record)), 10, 64)
		if err != nil {
			return out, fmt.Errorf("a record without an id: %.300s", document)
		}
		out.documents = append(out.documents, string(document))
		out.records = append(out.records, record)
		out.ids = append(out.ids, id)
	}
	if one && len(out.ids) == 0 {
		out.refusal = refusedMissing
	}
	return out, nil
}

// refused makes an outcome of a failed read.
func refused(err error) (outcome, error) {
	e, ok := errors.AsType[*reader.Error](err)
	if !ok {
		return outcome{}, err
	}
	out := outcome{text: e.Message, at: e.Path}
	switch e.Kind {
	case reader.Denied:
		out.refusal = refusedAccess
	case reader.NotFound:
		out.refusal = refusedMissing
	case reader.Invalid, reader.NotSingle, reader.ModelNotFound:
		out.refusal = refusedInput
	case reader.Internal:
		out.refusal, out.text = failed, e.Error()
	default:
		return outcome{}, err
	}
	return out, nil
}
