// Package openapi describes lateral's API in OpenAPI 3.1, as one user may know it: the models and
// fields of a description it is given, and no others. It is pure: nothing is read here.
package openapi

import (
	"encoding/json"
	"fmt"
	"strings"

	"lateral/schema"
)

// Input is what a document is made of.
type Input struct {
	// Title and Version are those of the document's head.
	Title, Version string
	// Base is the first segment of the paths: /api or /v2.
	Base string
	// Typed tells that values and statuses are those of the profile typed.
	Typed bool
	// Models are the described ones by name: those that are listed, and those that their presets
	// lead to.
	Models map[string]*Model
	// Endpoints are operations beside those of models.
	Endpoints []Endpoint
	// Presets tells that administrators can edit presets over HTTP.
	Presets bool
	// Readable holds the names of all models that the user may read; no other is named.
	Readable map[string]bool
}

// Model is what a user may know of a model.
type Model struct {
	Model *schema.Model
	// Alias is the path by which the model is reached, empty where that is its name.
	Alias string
	// Label is its name in the user's language.
	Label string
	// Listed tells that its operations are described.
	Listed bool
	// Fields holds the fields the user may read.
	Fields map[string]Field
	// Preset is the model's preset, nil without one.
	Preset *schema.Preset
	// ReadAll and ReadOne are records as examples, JSON objects; nil without.
	ReadAll, ReadOne json.RawMessage
}

// name is what the model's parts of the document are called: a model's name has no two hyphens.
func (m *Model) name() string {
	if m.Alias != "" {
		return strings.ReplaceAll(m.Alias, "/", "--")
	}
	return m.Model.Name
}

// path is that of the model below the document's base.
func (m *Model) path() string {
	if m.Alias != "" {
		return m.Alias
	}
	return m.Model.Name
}

// Endpoint is an operation of one's own. Path is below the base, with segments in braces.
type Endpoint struct {
	Path                 string
	Verbs                []string
	Summary, Description string
}

// Field is what a user may know of a field, in the user's language.
type Field struct {
	Label, Help string
	// Choices are the values of a selection.
	Choices            []Choice
	Required, ReadOnly bool
}

// Choice is one value of a selection.
type Choice struct{ Value, Label string }

// object is a JSON object, whose keys are written in order of their names.
type object = map[string]any

// Document returns the document as JSON. Equal input gives equal text.
func Document(in Input) ([]byte, error) {
	w := &writer{in: in, schemas: object{}, paths: object{}}
	w.common()
	tags := []object{}
	for _, name := range sortedNames(in.Models) {
		if m := in.Models[name]; m.Listed {
			w.model(m)
			tags = append(tags, object{"name": m.path(), "description": m.Label})
		}
	}
	if len(in.Endpoints) > 0 {
		tags = append(tags, object{"name": "endpoints", "description": "Operations beside those of models."})
		w.endpoints()
	}
	if in.Presets {
		w.presets()
	}
	text, err := json.Marshal(object{
		"openapi": "3.1.0",
		"info": object{
			"title": in.Title, "version": in.Version, "description": introduction(in.Typed),
		},
		"servers":  []object{{"url": "/"}},
		"security": []object{{"accessToken": []string{}}, {"bearer": []string{}}},
		"tags":     tags,
		"paths":    w.paths,
		"components": object{
			"schemas": w.schemas, "parameters": parameters(in.Typed), "responses": w.errorResponses(),
			"securitySchemes": object{
				"accessToken": object{"type": "apiKey", "in": "header", "name": "Access-Token", "description": "The token of get_tokens."},
				"bearer":      object{"type": "http", "scheme": "bearer"},
			},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("OpenAPI document: %w", err)
	}
	return text, nil
}

// writer gathers the parts of a document.
type writer struct {
	in      Input
	schemas object
	paths   object
}

func introduction(typed bool) string {
	text := "The models and fields that the user of the token may read, as they are at this moment. " +
		"Parameters may stand in the query string, as Python literals or JSON, or in a JSON object as the body, of GET too; the body wins. "
	if typed {
		return text + "Values have honest types: false is false, and only what is empty is null."
	}
	return text + "Empty values are null, and so is false."
}

func ref(kind, name string) object { return object{"$ref": "#/components/" + kind + "/" + name} }
