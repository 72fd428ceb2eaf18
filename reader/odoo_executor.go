package reader

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"lateral/auth"
	"lateral/writer"
)

const (
	// odooChunk is how many records one call reads at most. It bounds what is held in memory.
	odooChunk = 500
	// odooCache is how many bytes of documents of nested records are kept between the chunks of
	// one request, so that a record shared by many is read once.
	odooCache = 16 << 20
)

// recordID is an id of a record as Odoo has it: an int64, or the text that a model without a table
// counts by (Odoo 19.0: addons/account/models/account_root.py).
type recordID = any

// tableIDs are ids of records that have a table, which are whole numbers.
func tableIDs(ids []int64) []recordID {
	list := make([]recordID, len(ids))
	for i, id := range ids {
		list[i] = id
	}
	return list
}

func isRecordID(v any) bool {
	switch v := v.(type) {
	case int64:
		return true
	case string:
		return v != ""
	}
	return false
}

// odooExecutor answers a plan over RPC, level by level, as the user. What XML-RPC cannot carry, a
// json value that holds null or an integer beyond 32 bits, is the caller's business.
type odooExecutor struct {
	caller writer.Caller
}

// search returns the ids of the plan's root records, in order.
func (o *odooExecutor) search(ctx context.Context, who auth.Credentials, p *Plan) ([]int64, error) {
	domain := possibleIDs(p.RawDomain)
	kwargs := map[string]any{"context": p.Context.Map()}
	if p.Offset > 0 {
		kwargs["offset"] = p.Offset
	}
	if p.Limit > 0 {
		kwargs["limit"] = p.Limit
	}
	if p.Order != "" {
		kwargs["order"] = p.Order
	}
	model := p.Root.Model.Name
	result, err := o.caller.Execute(ctx, who, model, "search", []any{domain}, kwargs)
	if err != nil {
		return nil, odooError("searching "+model, "", err)
	}
	list, ok := result.([]any)
	if !ok {
		return nil, odooError("searching "+model, "", fmt.Errorf("search returned a %T", result))
	}
	ids := make([]int64, len(list))
	for i, item := range list {
		if ids[i], ok = item.(int64); !ok {
			return nil, odooError("searching "+model, "", fmt.Errorf("search returned a list with a %T", item))
		}
	}
	return ids, nil
}

// documents reads root records in chunks and yields the finished JSON document of each, in the
// order of ids. Records that do not exist are left out. It stops at the first error, yield's
// included.
func (o *odooExecutor) documents(ctx context.Context, who auth.Credentials, p *Plan, ids []int64, yield func(id int64, doc []byte) error) error {
	r := o.newRun(who, p)
	return r.chunks(tableIDs(ids), func(chunk []recordID) error {
		documents, err := r.objects(ctx, p.Root, chunk, "")
		if err != nil {
			return err
		}
		for _, id := range chunk {
			document, ok := documents[id]
			if !ok {
				continue
			}
			if err := yield(id.(int64), document); err != nil {
				return err
			}
		}
		r.trim()
		return nil
	})
}

// render reads fields of a level's records and returns, by id, the JSON text of each node, in the
// nodes' order. Records that do not exist are left out.
func (o *odooExecutor) render(ctx context.Context, who auth.Credentials, p *Plan, level *Level, nodes []*Node, ids []int64) (map[int64][][]byte, error) {
	values, err := o.newRun(who, p).values(ctx, level, nodes, tableIDs(ids), "")
	if err != nil {
		return nil, err
	}
	texts := make(map[int64][][]byte, len(values))
	for _, id := range ids {
		if found, ok := values[id]; ok {
			texts[id] = found
		}
	}
	return texts, nil
}

// odooRun is one request's reading of a plan.
type odooRun struct {
	caller  writer.Caller
	who     auth.Credentials
	plan    *Plan
	context map[string]any
	chunk   int // records per call

	cache map[*Level]map[recordID][]byte // documents of nested records
	bytes int                            // of the cache
}

func (o *odooExecutor) newRun(who auth.Credentials, p *Plan) *odooRun {
	return &odooRun{
		caller: o.caller, who: who, plan: p, context: p.Context.Map(), chunk: odooChunk,
		cache: map[*Level]map[recordID][]byte{},
	}
}

// chunks calls do with as many ids at a time as one call reads. Where the answer gets too large, it
// goes on with half as many.
func (r *odooRun) chunks(ids []recordID, do func(chunk []recordID) error) error {
	for len(ids) > 0 {
		n := min(len(ids), r.chunk)
		err := do(ids[:n])
		if fault, ok := errors.AsType[*writer.Fault](err); ok && fault.Kind == writer.TooLarge && n > 1 {
			r.chunk = (n + 1) / 2
			continue
		}
		if err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// trim forgets the nested documents once they are more than a request may keep. It is called
// between the chunks of the root, when nobody uses them.
func (r *odooRun) trim() {
	if r.bytes > odooCache {
		clear(r.cache)
		r.bytes = 0
	}
}

// nested returns the documents of a nested level's records, by id, reading those it has not yet.
func (r *odooRun) nested(ctx context.Context, level *Level, ids []recordID, path string) (map[recordID][]byte, error) {
	known := r.cache[level]
	if known == nil {
		known = map[recordID][]byte{}
		r.cache[level] = known
	}
	seen := make(map[recordID]bool, len(ids))
	var missing []recordID
	for _, id := range ids {
		if _, ok := known[id]; !ok && !seen[id] {
			seen[id] = true
			missing = append(missing, id)
		}
	}
	err := r.chunks(missing, func(chunk []recordID) error {
		documents, err := r.objects(ctx, level, chunk, path)
		if err != nil {
			return err
		}
		for id, document := range documents {
			known[id] = document
			r.bytes += len(document)
		}
		return nil
	})
	return known, err
}

// objects returns the documents of one chunk of records, by id.
func (r *odooRun) objects(ctx context.Context, level *Level, ids []recordID, path string) (map[recordID][]byte, error) {
	values, err := r.chunkValues(ctx, level, level.Nodes, ids, path)
	if err != nil {
		return nil, err
	}
	documents := make(map[recordID][]byte, len(values))
	for id, texts := range values {
		document := []byte{'{'}
		for i, text := range texts {
			if i > 0 {
				document = append(document, ',')
			}
			document = append(appendString(document, level.Nodes[i].Key), ':')
			document = append(document, text...)
		}
		documents[id] = append(document, '}')
	}
	return documents, nil
}

// values returns the JSON texts of fields of any number of records, by id.
func (r *odooRun) values(ctx context.Context, level *Level, nodes []*Node, ids []recordID, path string) (map[recordID][][]byte, error) {
	values := make(map[recordID][][]byte, len(ids))
	err := r.chunks(ids, func(chunk []recordID) error {
		part, err := r.chunkValues(ctx, level, nodes, chunk, path)
		for id, texts := range part {
			values[id] = texts
		}
		r.trim()
		return err
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}

// chunkValues reads one chunk of records and what is nested in them. Where some of a level's fields are
// refused, all are asked for: what one field's computation leaves in Odoo's cache, another's may use
// without being asked whether it may (19.0: account.payment.method.line, default_account_id and
// display_name).
func (r *odooRun) chunkValues(ctx context.Context, level *Level, nodes []*Node, ids []recordID, path string) (map[recordID][][]byte, error) {
	rows, err := r.read(ctx, level, nodes, ids, path)
	if refused, ok := errors.AsType[*Error](err); ok && refused.Kind == Denied && len(nodes) < len(level.Nodes) {
		rows, err = r.read(ctx, level, level.Nodes, ids, path)
	}
	if err != nil {
		return nil, err
	}
	values := make(map[recordID][][]byte, len(rows))
	for id := range rows {
		values[id] = make([][]byte, len(nodes))
	}
	for i, n := range nodes {
		if err := r.column(ctx, n, join(path, n.Key), ids, rows, func(id recordID, text []byte) { values[id][i] = text }); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// column writes one field of all rows, of which ids is the order.
func (r *odooRun) column(ctx context.Context, n *Node, path string, ids []recordID, rows map[recordID]map[string]any, set func(id recordID, text []byte)) error {
	sub := sub(n)
	if sub == nil {
		for id, row := range rows {
			text, err := appendNode(nil, n, row[n.Field.Name])
			if err != nil {
				return at(err, path, n.Field.Name)
			}
			set(id, text)
		}
		return nil
	}

	targets := make(map[recordID][]recordID, len(rows))
	var all []recordID
	for _, id := range ids {
		row, ok := rows[id]
		if !ok {
			continue
		}
		behind, err := targetsOf(n, row[n.Field.Name])
		if err != nil {
			return at(err, path, n.Field.Name)
		}
		if n.Shape == SingleObject && len(behind) > 1 {
			return &Error{
				Kind: NotSingle, Field: n.Field.Name, Path: path,
				Message: fmt.Sprintf("the field %s is asked for as one record, and there are %d", path, len(behind)),
			}
		}
		targets[id] = behind
		all = append(all, behind...)
	}
	if n.Shape == NamedID {
		var err error
		if all, err = r.reachable(ctx, sub, all); err != nil {
			return err
		}
	}
	documents, err := r.nested(ctx, sub, all, path)
	if err != nil {
		return err
	}
	for id := range rows {
		if n.Shape == NamedID {
			set(id, appendNamed(nil, targets[id], documents))
			continue
		}
		set(id, appendObjects(nil, n.Shape, targets[id], documents))
	}
	return nil
}

// appendObjects appends nested records. Those that have vanished since are left out.
func appendObjects(dst []byte, shape Shape, ids []recordID, documents map[recordID][]byte) []byte {
	list := shape == Objects || shape == ObjectList
	if list {
		dst = append(dst, '[')
	}
	written := 0
	for _, id := range ids {
		document, ok := documents[id]
		if !ok {
			continue
		}
		if written > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, document...)
		written++
	}
	switch {
	case list:
		dst = append(dst, ']')
	case written == 0:
		dst = append(dst, "null"...)
	}
	return dst
}

// targetsOf returns the ids behind a relational value.
func targetsOf(n *Node, v any) ([]recordID, error) {
	if n.Field.Type.X2many() {
		return idsOf(n, v)
	}
	id, err := idOf(n, v)
	if err != nil || id == nil {
		return nil, err
	}
	return []recordID{id}, nil
}

// read reads fields of one chunk of records in one call, by id. Many2one values come as bare ids
// (load=""): their names would be computed for nothing. Fields of which no answer can carry all, such as
// bytes beside None, are read in parts.
func (r *odooRun) read(ctx context.Context, level *Level, nodes []*Node, ids []recordID, path string) (map[recordID]map[string]any, error) {
	kwargs := map[string]any{"fields": readFields(level, nodes), "load": "", "context": r.context}
	model := level.Model.Name
	result, err := r.caller.Execute(ctx, r.who, model, "read", []any{ids}, kwargs)
	if fault, ok := errors.AsType[*writer.Fault](err); ok && (fault.Kind == writer.ReturnedNone || fault.Kind == writer.Unreturnable) && len(nodes) > 1 {
		return r.readParts(ctx, level, nodes, ids, path)
	}
	if err != nil {
		return nil, odooError("reading "+model, path, err)
	}
	list, ok := result.([]any)
	if !ok {
		return nil, odooError("reading "+model, path, fmt.Errorf("read returned a %T", result))
	}
	rows := make(map[recordID]map[string]any, len(list))
	for _, item := range list {
		row, _ := item.(map[string]any)
		if !isRecordID(row["id"]) {
			return nil, odooError("reading "+model, path, errors.New("read returned a record without an id"))
		}
		rows[row["id"]] = row
	}
	return rows, nil
}

// readParts reads one half of the fields and then the other.
func (r *odooRun) readParts(ctx context.Context, level *Level, nodes []*Node, ids []recordID, path string) (map[recordID]map[string]any, error) {
	rows, err := r.read(ctx, level, nodes[:len(nodes)/2], ids, path)
	if err != nil {
		return nil, err
	}
	more, err := r.read(ctx, level, nodes[len(nodes)/2:], ids, path)
	if err != nil {
		return nil, err
	}
	for id, row := range rows {
		if more[id] == nil {
			delete(rows, id) // It has gone between the two.
		}
		maps.Copy(row, more[id])
	}
	return rows, nil
}

// join adds a key to a dotted path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
