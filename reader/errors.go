package reader

import (
	"errors"
	"fmt"
)

// Kind says what a failed read means for the one who asked.
type Kind int

const (
	// Internal: a bug, or something unforeseen; its text is for the log alone.
	Internal Kind = iota
	// ModelNotFound: the database has no such model.
	ModelNotFound
	// NotFound: read one found no record: missing, archived or hidden by a rule.
	NotFound
	// Denied: the user may not read the model, a field or a nested record.
	Denied
	// Invalid: the request cannot be read: a bad domain, order, field, value or page.
	Invalid
	// NotSingle: a field asked for in one-record form has several records.
	NotSingle
	// InvalidToken: the user is gone or archived.
	InvalidToken
	// OdooUnavailable: Odoo was needed and could not be reached.
	OdooUnavailable
	// DatabaseUnavailable: PostgreSQL could not be reached.
	DatabaseUnavailable
	// Timeout: the read took longer than the limits allow.
	Timeout
	// NotAvailable: the model's preset closes it.
	NotAvailable
	// Overloaded: no connection became free in time.
	Overloaded
)

// Error is a failed read. Message is fit to be shown to the client: it names what was wrong and
// where, and holds no SQL, secret or path of a file.
type Error struct {
	Kind    Kind
	Field   string // the field at fault, where one is
	Path    string // its dotted path from the root, where it is nested
	Message string
	Err     error // the cause, for the log
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Message, e.Err)
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

func invalid(format string, args ...any) *Error {
	return &Error{Kind: Invalid, Message: fmt.Sprintf(format, args...)}
}

func denied(format string, args ...any) *Error {
	return &Error{Kind: Denied, Message: fmt.Sprintf(format, args...)}
}

// at adds to an error where in the tree it happened.
func at(err error, path, field string) error {
	var e *Error
	if errors.As(err, &e) && e.Field == "" {
		located := *e
		located.Field, located.Path = field, path
		return &located
	}
	return err
}

// delegation is why a part of a plan cannot be answered by SQL exactly as Odoo would. It is no
// failure: what it concerns is read through Odoo instead.
type delegation struct{ reason string }

func (d *delegation) Error() string { return "to be read by Odoo: " + d.reason }

func delegate(format string, args ...any) error {
	return &delegation{reason: fmt.Sprintf(format, args...)}
}

// delegated returns the reason of a delegation, and whether err is one.
func delegated(err error) (string, bool) {
	var d *delegation
	if errors.As(err, &d) {
		return d.reason, true
	}
	return "", false
}
