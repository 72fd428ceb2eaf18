package writer

import (
	"errors"
	"strconv"
	"strings"
)

// ErrAccessDenied is what errors.Is finds in a fault of kind AccessDenied: Odoo refuses the login,
// or the user's password or key is no longer valid.
var ErrAccessDenied = errors.New("odoo: access denied")

// Kind grades why a call failed.
type Kind int

const (
	// Internal is any failure that no other kind describes: an exception in Odoo's code, or an
	// answer that cannot be read.
	Internal Kind = iota
	// Access is Odoo's AccessError: the model's ACL, a record rule, a field's groups or the list of
	// companies forbid it.
	Access
	// AccessDenied is a refused login.
	AccessDenied
	// Validation is a UserError, ValidationError or RedirectWarning: the text is meant for people,
	// in the language of the call's context. XML-RPC does not tell the three apart.
	Validation
	// Missing is a MissingError: a record of the call does not exist.
	Missing
	// NoMethod means that the model has no such method, or that it is private.
	NoMethod
	// BadArguments means that the method does not take the arguments given.
	BadArguments
	// BadValue means that Odoo cannot make sense of a value: an unknown field, a malformed domain
	// or order, text where the database wants a number, or text that XML cannot carry.
	BadValue
	// Conflict is a lock or serialisation conflict that Odoo's own retries did not resolve.
	Conflict
	// ReturnedNone means that the method has run and committed, and returned None, or something
	// that holds None, which XML-RPC does not carry.
	ReturnedNone
	// Unreturnable means that the method has run and committed, but that its result has no form in
	// XML-RPC: an integer beyond 32 bits, a key that is no text, an object.
	Unreturnable
	// Unavailable means that Odoo, or the database behind it, cannot be reached.
	Unavailable
	// Timeout means that Odoo did not answer in time; the call may still be running.
	Timeout
	// Canceled means that the caller gave up; the call may still be running.
	Canceled
	// NoSession means that Odoo grants the user no web session, which reports are fetched with.
	NoSession
	// TooLarge means that the answer is bigger than Config.MaxResponse. The method has run.
	TooLarge
	// WantsRecords means that the method is one of records, and that the call gave none to run it
	// on, not even an empty list: it has not run.
	WantsRecords
)

// String returns the kind's name in metrics and logs.
func (k Kind) String() string {
	names := [...]string{
		Internal: "internal", Access: "access", AccessDenied: "access_denied", Validation: "validation",
		Missing: "missing", NoMethod: "no_method", BadArguments: "bad_arguments", BadValue: "bad_value",
		Conflict: "conflict", ReturnedNone: "returned_none", Unreturnable: "unreturnable",
		Unavailable: "unavailable", Timeout: "timeout", Canceled: "canceled", NoSession: "no_session", TooLarge: "too_large",
		WantsRecords: "wants_records",
	}
	if k < 0 || int(k) >= len(names) {
		return "unknown"
	}
	return names[k]
}

// Fault is a call that failed, in Odoo or on the way there.
type Fault struct {
	Kind Kind
	// Message is Odoo's own message or, where Odoo was not reached, ours. It holds no traceback,
	// SQL, path, address or secret, and may be shown to the client.
	Message string

	class  string // Python class of Odoo's exception, without its module; empty where there is none
	unsent bool   // not a byte of the request has left
	cause  error  // for logs
}

// Error returns the kind, the message and the cause, for logs.
func (f *Fault) Error() string {
	text := "odoo: " + f.Kind.String() + ": " + f.Odoo()
	if f.cause != nil {
		text += ": " + f.cause.Error()
	}
	return text
}

// Unwrap returns what lies behind a fault of the transport, or nil.
func (f *Fault) Unwrap() error { return f.cause }

// Is makes errors.Is(err, ErrAccessDenied) true of a refused login.
func (f *Fault) Is(target error) bool {
	return target == ErrAccessDenied && f.Kind == AccessDenied
}

// Odoo returns Odoo's refusal the way Python shows an exception, as in
// AccessError('You are not allowed …'), and the bare message of a failure on the way to Odoo.
func (f *Fault) Odoo() string {
	if f.class == "" {
		return f.Message
	}
	if f.Message == "" {
		return f.class + "()"
	}
	return f.class + "(" + quotePython(f.Message) + ")"
}

// SafeToRetry reports whether it is certain that Odoo has not seen the call. It is false for
// anything that Odoo may have begun to run, even where Odoo rolled it back: a method may have done
// things outside of its transaction.
func (f *Fault) SafeToRetry() bool { return f.unsent }

// Outcome is what is known of what a failed call has done in Odoo's database.
type Outcome int

const (
	// Undone means nothing: Odoo was not reached, refused, or rolled everything back.
	Undone Outcome = iota
	// Done means that the call has run and its changes are kept.
	Done
	// Unknown means that Odoo may or may not have run the call.
	Unknown
)

// Outcome returns what is known of what the call has done.
func (f *Fault) Outcome() Outcome {
	switch f.Kind {
	case ReturnedNone, Unreturnable, TooLarge:
		return Done
	case Unavailable, Timeout, Canceled, Internal:
		// An exception that Odoo names has ended the transaction.
		if f.class == "" && !f.unsent {
			return Unknown
		}
	}
	return Undone
}

// quotePython quotes text as Python's repr does, for the cases that matter in a message.
func quotePython(s string) string {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.WriteByte(quote)
	for _, r := range s {
		switch {
		case r == '\\' || r == rune(quote):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7F:
			b.WriteString(`\x`)
			if r < 0x10 {
				b.WriteByte('0')
			}
			b.WriteString(strconv.FormatInt(int64(r), 16))
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte(quote)
	return b.String()
}
