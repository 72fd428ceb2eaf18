package openapi

import "strconv"

// common writes what does not depend on models: tokens, reports, errors.
func (w *writer) common() {
	fault := object{
		"error": object{"type": "string", "description": "The code of what went wrong."}, "error_descrip": object{"type": "string"},
	}
	if w.in.Typed {
		fault["field"] = object{"type": "string"}
		fault["path"] = object{"type": "string"}
	}
	fault["mistakes"] = object{
		"type": "array", "description": "What is wrong with a text that was sent, or with an endpoint, with lines.",
		"items": object{"type": "object", "properties": object{
			"line": object{"type": "integer"}, "key": object{"type": "string"}, "text": object{"type": "string"},
		}},
	}
	w.schemas["error"] = object{"type": "object", "required": []string{"error", "error_descrip"}, "properties": fault}
	w.schemas["nothing"] = object{"type": "object", "maxProperties": 0}
	w.tokens()
	w.reports()
}

// codes are the error codes by status (contract, sections 2 and 3), the same in both profiles but
// for where two lists are given: classic, typed.
var codes = map[int][2][]string{
	400: {{"invalid_request_body", "invalid_object_id", "no_access_token", "empty_username_or_password", "no_refresh_token", "invalid_idempotency_key"}},
	401: {{"invalid_token", "odoo_user_authentication_failed"}, {"no_access_token", "invalid_token", "odoo_user_authentication_failed"}},
	403: {{"access_denied", "not_read_object_in_odoo", "not_created_object_in_odoo", "not_updated_object_in_odoo", "not_deleted_object_in_odoo", "not_called_method_in_odoo"}},
	404: {{"model_not_found", "not_found_object_in_odoo"}},
	409: {{
		"not_read_object_in_odoo", "not_created_object_in_odoo", "not_updated_object_in_odoo", "not_deleted_object_in_odoo", "not_called_method_in_odoo",
		"idempotency_key_in_use", "idempotency_outcome_unknown", "idempotency_answer_not_kept", "preset_in_file",
	}},
	413: {{"request_too_large"}},
	416: {{"range_not_satisfiable"}},
	422: {{"idempotency_key_reused", "invalid_preset"}, {
		"not_read_object_in_odoo", "not_created_object_in_odoo", "not_updated_object_in_odoo", "not_deleted_object_in_odoo", "not_called_method_in_odoo",
		"idempotency_key_reused", "invalid_preset",
	}},
	429: {{"too_many_requests"}},
	500: {{"internal_error", "endpoint_failed"}},
	501: {{"model_not_available", "method_not_exist_in_odoo", "report_method_not_implemented"}},
	503: {{"odoo_unavailable", "database_unavailable", "token_store_unavailable", "overloaded"}},
	504: {{"timeout"}},
}

func (w *writer) errorResponses() object {
	responses := object{}
	for status, lists := range codes {
		list := lists[0]
		if w.in.Typed && lists[1] != nil {
			list = lists[1]
		}
		text := ""
		for i, code := range list {
			if i > 0 {
				text += ", "
			}
			text += "`" + code + "`"
		}
		responses[strconv.Itoa(status)] = object{"description": text, "content": jsonContent(ref("schemas", "error"))}
	}
	return responses
}

func (w *writer) tokens() {
	text, seconds := object{"type": "string"}, object{"type": "integer", "minimum": 0}
	w.schemas["tokens"] = object{
		"type":     "object",
		"required": []string{"uid", "user_context", "company_id", "access_token", "expires_in", "refresh_token", "refresh_expires_in"},
		"properties": object{
			"uid":          object{"type": "integer"},
			"user_context": object{"type": "object"},
			"company_id":   object{"type": "integer"},
			"access_token": text, "expires_in": seconds, "refresh_token": text, "refresh_expires_in": seconds,
		},
	}
	lifetime := object{"type": "integer", "minimum": 0, "description": "Seconds; 0: without end."}
	login := object{
		"type": "object", "required": []string{"username", "password"},
		"properties": object{
			"username": text, "password": object{"type": "string", "description": "Or an API key of Odoo."},
			"access_lifetime": lifetime, "refresh_lifetime": lifetime,
		},
	}
	refresh := object{
		"type": "object", "required": []string{"refresh_token"},
		"properties": object{"refresh_token": text, "access_lifetime": lifetime},
	}
	renewed := object{
		"type": "object", "required": []string{"access_token", "expires_in"},
		"properties": object{"access_token": text, "expires_in": seconds},
	}
	for _, route := range []struct {
		name, summary string
		body, answer  object
	}{
		{"get_tokens", "Log in", login, ref("schemas", "tokens")},
		{"refresh_token", "Replace the access token", refresh, renewed},
		{"delete_tokens", "Log out", refresh, ref("schemas", "nothing")},
	} {
		w.paths[w.in.Base+"/auth/"+route.name] = object{"post": object{
			"operationId": "auth." + route.name, "summary": route.summary, "tags": []string{"auth"},
			"security": []object{}, "requestBody": jsonBody(route.body), "responses": w.answers(route.answer, 400, 401, 429, 503),
		}}
	}
}

func (w *writer) reports() {
	content := object{"type": "string", "description": "The PDF in base64, in lines of 76 characters."}
	name := object{"type": "string", "description": "The report's technical name, such as sale.report_saleorder."}
	refused := 409
	if w.in.Typed {
		refused = 422
	}
	operation := func(id string) object {
		return object{
			"operationId": "report." + id, "summary": "Print a report", "tags": []string{"report"},
			"responses": w.answers(content, 400, 401, refused, 501, 503),
		}
	}
	get := operation("get")
	get["parameters"] = []object{
		{"name": "report_name", "in": "query", "required": true, "schema": name},
		{"name": "ids", "in": "query", "required": true, "description": "[1, 2]", "schema": object{"type": "string"}},
		ref("parameters", "context"),
	}
	put := operation("put")
	put["requestBody"] = jsonBody(object{
		"type": "object", "required": []string{"report_name", "ids"},
		"properties": object{
			"report_name": name, "ids": object{"type": "array", "items": object{"type": "integer"}}, "__context__": object{"type": "object"},
		},
	})
	w.paths[w.in.Base+"/report/get_pdf"] = object{"get": get, "put": put}
}

func (w *writer) answers(answer object, failures ...int) object {
	responses := object{"200": object{"description": "Done.", "content": jsonContent(answer)}}
	for _, status := range failures {
		responses[strconv.Itoa(status)] = ref("responses", strconv.Itoa(status))
	}
	return responses
}
