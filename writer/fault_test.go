package writer

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kolo/xmlrpc"
)

// trace is a traceback as Odoo sends it, ending with the given exception.
func trace(exception string) string {
	return `Traceback (most recent call last):
  File "/usr/lib/python3/dist-packages/odoo/http.py", line 1, in _dispatch
    raise first
ValueError: the first

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/usr/lib/python3/dist-packages/odoo/service/model.py", line 73, in retrying
    result = func()
             ~~~~^^
  [Previous line repeated 3 more times]
` + exception + "\n"
}

// Ensure every fault is graded, and shown without what is nobody's business.
func TestParseFault(t *testing.T) {
	c := call{model: "res.partner", method: "frob", uid: 2, secret: "s3cret-word"}
	for _, test := range []struct {
		name string
		code int
		text string
		kind Kind
		odoo string
	}{
		{"access", 4, "You are not allowed.\n\nAsk 'somebody'.", Access, `AccessError("You are not allowed.\n\nAsk 'somebody'.")`},
		{"api.private", 4, "Private methods (such as 'res.partner.frob') cannot be called remotely.", NoMethod, "the method 'frob' of 'res.partner' is private: Odoo does not allow calling it from outside"},
		{"denied", 3, "Access Denied", AccessDenied, "AccessDenied('Access Denied')"},
		{"user error", 2, "Nothing to invoice.", Validation, "UserError('Nothing to invoice.')"},
		{"both quotes", 2, `He's "here" \ there`, Validation, `UserError('He\'s "here" \\ there')`},
		{"missing, 19.0", 2, "Record does not exist or has been deleted.\n(Record: res.partner(99,), User: 2)", Missing, `MissingError('Record does not exist or has been deleted.\n(Record: res.partner(99,), User: 2)')`},
		{"missing, French", 2, "L'enregistrement n'existe pas.\n(Enregistrement : res.partner(99, 100), Utilisateur : 2)", Missing, `MissingError("L'enregistrement n'existe pas.\n(Enregistrement : res.partner(99, 100), Utilisateur : 2)")`},
		{"missing, 14.0", 2, "One of the documents is gone.\n\n(Document type: res.partner, Operation: write, Records: [99], User: 2)", Missing, `MissingError('One of the documents is gone.\n\n(Document type: res.partner, Operation: write, Records: [99], User: 2)')`},
		{"somebody else's parentheses", 2, "Too many.\n(at most [2] of 3)", Validation, `UserError('Too many.\n(at most [2] of 3)')`},
		{"None", 1, trace("TypeError: cannot marshal None unless allow_none is enabled"), ReturnedNone, "TypeError('cannot marshal None unless allow_none is enabled')"},
		{"big int", 1, trace("OverflowError: int exceeds XML-RPC limits"), Unreturnable, "OverflowError('int exceeds XML-RPC limits')"},
		{"object", 1, trace("TypeError: cannot marshal <class 'set'> objects"), Unreturnable, `TypeError("cannot marshal <class 'set'> objects")`},
		{"keys", 1, trace("TypeError: dictionary key must be string"), Unreturnable, "TypeError('dictionary key must be string')"},
		{"no method, 19.0", 1, trace("AttributeError: The method 'res.partner.frob' does not exist"), NoMethod, `AttributeError("The method 'res.partner.frob' does not exist")`},
		{"no method, 14.0", 1, trace("AttributeError: type object 'res.partner' has no attribute 'frob'"), NoMethod, `AttributeError("type object 'res.partner' has no attribute 'frob'")`},
		{"attribute within", 1, trace("AttributeError: 'res.partner' object has no attribute 'x'"), Internal, `AttributeError("'res.partner' object has no attribute 'x'")`},
		{"arguments", 1, trace("TypeError: Partner.frob() got an unexpected keyword argument 'x'"), BadArguments, `TypeError("Partner.frob() got an unexpected keyword argument 'x'")`},
		{"arguments, Python 3.9", 1, trace("TypeError: frob() missing 1 required positional argument: 'x'"), BadArguments, `TypeError("frob() missing 1 required positional argument: 'x'")`},
		{"arguments within", 1, trace("TypeError: other() missing 1 required positional argument: 'x'"), Internal, `TypeError("other() missing 1 required positional argument: 'x'")`},
		{"value", 1, trace("ValueError: Invalid field 'x' on 'res.partner'"), BadValue, `ValueError("Invalid field 'x' on 'res.partner'")`},
		{"assertion", 1, trace("AssertionError: Invalid operator 'x' in domain term"), BadValue, `AssertionError("Invalid operator 'x' in domain term")`},
		{"database's value", 1, trace("psycopg2.errors.InvalidTextRepresentation: invalid input syntax for type integer: \"abc\"\nLINE 1: SELECT \"res_partner\".id FROM secret_table\n        ^"), BadValue, `InvalidTextRepresentation('invalid input syntax for type integer: "abc"')`},
		{"database's other", 1, trace("psycopg2.errors.UndefinedColumn: column res_partner.x does not exist\nLINE 1: SELECT x"), Internal, "UndefinedColumn('database error')"},
		{"serialisation", 1, trace("psycopg2.errors.SerializationFailure: could not serialize access due to concurrent update\nCONTEXT: SQL statement \"SELECT 1\""), Conflict, "SerializationFailure('could not serialize access due to concurrent update')"},
		{"statement timeout", 1, trace("psycopg2.errors.QueryCanceled: canceling statement due to statement timeout"), Timeout, "QueryCanceled('canceling statement due to statement timeout')"},
		{"database missing", 1, trace(`psycopg2.OperationalError: connection to server at "10.0.0.1", port 5432 failed: FATAL:  database "x" does not exist`), Unavailable, "Odoo cannot reach its database"},
		{"pool", 1, trace("psycopg2.pool.PoolError: The Connection Pool Is Full"), Unavailable, "Odoo cannot reach its database"},
		{"file", 1, trace("FileNotFoundError: [Errno 2] No such file or directory: '/var/lib/odoo/x'"), Internal, "FileNotFoundError('error of the operating system')"},
		{"path in a text", 1, trace("RuntimeError: cannot load /opt/odoo/addons/x.py, see '/etc/odoo/odoo.conf'"), Internal, `RuntimeError("cannot load …, see '…'")`},
		{"secret", 1, trace("RuntimeError: called with s3cret-word"), Internal, "RuntimeError('called with …')"},
		{"secret in a text for people", 2, "Typed s3cret-word.", Validation, "UserError('Typed ….')"},
		{"nested traceback", 1, trace("ValueError: odd\nTraceback (most recent call last) inside"), BadValue, "ValueError('odd')"},
		{"no message", 1, trace("KeyError"), Internal, "KeyError()"},
		{"several lines", 1, trace("odoo.tools.convert.ParseError: one\ntwo"), Internal, `ParseError('one\ntwo')`},
		{"no traceback", 1, "something else", Internal, "Exception()"},
		{"nothing", 1, "", Internal, "Exception()"},
	} {
		fault := parseFault(xmlrpc.FaultError{Code: test.code, String: test.text}, c)
		if fault.Kind != test.kind || fault.Odoo() != test.odoo {
			t.Errorf("%s: got %v %s, want %v %s", test.name, fault.Kind, fault.Odoo(), test.kind, test.odoo)
		}
		if fault.SafeToRetry() {
			t.Errorf("%s: may be retried, though Odoo has seen it", test.name)
		}
		for _, leak := range []string{"File \"", "SELECT", "/usr/", "/etc/", "s3cret-word", "10.0.0.1"} {
			if strings.Contains(fault.Error(), leak) {
				t.Errorf("%s: %s holds %q", test.name, fault.Error(), leak)
			}
		}
	}
}

// frames is a traceback through the functions given, the last of which raises the exception.
func frames(exception string, functions ...string) string {
	text := traceHead
	for _, name := range functions {
		text += "  File \"/odoo/x.py\", line 1, in " + name + "\n    x()\n    ~^^\n"
	}
	return text + exception + "\n"
}

// Ensure it is seen, by where an exception was raised, that a method has not begun or has ended.
func TestWhereRaised(t *testing.T) {
	again := func(trace, exception string) string {
		return trace[:strings.LastIndex(trace, "\n"+exception)] + "\nException\n\nThe above exception was the direct cause of the following exception:\n\n" +
			frames(exception, "_handle_exception", "_handle_exception")
	}
	const index = "IndexError: list index out of range"
	for _, test := range []struct {
		name, method, text string
		kind               Kind
	}{
		{"19.0", "frob", frames(index, "execute_cr", "retrying", "call_kw"), WantsRecords},
		{"14.0", "frob", frames(index, "execute_cr", "call_kw", "_call_kw_multi"), WantsRecords},
		{"14.0, JSON", "frob", again(frames(index, "call_kw", "_call_kw_multi"), index), WantsRecords},
		{"raised by the method", "frob", frames(index, "retrying", "call_kw", "frob"), Internal},
		{"raised by the method, 14.0, JSON", "frob", again(frames(index, "call_kw", "_call_kw_multi", "frob"), index), Internal},
		{"create, which has run", "create", frames(index, "retrying", "call_kw"), Internal},
		{"a field", "name", frames("AttributeError: 'Char' object has no attribute '__name__'", "call_kw", "_call_kw_multi"), NoMethod},
		{"a slot", "env", frames("TypeError: 'member_descriptor' object is not callable", "call_kw", "_call_kw_multi"), NoMethod},
		{"bytes that are no text", "frob", frames("UnicodeDecodeError: 'utf-8' codec", "dispatch", "_response", "make_json_response", "json_default"), Unreturnable},
	} {
		if fault := parseFault(xmlrpc.FaultError{Code: 1, String: test.text}, call{model: "m", method: test.method}); fault.Kind != test.kind {
			t.Errorf("%s: got %v", test.name, fault.Kind)
		}
	}
}

// Ensure it is told what is known of what a failed call has done.
func TestOutcome(t *testing.T) {
	for _, test := range []struct {
		fault Fault
		want  Outcome
	}{
		{Fault{Kind: Unavailable, unsent: true}, Undone},
		{Fault{Kind: Unavailable}, Unknown},
		{Fault{Kind: Timeout}, Unknown},
		{Fault{Kind: Timeout, class: "QueryCanceled"}, Undone},
		{Fault{Kind: Canceled}, Unknown},
		{Fault{Kind: Internal}, Unknown},
		{Fault{Kind: Internal, class: "KeyError"}, Undone},
		{Fault{Kind: Validation, class: "UserError"}, Undone},
		{Fault{Kind: ReturnedNone, class: "TypeError"}, Done},
		{Fault{Kind: TooLarge}, Done},
	} {
		if got := test.fault.Outcome(); got != test.want {
			t.Errorf("%+v: got %d", test.fault, got)
		}
	}
}

// Ensure a long message is cut, and between runes.
func TestLongMessage(t *testing.T) {
	fault := parseFault(xmlrpc.FaultError{Code: 1, String: trace("ValueError: " + strings.Repeat("é", 5000))}, call{})
	if want := strings.Repeat("é", maxMessage) + "…"; fault.Message != want {
		t.Fatalf("got %d bytes", len(fault.Message))
	}
}

// Ensure a refused login is found by errors.Is, and nothing else is.
func TestErrAccessDenied(t *testing.T) {
	if err := fmt.Errorf("wrapped: %w", &Fault{Kind: AccessDenied}); !errors.Is(err, ErrAccessDenied) {
		t.Error("AccessDenied is not ErrAccessDenied")
	}
	if errors.Is(&Fault{Kind: Access}, ErrAccessDenied) {
		t.Error("Access is ErrAccessDenied")
	}
}
