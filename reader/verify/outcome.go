package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"lateral/reader"
)

// Outcome is how a read ended: with records, or with a refusal.
type Outcome struct {
	Refusal string // "": answered; else one of the constants below
	Text    string // of a refusal
	At      string // the dotted path of the field that was refused
	Path    string // which way the read went
	Records []Object
	IDs     []int64 // of the records
}

// Refusals of a read.
const (
	RefusedAccess  = "denied"
	RefusedInput   = "invalid"
	RefusedMissing = "not found"
	// Failed is what no request deserves, such as a statement that PostgreSQL refuses.
	Failed = "failed"
)

// same reports whether two outcomes are one and the same.
func (o Outcome) same(other Outcome) bool {
	return o.Refusal == other.Refusal && compareRecords(o, other) == nil
}

func (o Outcome) String() string {
	if o.Refusal == "" {
		return fmt.Sprintf("answers %d records", len(o.Records))
	}
	text := []rune(strings.ReplaceAll(o.Text, "\n", " "))
	if len(text) > 300 {
		text = append(text[:300], '…')
	}
	return o.Refusal + " (" + string(text) + ")"
}

// Collect reads an answer of lateral's to its end; err is that of the read itself. It fails with what stands in the way of both sides: a server
// that is not there, a time that has run out.
func Collect(ctx context.Context, one bool, result *reader.Result, err error) (Outcome, error) {
	if err != nil {
		return refused(err)
	}
	defer result.Close()
	out := Outcome{Path: result.Path}
	for {
		document, err := result.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			end, err := refused(err)
			end.Path = out.Path
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
		out.Records = append(out.Records, record)
		out.IDs = append(out.IDs, id)
	}
	if one && len(out.IDs) == 0 {
		out.Refusal = RefusedMissing
	}
	return out, nil
}

// refused makes an outcome of a failed read.
func refused(err error) (Outcome, error) {
	e, ok := errors.AsType[*reader.Error](err)
	if !ok {
		return Outcome{}, err
	}
	out := Outcome{Text: e.Message, At: e.Path}
	switch e.Kind {
	case reader.Denied:
		out.Refusal = RefusedAccess
	case reader.NotFound:
		out.Refusal = RefusedMissing
	case reader.Invalid, reader.NotSingle, reader.ModelNotFound:
		out.Refusal = RefusedInput
	case reader.Internal:
		out.Refusal, out.Text = Failed, e.Error()
	default:
		return Outcome{}, err
	}
	return out, nil
}
