package openapi

import (
	"regexp"
	"strconv"
	"strings"

	"lateral/schema"
)

// contentPath describes the contents of a model's binary fields, where the user may read some.
func (w *writer) contentPath(m *Model, path string) {
	var names []any
	for _, name := range sortedNames(m.Fields) {
		if f := m.Model.Field(name); f != nil && (f.Type == schema.Binary || f.Type == schema.Image) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return
	}
	get := w.operation(m, "content", "Read a content", nil, object{})
	get["parameters"] = []any{
		object{"name": "id", "in": "path", "required": true, "schema": object{"type": "integer", "minimum": 1}},
		object{"name": "field", "in": "path", "required": true, "description": "A binary field.", "schema": object{"type": "string", "enum": names}},
		ref("parameters", "context"),
		object{"name": "Range", "in": "header", "description": "One range of bytes.", "schema": object{"type": "string"}},
		ref("parameters", "if_none_match"),
	}
	responses := get["responses"].(object)
	bytes := object{"*/*": object{"schema": object{"type": "string", "contentMediaType": "application/octet-stream"}}}
	responses["200"] = object{"description": "The content itself.", "content": bytes}
	responses["206"] = object{"description": "The part of the content that was asked for.", "content": bytes}
	responses["304"] = unchanged
	w.paths[path+"/{id}/{field}/content"] = object{"get": get}
}

var segmentName = regexp.MustCompile(`\{([a-z0-9_]+)\}`)

// endpoints describes operations of one's own, of whose answers only their code knows more.
func (w *writer) endpoints() {
	for _, e := range w.in.Endpoints {
		path := w.in.Base + e.Path
		item, ok := w.paths[path].(object)
		if !ok {
			item = object{}
			w.paths[path] = item
		}
		for _, verb := range e.Verbs {
			item[strings.ToLower(verb)] = w.endpoint(e, verb)
		}
	}
}

func (w *writer) endpoint(e Endpoint, verb string) object {
	parameters := []any{}
	for _, found := range segmentName.FindAllStringSubmatch(e.Path, -1) {
		parameters = append(parameters, object{"name": found[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	// Which of the successes it is, and what else it refuses with, only its code tells.
	responses := object{
		"2XX": object{"description": "Done.", "content": jsonContent(object{})},
		"4XX": object{"description": "Refused.", "content": jsonContent(ref("schemas", "error"))},
	}
	for _, status := range []int{400, 401, 409, 429, 500, 503, 504} {
		responses[strconv.Itoa(status)] = ref("responses", strconv.Itoa(status))
	}
	operation := object{
		"operationId": "endpoint." + strings.ToLower(verb) + strings.NewReplacer("/", ".", "{", "", "}", "").Replace(e.Path),
		"tags":        []string{"endpoints"}, "parameters": parameters, "responses": responses,
	}
	if e.Summary != "" {
		operation["summary"] = e.Summary
	}
	if e.Description != "" {
		operation["description"] = e.Description
	}
	if verb != "GET" {
		operation["parameters"] = append(parameters, ref("parameters", "idempotency_key"))
		operation["requestBody"] = jsonBody(object{"type": "object"})
	}
	return operation
}

// presets describes the editing of presets, which is the same under every profile.
func (w *writer) presets() {
	text := object{"type": []string{"string", "null"}}
	w.schemas["preset"] = object{
		"type": "object", "required": []string{"model", "file", "text", "stored", "mistakes"},
		"properties": object{
			"model": object{"type": "string"},
			"file":  object{"type": []string{"string", "null"}, "description": "The file that the preset in force is in."},
			"text":  text, "stored": object{"type": []string{"string", "null"}, "description": "What is kept in Odoo; a file wins."},
			"mistakes": object{"type": "array", "items": object{"type": "object"}},
		},
	}
	operation := func(id, summary string, answer object, failures ...int) object {
		return object{
			"operationId": "presets." + id, "summary": summary + " (administrators)", "tags": []string{"presets"},
			"responses": w.answers(answer, append(failures, 401, 403, 429, 500, 503, 504)...),
		}
	}
	one := ref("schemas", "preset")
	save := operation("save", "Save a preset in Odoo", one, 409, 413, 422)
	save["requestBody"] = object{"required": true, "content": object{"*/*": object{"schema": object{"type": "string", "description": "The preset, in Python's syntax or JSON."}}}}
	w.paths["/studio/api/presets"] = object{"get": operation("list", "All presets", object{"type": "array", "items": one})}
	w.paths["/studio/api/presets/{model}"] = object{
		"parameters": []any{object{"name": "model", "in": "path", "required": true, "schema": object{"type": "string"}}},
		"get":        operation("get", "A model's preset", one), "put": save, "delete": operation("remove", "Take a preset out of Odoo", one, 409, 422),
	}
}
