package reader

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"lateral/auth"
	"lateral/schema"
	"lateral/writer"
)

// sub returns the level of the records nested in a field, nil where the field's shape has none.
func sub(n *Node) *Level {
	switch n.Shape {
	case Object, ObjectList, Objects, SingleObject, NamedID:
		return n.Sub
	}
	return nil
}

// reachable returns those of the records that the user may read, archived ones included.
func (r *odooRun) reachable(ctx context.Context, level *Level, ids []recordID) ([]recordID, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	readContext := map[string]any{}
	for key, value := range r.context {
		readContext[key] = value
	}
	readContext["active_test"] = false
	model := level.Model.Name
	result, err := r.caller.Execute(ctx, r.who, model, "search", []any{[]any{[]any{"id", "in", ids}}}, map[string]any{"context": readContext})
	if fault, ok := errors.AsType[*writer.Fault](err); ok && fault.Kind == writer.Access {
		return nil, nil
	}
	if err != nil {
		return nil, odooError("searching "+model, "", err)
	}
	list, _ := result.([]any)
	found := make([]recordID, 0, len(list))
	for _, id := range list {
		if isRecordID(id) {
			found = append(found, id)
		}
	}
	return found, nil
}

// appendNamed appends a many2one as its id and, where it could be read, its name.
func appendNamed(dst []byte, targets []recordID, documents map[recordID][]byte) []byte {
	if len(targets) == 0 {
		return append(dst, "null"...)
	}
	if document, ok := documents[targets[0]]; ok {
		return append(dst, document...)
	}
	dst = append(dst, `{"id":`...)
	return append(appendRecordID(dst, targets[0]), '}')
}

// readFields returns the names of the fields to read for nodes. Where none of them has a column,
// one that has is added: without, Odoo answers ids that do not exist (19.0: odoo/orm/models.py,
// fetch) and leaves rules to whatever else is read.
func readFields(level *Level, nodes []*Node) []string {
	names := make([]string, 0, len(nodes)+1)
	anchored := false
	for _, n := range nodes {
		f := n.Field
		if f.Name == "id" || slices.Contains(names, f.Name) {
			continue
		}
		names = append(names, f.Name)
		anchored = anchored || hasColumn(f)
	}
	if !anchored {
		if name := anchor(level); name != "" {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		// An empty list means all fields.
		names = append(names, "id")
	}
	return names
}

// hasColumn reports whether reading a field reads the record's row.
func hasColumn(f *schema.Field) bool {
	return f.Stored && f.Column != "" && f.Name != "id"
}

// anchor returns the name of a cheap field that the user may read and that has a column.
func anchor(level *Level) string {
	usable := func(name string) bool {
		f := level.Model.Field(name)
		return f != nil && hasColumn(f) && f.Type != schema.Binary && f.Type != schema.Image && visible(level.Access, name)
	}
	for _, name := range []string{"create_date", "write_date", level.Model.RecName} {
		if name != "" && usable(name) {
			return name
		}
	}
	for _, name := range level.Model.FieldNames() {
		if usable(name) {
			return name
		}
	}
	return ""
}

// visible reports whether the user may read a field, as far as that is known.
func visible(access *auth.ModelAccess, name string) bool {
	if access == nil || access.Fields == nil {
		return true
	}
	_, ok := access.Fields[name]
	return ok
}

// possibleIDs returns a domain without the ids that no record can have. Integers of any size can be
// sent, since Python's XML-RPC parser takes them, but PostgreSQL fails on a comparison of id with
// one beyond 32 bits up to 14.0, which quotes it (14.0: odoo/osv/expression.py,
// __leaf_to_sql). Other fields are left to do what they do in Odoo.
func possibleIDs(domain []any) []any {
	possible := make([]any, len(domain))
	for i, term := range domain {
		possible[i] = term
		leaf, ok := term.([]any)
		if tuple, isTuple := term.(schema.Tuple); isTuple {
			leaf, ok = tuple, true
		}
		if !ok || len(leaf) != 3 || leaf[0] != "id" || !beyondIDs(leaf[2]) {
			continue
		}
		switch leaf[1] {
		case "=", "==":
			possible[i] = []any{int64(0), "=", int64(1)}
		case "!=", "<>":
			possible[i] = []any{int64(1), "=", int64(1)}
		}
	}
	return possible
}

// beyondIDs reports whether a value is an integer that a column of 32 bits cannot hold.
func beyondIDs(v any) bool {
	switch n := v.(type) {
	case int:
		return int64(n) != int64(int32(n))
	case int64:
		return n != int64(int32(n))
	case *big.Int:
		return !n.IsInt64() || beyondIDs(n.Int64())
	}
	return false
}

// odooError describes a failed call. what says what was done, and path where in the tree; it is
// empty at the root. The cause stays in reach as *writer.Fault.
func odooError(what, path string, err error) error {
	if path != "" {
		what += " (" + path + ")"
	}
	fault, ok := errors.AsType[*writer.Fault](err)
	if !ok {
		return &Error{Kind: Internal, Path: path, Message: what + " through Odoo failed", Err: err}
	}
	return &Error{
		Kind: kindOfFault(fault.Kind), Path: path,
		Message: fmt.Sprintf("%s through Odoo failed. ERROR: %s", what, fault.Odoo()),
		Err:     err,
	}
}

// kindOfFault returns what a fault of Odoo means for a read.
func kindOfFault(kind writer.Kind) Kind {
	switch kind {
	case writer.Access:
		return Denied
	case writer.AccessDenied:
		return InvalidToken
	case writer.Validation, writer.Missing, writer.NoMethod, writer.BadArguments, writer.BadValue, writer.Internal,
		writer.ReturnedNone, writer.Unreturnable:
		// Whatever exception Odoo raises, it refuses the read. That it raises one while it writes its answer
		// down, because bytes are no text (ir.attachment.raw), makes no difference.
		return Invalid
	case writer.Unavailable:
		return OdooUnavailable
	case writer.Timeout, writer.Canceled:
		return Timeout
	case writer.Conflict:
		return Overloaded
	default:
		return Internal
	}
}
