package server

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"lateral/auth"
	"lateral/schema"
)

// schemaNode is one field of a tree as the page has it. Form is "" for a plain name, "one" for one
// record and "list" for a list of them.
type schemaNode struct {
	Name   string       `json:"name"`
	Form   string       `json:"form,omitempty"`
	Fields []schemaNode `json:"fields,omitempty"`
}

var formNames = []string{schema.Plain: "", schema.OneRecord: "one", schema.List: "list"}

func schemaNodes(t *schema.Tree) []schemaNode {
	nodes := make([]schemaNode, len(t.Items))
	for i, item := range t.Items {
		nodes[i] = schemaNode{Name: item.Name, Form: formNames[item.Form]}
		if item.Sub != nil {
			nodes[i].Fields = schemaNodes(item.Sub)
		}
	}
	return nodes
}

// treeValue is a tree that the page sends as the value that the tuple syntax has for it.
func treeValue(v any, depth int) (any, error) {
	list, ok := v.([]any)
	if !ok || depth > schema.MaxTreeDepth {
		return nil, errors.New("want a list of fields, nested at most " + strconv.Itoa(schema.MaxTreeDepth) + " times")
	}
	items := make(schema.Tuple, len(list))
	for i, element := range list {
		node, _ := element.(map[string]any)
		name, ok := node["name"].(string)
		if !ok {
			return nil, errors.New("a field wants a name")
		}
		form, _ := node["form"].(string)
		if form == "" {
			items[i] = name
			continue
		}
		fields, err := treeValue(node["fields"], depth+1)
		if err != nil {
			return nil, err
		}
		switch form {
		case "one":
			items[i] = schema.Tuple{name, fields}
		case "list":
			items[i] = schema.Tuple{name, []any{fields}}
		default:
			return nil, errors.New("a form is one, list or nothing")
		}
	}
	return items, nil
}

// readSchema answers POST /studio/api/models/<model>/schema: the fields that the text means, or the text
// that the tree is written as.
func (s *Server) readSchema(x *exchange, who auth.Credentials, work *work) error {
	body, err := s.studioBody(x, who, work, "text", "tree")
	if err != nil {
		return err
	}
	catalogue, err := s.deps.Catalogues(work.ctx)
	if err != nil {
		return err
	}
	var tree *schema.Tree
	text, given, err := body.text("text")
	switch _, drawn := body["tree"]; {
	case err != nil:
		return err
	case given == drawn:
		return badRequest("Request body: it wants either text or tree.")
	case given:
		var preset *schema.Preset
		if preset, err = (schema.PresetParts{ReadOne: text}).Preset(catalogue, x.model); err != nil {
			return wrongSchema(err)
		}
		if tree = preset.ReadOne; tree == nil {
			return wrongSchema(&schema.PresetError{Line: 1, Key: "read_one", Err: errors.New("want at least one field")})
		}
	default:
		value, err := treeValue(body["tree"], 0)
		if err != nil {
			return badRequest("Request body, tree: " + err.Error() + ".")
		}
		if tree, err = schema.ParseTree(catalogue, x.model, value); err != nil {
			return wrongSchema(&schema.PresetError{Key: "read_one", Err: err})
		}
		text = schema.FormatTree(tree)
	}
	return x.sendJSON(struct {
		Text string       `json:"text"`
		Line string       `json:"line"`
		Tree []schemaNode `json:"tree"`
	}{text, schema.FormatTreeLine(tree), schemaNodes(tree)})
}

// wrongSchema is the problem of a schema or preset that is being edited.
func wrongSchema(err error) error {
	mistakes := Mistakes(err)
	if len(mistakes) == 0 {
		return err
	}
	lines := make([]string, len(mistakes))
	for i, m := range mistakes {
		lines[i] = m.String()
	}
	p := same(fasthttp.StatusUnprocessableEntity, "invalid_schema", strings.Join(lines, "; ")+".")
	p.mistakes = mistakes
	return p
}

// presetParts answers POST /studio/api/models/<model>/parts: the parts of the preset whose text is sent.
func (s *Server) presetParts(x *exchange, who auth.Credentials, work *work) error {
	body, err := s.studioBody(x, who, work, "text")
	if err != nil {
		return err
	}
	text, _, err := body.text("text")
	if err != nil {
		return err
	}
	catalogue, err := s.deps.Catalogues(work.ctx)
	if err != nil {
		return err
	}
	parts, err := schema.PresetText{Model: x.model, Source: "preset", Text: text}.Parts(catalogue)
	if err != nil {
		return wrongSchema(err)
	}
	return x.sendJSON(parts)
}

// presetText answers POST /studio/api/models/<model>/text: the text of the preset that parts make.
func (s *Server) presetText(x *exchange, who auth.Credentials, work *work) error {
	body, err := s.studioBody(x, who, work, partNames...)
	if err != nil {
		return err
	}
	parts, _, err := s.editedParts(x, work, body)
	if err != nil {
		return err
	}
	text, err := parts.Text()
	if err != nil {
		return err
	}
	return x.sendJSON(struct {
		Text string `json:"text"`
	}{text})
}

// studioBody is the body of a request of the page: a JSON object.
type studioBody map[string]any

// studioBody reads the body of a request about a model that the user may read. It may have the members
// named.
func (s *Server) studioBody(x *exchange, who auth.Credentials, work *work, names ...string) (studioBody, error) {
	if _, err := s.deps.Explorer.LabelField(work.ctx, who, x.model); err != nil {
		return nil, err
	}
	p := make(params)
	if err := p.addBody(x.ctx); err != nil {
		return nil, err
	}
	body := make(studioBody, len(p))
	for name, sent := range p {
		if sent.isText || !slices.Contains(names, name) {
			return nil, badRequest("Request body: a JSON object of " + strings.Join(names, ", ") + " is wanted, without " + quoted(name) + ".")
		}
		body[name] = sent.value
	}
	return body, nil
}

// text returns a member that is a text, empty where it is not there or null.
func (b studioBody) text(name string) (text string, given bool, err error) {
	switch v := b[name].(type) {
	case nil:
		return "", false, nil
	case string:
		return v, true, nil
	}
	return "", true, badRequest("Request body, " + name + ": it must be a text.")
}

// partNames are the members of a body that hold the parts of a preset.
var partNames = []string{"read_all", "read_one", "create_one", "settings"}

// editedParts reads the parts of a preset that is being edited, and the preset that they make.
func (s *Server) editedParts(x *exchange, work *work, body studioBody) (schema.PresetParts, *schema.Preset, error) {
	var parts schema.PresetParts
	var err error
	for i, target := range []*string{&parts.ReadAll, &parts.ReadOne, &parts.CreateOne, &parts.Settings} {
		if *target, _, err = body.text(partNames[i]); err != nil {
			return parts, nil, err
		}
	}
	catalogue, err := s.deps.Catalogues(work.ctx)
	if err != nil {
		return parts, nil, err
	}
	preset, err := parts.Preset(catalogue, x.model)
	if err != nil {
		return parts, nil, wrongSchema(err)
	}
	return parts, preset, nil
}
