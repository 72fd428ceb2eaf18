package writer

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kolo/xmlrpc"
)

// The fault codes of Odoo's second XML-RPC endpoint (14.0: odoo/service/wsgi_server.py; 19.0:
// odoo/addons/rpc/controllers/xmlrpc.py).
const (
	codeException    = 1 // any other exception; the text is a traceback
	codeWarning      = 2 // UserError, ValidationError, MissingError, RedirectWarning
	codeAccessDenied = 3
	codeAccessError  = 4
)

// maxMessage bounds the runes of a message taken from a traceback: some exceptions carry whole
// documents.
const maxMessage = 1000

// call is what a fault is judged by, beside its own text.
type call struct {
	model, method string // of execute_kw; empty otherwise
	uid           int64
	secret        string
}

// parseFault turns a fault that Odoo answered into ours.
func parseFault(f xmlrpc.FaultError, c call) *Fault {
	switch f.Code {
	case codeAccessError:
		// 19.0's methods marked api.private look like any other until one calls them.
		if strings.HasPrefix(f.String, privateText) {
			return privateMethod(c, false)
		}
		return &Fault{Kind: Access, class: "AccessError", Message: readable(withoutSecret(f.String, c.secret))}
	case codeAccessDenied:
		return &Fault{Kind: AccessDenied, class: "AccessDenied", Message: readable(withoutSecret(f.String, c.secret))}
	case codeWarning:
		if isMissing(f.String, c.uid) {
			return &Fault{Kind: Missing, class: "MissingError", Message: readable(withoutSecret(f.String, c.secret))}
		}
		return &Fault{Kind: Validation, class: "UserError", Message: readable(withoutSecret(f.String, c.secret))}
	}
	class, message := lastException(f.String)
	return faultOfException(class, message, f.String, c)
}

// faultOfException grades an exception whose class is known, dotted, as in a traceback or in an
// answer of JSON-RPC.
func faultOfException(class, message, trace string, c call) *Fault {
	kind := kindOfException(class, message, c)
	switch where := functions(trace); {
	case kind == Access && strings.HasPrefix(message, privateText):
		return privateMethod(c, false)
	case kind == Internal && marshalling(where):
		kind = Unreturnable
	case len(where) == 0 || !callers[where[len(where)-1]]:
	case shortClass(class) == "IndexError" && c.method != "create":
		kind = WantsRecords
	case strings.HasSuffix(message, " object is not callable"), strings.HasSuffix(message, " object has no attribute '__name__'"):
		// The name is that of a field or another attribute (14.0).
		kind = NoMethod
	}
	if kind == Unavailable {
		// The text is a driver's, with addresses and names of databases.
		return &Fault{Kind: kind, Message: "Odoo cannot reach its database"}
	}
	return &Fault{Kind: kind, class: shortClass(class), Message: discreet(class, message, c.secret)}
}

// privateText begins what Odoo says of private methods.
const privateText = "Private methods (such as"

// callers are the functions of Odoo that call a method by its name. Of one that is no method of the
// model itself they take the records from the first argument, before anything of it has run: with
// no argument, that is an IndexError raised in them (14.0: odoo/api.py, _call_kw_multi; 19.0:
// odoo/service/model.py, call_kw). Of create they look at the first argument once it has run.
var callers = map[string]bool{"call_kw": true, "_call_kw_multi": true, "call_kw_multi": true}

// marshalling reports whether an exception was raised while a finished call's result was written
// (14.0: odoo/http.py; 19.0: odoo/http.py, and xmlrpc.client of Python).
func marshalling(functions []string) bool {
	return slices.ContainsFunc(functions, func(name string) bool {
		return name == "make_json_response" || name == "_json_response" || strings.HasPrefix(name, "dump_")
	})
}

// functions returns the names of the functions that the last exception of a traceback went through,
// the one that raised it last.
func functions(trace string) []string {
	// 14.0's JSON-RPC raises an exception again, as caused by a nameless one that has its frames
	// (odoo/http.py, _handle_exception).
	if at := strings.LastIndex(trace, "\nException\n\nThe above exception was the direct cause of "); at >= 0 {
		trace = trace[:at]
	}
	if at := strings.LastIndex(trace, traceHead); at >= 0 {
		trace = trace[at:]
	}
	var names []string
	for _, frame := range traceFrame.FindAllStringSubmatch(trace, -1) {
		names = append(names, frame[1])
	}
	return names
}

var traceFrame = regexp.MustCompile(`(?m)^  File ".*", line \d+, in (\S+)$`)

// traceHead begins the traceback of one exception.
const traceHead = "Traceback (most recent call last):\n"

// privateMethod is the fault of calling what RPC does not reach.
func privateMethod(c call, unsent bool) *Fault {
	return &Fault{
		Kind:    NoMethod,
		Message: "the method '" + c.method + "' of '" + c.model + "' is private: Odoo does not allow calling it from outside",
		unsent:  unsent,
	}
}

// isMissing tells a MissingError from the other warnings. The text is translated; what stays is its
// last line: in parentheses, some records' ids, and at the end the user's (19.0: odoo/orm/fields.py,
// __get__; 14.0: odoo/models.py, _write and check_access_rule).
func isMissing(text string, uid int64) bool {
	line := text[strings.LastIndexByte(text, '\n')+1:]
	return line != text && missingLine.MatchString(line) && strings.HasSuffix(line, " "+strconv.FormatInt(uid, 10)+")")
}

var missingLine = regexp.MustCompile(`^\(.*[(\[]\d+(, ?\d+)*,?[)\]].*\)$`)

// lastException returns the class, dotted, and the message of the exception that a traceback ends
// with. The message may have several lines.
func lastException(trace string) (class, message string) {
	if at := strings.LastIndex("\n"+trace, "\n"+traceHead); at >= 0 {
		trace = trace[at+len(traceHead):]
		// Frames and their lines of source are indented; the exception is not.
		for strings.HasPrefix(trace, " ") || strings.HasPrefix(trace, "\n") {
			_, rest, found := strings.Cut(trace, "\n")
			if !found {
				return "", ""
			}
			trace = rest
		}
	}
	trace = strings.TrimRight(trace, "\n ")
	class, message, _ = strings.Cut(trace, ":")
	if !pythonName.MatchString(class) {
		return "", ""
	}
	return class, strings.TrimSpace(message)
}

var pythonName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// shortClass returns a class's name without its module.
func shortClass(class string) string {
	if class == "" {
		return "Exception"
	}
	return class[strings.LastIndexByte(class, '.')+1:]
}

// kindOfException judges an exception by its class and message.
func kindOfException(class, message string, c call) Kind {
	if strings.HasPrefix(class, "psycopg2.") {
		return kindOfDatabaseError(shortClass(class), message)
	}
	switch shortClass(class) {
	case "AccessError":
		return Access
	case "AccessDenied":
		return AccessDenied
	case "MissingError":
		return Missing
	case "UserError", "ValidationError", "RedirectWarning":
		return Validation
	case "TypeError":
		switch {
		case strings.HasPrefix(message, "cannot marshal None"):
			return ReturnedNone
		case strings.HasPrefix(message, "cannot marshal "), strings.HasPrefix(message, "dictionary key must be string"):
			return Unreturnable
		case isSignature(message, c.method):
			return BadArguments
		}
	case "OverflowError":
		if strings.Contains(message, "XML-RPC limits") {
			return Unreturnable
		}
	case "AttributeError":
		if isUnknownMethod(message, c) {
			return NoMethod
		}
	case "ValueError", "AssertionError":
		return BadValue
	case "ConcurrencyError":
		return Conflict
	case "PoolError":
		return Unavailable
	}
	return Internal
}

// kindOfDatabaseError judges an exception of psycopg2 by its class.
func kindOfDatabaseError(class, message string) Kind {
	switch class {
	case "SerializationFailure", "LockNotAvailable", "DeadlockDetected", "TransactionRollbackError":
		return Conflict
	case "QueryCanceled", "QueryCanceledError":
		return Timeout
	case "OperationalError", "InterfaceError", "AdminShutdown", "CannotConnectNow", "PoolError", "TooManyConnections":
		return Unavailable
	case "InvalidTextRepresentation", "NumericValueOutOfRange", "DatetimeFieldOverflow", "InvalidDatetimeFormat",
		"DataError", "UndefinedFunction", "DatatypeMismatch", "InvalidParameterValue", "InvalidRegularExpression",
		"InvalidRowCountInLimitClause", "InvalidRowCountInResultOffsetClause":
		return BadValue
	case "ProgrammingError":
		if strings.Contains(message, "adapt type") {
			return BadValue
		}
	}
	return Internal
}

// isSignature reports whether Python refused the arguments of the method that was called, rather
// than of one that it called in turn.
func isSignature(message, method string) bool {
	name, rest, ok := strings.Cut(message, "()")
	if !ok || method == "" || name[strings.LastIndexByte(name, '.')+1:] != method {
		return false
	}
	return strings.Contains(rest, "argument")
}

// isUnknownMethod reports whether the called model has no such method: in one set of words up to
// 17.0, which looks the method up on the class (14.0: odoo/api.py, call_kw), and in another later
// (19.0: odoo/service/model.py, get_public_method).
func isUnknownMethod(message string, c call) bool {
	return message == "type object '"+c.model+"' has no attribute '"+c.method+"'" ||
		message == "The method '"+c.model+"."+c.method+"' does not exist"
}

// discreet returns what of an exception's message may be shown.
func discreet(class, message, secret string) string {
	switch {
	case strings.HasPrefix(class, "psycopg2."):
		if kindOfDatabaseError(shortClass(class), message) == Internal {
			return "database error"
		}
		// The lines after the first hold the statement.
		message, _, _ = strings.Cut(message, "\n")
	case strings.HasSuffix(class, "OSError"), strings.HasSuffix(class, "FileNotFoundError"),
		strings.HasSuffix(class, "PermissionError"), strings.HasSuffix(class, "CalledProcessError"):
		return "error of the operating system"
	}
	return absolutePath.ReplaceAllString(readable(withoutSecret(message, secret)), "${1}…")
}

// withoutSecret returns a message without the secret of the call: Python shows arguments in some.
// It comes before anything else is cut out, which could leave a part of the secret. What is shorter
// than any good secret would only garble the text.
func withoutSecret(message, secret string) string {
	if len(secret) < 6 {
		return message
	}
	return strings.ReplaceAll(message, secret, "…")
}

var absolutePath = regexp.MustCompile(`(^|[\s'"(=<\[,])/(?:[\w.+-]+/)+[\w.+-]*`)

// readable returns a message without any traceback in it, and not longer than messages are.
func readable(message string) string {
	if before, _, ok := strings.Cut(message, "Traceback (most recent call last)"); ok {
		message = before
	}
	message = strings.TrimSpace(message)
	if utf8.RuneCountInString(message) > maxMessage {
		message = string([]rune(message)[:maxMessage]) + "…"
	}
	return message
}
