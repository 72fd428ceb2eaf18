package openapi

import (
	"encoding/json"
	"strconv"
)

// parameters are those that several operations share.
func parameters(typed bool) object {
	query := func(name, text string, s object) object {
		return object{"name": name, "in": "query", "description": text, "schema": s}
	}
	text := object{"type": "string"}
	all := object{
		"filters":        query("filters", "An Odoo domain: [('name', 'like', 'x'), ('active', '=', True)]", text),
		"order":          query("order", "Fields to sort by: name desc, id", text),
		"offset":         query("offset", "Records to skip.", object{"type": "integer", "minimum": 0}),
		"after":          query("after", "Pages by key: the next of the page before, or an empty text for the first page. It takes the place of offset.", text),
		"limit":          query("limit", "Records of a page; all without it.", object{"type": "integer", "minimum": 0}),
		"format":         query("format", "How the records are written: as one document, as a document in each line (application/x-ndjson), or as a table (text/csv).", object{"type": "string", "enum": []string{"json", "ndjson", "csv"}, "default": "json"}),
		"spreadsheet":    query("spreadsheet", "With csv: keeps texts from being taken for formulas.", object{"type": "boolean", "default": false}),
		"include_fields": query("include_fields", "Fields to add, nested ones in the syntax of schemas: ['name', ('partner_id', ('id', 'city'))]. What is nested has another shape than described here.", text),
		"exclude_fields": query("exclude_fields", "Fields to leave out; * leaves the id alone.", text),
		"search_field":   query("search_field", "The field that the path's id is matched with.", text),
		"context":        query("__context__", "Merged over the user's context: {'lang': 'fr_FR', 'active_test': False}", text),
		"record":         object{"name": "id", "in": "path", "required": true, "description": "The record's id, or with search_field a value of that field.", "schema": text},
		"records": object{
			"name": "id", "in": "path", "required": true, "description": "Ids of records, with commas between them.",
			"schema": object{"type": "string", "pattern": `^\d+(,\d+)*$`},
		},
		"idempotency_key": object{
			"name": "Idempotency-Key", "in": "header", "description": "Made up by the client for this one request: sent again with it, the request gets the first answer and is not run again.",
			"schema": object{"type": "string", "minLength": 1, "maxLength": 255},
		},
		"if_none_match": object{
			"name": "If-None-Match", "in": "header", "description": "The ETag of an answer that the client has.", "schema": object{"type": "string"},
		},
		"method": object{
			"name": "method", "in": "path", "required": true, "description": "A public method of the model.",
			"schema": object{"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]*$"},
		},
	}
	if typed {
		all["count"] = query("count", "Adds the number of records on all pages, taken in the same snapshot; with planned it may be PostgreSQL's estimate, see total_is.",
			object{"type": "string", "enum": []string{"true", "exact", "planned", "false", "none"}})
	}
	return all
}

// unchanged is the answer to a client that has it.
var unchanged = object{"description": "The client has it already."}

// failures are the statuses, classic and typed, that operations can fail with beside those that all
// share, by the keys of a preset's success codes.
var failures = map[string][2][]int{
	"read_all":    {{409}, {403, 422}},
	"read_one":    {{404, 409}, {403, 404, 409, 422}},
	"create_one":  {{409, 422}, {403, 409, 422}},
	"update_one":  {{409, 422}, {403, 409, 422}},
	"delete_one":  {{409, 422}, {403, 409, 422}},
	"call_method": {{409, 422}, {403, 409, 422}},
	"content":     {{409, 416}, {403, 416, 422}},
}

// commonFailures are the statuses that every operation on a model can fail with.
var commonFailures = []int{400, 401, 404, 413, 429, 500, 501, 503, 504}

func (w *writer) modelPaths(m *Model) {
	name := m.name()
	path := w.in.Base + "/" + m.path()
	reading := []string{"include_fields", "exclude_fields", "context", "if_none_match"}
	all := append([]string{"filters", "order", "offset", "limit", "after", "format", "spreadsheet"}, reading...)
	if w.in.Typed {
		all = append(all, "count")
	}
	page := ref("schemas", name+".page")
	readAll := w.operation(m, "read_all", "Read all", all, page)
	if w.in.Typed {
		totalHeader(readAll)
	}
	example(readAll, m.ReadAll, func(record json.RawMessage) any {
		return object{"count": 1, "results": []any{record}}
	})
	readOne := w.operation(m, "read_one", "Read one", append([]string{"record", "search_field"}, reading...), ref("schemas", name))
	for _, read := range []object{readAll, readOne} {
		read["responses"].(object)["304"] = unchanged
	}
	example(readOne, m.ReadOne, func(record json.RawMessage) any { return record })

	create := w.operation(m, "create_one", "Create one", []string{"idempotency_key"}, ref("schemas", name+".created"))
	create["requestBody"] = jsonBody(ref("schemas", name+".input"))
	update := w.operation(m, "update_one", "Update one or many", []string{"records", "idempotency_key"}, ref("schemas", "nothing"))
	update["requestBody"] = jsonBody(ref("schemas", name+".input"))
	remove := w.operation(m, "delete_one", "Delete one or many", []string{"records", "idempotency_key"}, ref("schemas", "nothing"))
	call := w.operation(m, "call_method", "Call a method", []string{"records", "method", "idempotency_key"}, object{"description": "What the method returns."})
	call["requestBody"] = jsonBody(object{
		"type": "object", "description": "The method's named arguments.",
		"properties": object{"__context__": object{"type": "object"}},
	})

	w.paths[path] = object{"get": readAll, "post": create}
	w.paths[path+"/{id}"] = object{"get": readOne, "put": update, "delete": remove}
	w.paths[path+"/{id}/{method}"] = object{"put": call}
	w.contentPath(m, path)
}

// operation describes one operation of a model.
func (w *writer) operation(m *Model, key, summary string, parameters []string, answer object) object {
	list := make([]object, len(parameters))
	for i, name := range parameters {
		list[i] = ref("parameters", name)
	}
	status := 200
	if w.in.Typed && key == "create_one" {
		status = 201
	}
	if m.Preset != nil && m.Preset.SuccessCodes[key] != 0 {
		status = m.Preset.SuccessCodes[key]
	}
	responses := object{strconv.Itoa(status): object{"description": "Done.", "content": jsonContent(answer)}}
	profile := 0
	if w.in.Typed {
		profile = 1
	}
	for _, status := range append(commonFailures[:len(commonFailures):len(commonFailures)], failures[key][profile]...) {
		responses[strconv.Itoa(status)] = ref("responses", strconv.Itoa(status))
	}
	return object{
		"operationId": m.name() + "." + key, "summary": summary + ": " + m.Label, "tags": []string{m.path()},
		"parameters": list, "responses": responses,
	}
}

// totalHeader describes where the total is in answers that are no JSON. Their content is not described: generated
// clients would take every answer for one of several kinds.
func totalHeader(readAll object) {
	for _, response := range readAll["responses"].(object) {
		if done := response.(object); done["content"] != nil {
			done["headers"] = object{"X-Total-Count": object{
				"description": "Records on all pages, where count asks for it and the format is not json.", "schema": object{"type": "integer", "minimum": 0},
			}}
		}
	}
}

func jsonContent(s object) object { return object{"application/json": object{"schema": s}} }

func jsonBody(s object) object { return object{"content": jsonContent(s)} }

// example adds a record to the answers of an operation.
func example(operation object, record json.RawMessage, whole func(json.RawMessage) any) {
	if record == nil {
		return
	}
	for _, response := range operation["responses"].(object) {
		if content, ok := response.(object)["content"].(object); ok {
			content["application/json"].(object)["example"] = whole(record)
		}
	}
}
