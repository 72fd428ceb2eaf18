package integration

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"lateral/auth"
	"lateral/integration/stack"
)

// contents checks binary contents over HTTP against what Odoo reads of the same fields.
type contents struct {
	t     *testing.T
	s     *stand
	v     *service
	admin auth.Credentials
}

// odoo returns what Odoo reads of a binary field, nil where it is empty.
func (c contents) odoo(who auth.Credentials, model, field string, id int64) []byte {
	c.t.Helper()
	rows := c.s.call(c.t, who, model, "read", []any{[]any{id}}, map[string]any{"fields": []any{field}})
	text, _ := rows.([]any)[0].(map[string]any)[field].(string)
	content, err := base64.StdEncoding.DecodeString(strings.NewReplacer("\n", "", "\r", "").Replace(text))
	if err != nil {
		c.t.Fatalf("%s.%s: %v", model, field, err)
	}
	return content
}

// get asks for a content with the headers given as name, value, ….
func (c contents) get(method, path, token string, headers ...string) answer {
	c.t.Helper()
	request, err := http.NewRequest(method, c.v.url+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Access-Token", token)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{status: response.StatusCode, header: response.Header, body: body, err: err}
}

// attach makes an attachment and returns its id.
func (c contents) attach(values map[string]any) int64 {
	c.t.Helper()
	id := c.s.call(c.t, c.admin, "ir.attachment", "create", []any{values}, nil)
	if list, ok := id.([]any); ok {
		id = list[0]
	}
	return id.(int64)
}

// Ensure a content of every kind is what Odoo reads, whole and in part, and is shown to nobody from
// whom Odoo hides the record.
func TestContents(t *testing.T) {
	eachForkAtOnce(t, func(t *testing.T, s *stand) {
		v := s.serve(t, nil)
		c := contents{t: t, s: s, v: v, admin: s.login(t, stack.RoleAdmin)}
		token := v.admin(t, s)
		portal := s.User(stack.RolePortal)
		v.login(t, portal.Login, portal.Password)
		outsider := v.token

		text := []byte("naïve text, 漢字\n")
		encoded := base64.StdEncoding.EncodeToString(text)
		private := c.attach(map[string]any{"name": "naïve 漢.txt", "datas": encoded, "mimetype": "text/plain"})
		public := c.attach(map[string]any{"name": "open", "datas": encoded, "mimetype": "text/plain", "public": true})
		inRow := c.attach(map[string]any{"name": "in the row.txt", "datas": encoded, "mimetype": "text/plain"})
		linked := c.attach(map[string]any{"name": "a link", "type": "url", "url": "http://localhost/"})
		owner := s.owner(t)
		must := func(sql string, args ...any) {
			t.Helper()
			if _, err := owner.Exec(context.Background(), sql, args...); err != nil {
				t.Fatal(err)
			}
		}
		// As an Odoo that keeps its attachments in the database has them.
		must("UPDATE ir_attachment SET store_fname = NULL, db_datas = $2 WHERE id = $1", inRow, text)
		withImage := int64(0)
		if err := owner.QueryRow(context.Background(), "SELECT min(res_id) FROM ir_attachment WHERE res_model = 'res.partner' AND res_field = 'image_1920' AND res_id NOT IN (SELECT partner_id FROM res_users)").Scan(&withImage); err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			model, field string
			id           int64
			path         string
			media        string
		}{
			{"res.partner", "image_1920", withImage, "direct", "image/"},
			{"res.partner", "image_128", withImage, "direct", "image/"},
			{"res.users", "image_128", c.admin.UID, "direct", "image/"},
			{"res.company", "logo", 1, "direct", "image/"},
			{"res.company", "logo_web", 1, "direct", "image/"},
			{"res.partner", "avatar_128", withImage, "hybrid", "image/"},
			{"ir.attachment", "datas", private, "odoo", "text/plain"},
			{"ir.attachment", "raw", public, "odoo", "text/plain"},
			{"ir.attachment", "datas", inRow, "odoo", "text/plain"},
		} {
			if s.catalogue(t).Model(test.model).Field(test.field) == nil {
				continue // 14.0 has no avatars
			}
			path := fmt.Sprintf("/api/%s/%d/%s/content", test.model, test.id, test.field)
			got, want := c.get("GET", path, token), c.odoo(c.admin, test.model, strings.Replace(test.field, "raw", "datas", 1), test.id)
			if got.status != 200 || !bytes.Equal(got.body, want) || len(want) == 0 || got.header.Get("X-Read-Path") != test.path ||
				!strings.HasPrefix(got.header.Get("Content-Type"), test.media) || got.header.Get("Content-Length") != fmt.Sprint(len(want)) {
				t.Errorf("%s: %d, %d bytes for Odoo's %d, %v", path, got.status, len(got.body), len(want), got.header)
				continue
			}
			c.parts(path, token, want, got.header.Get("ETag"))
		}
		named := c.get("HEAD", fmt.Sprintf("/v2/ir.attachment/%d/datas/content", private), token)
		if want := `attachment; filename="na_ve _.txt"; filename*=UTF-8''na%C3%AFve%20%E6%BC%A2.txt`; named.header.Get("Content-Disposition") != want {
			t.Errorf("the name is %s, want %s", named.header.Get("Content-Disposition"), want)
		}

		for _, test := range []struct {
			path   string
			token  string
			status int
			code   string
		}{
			{fmt.Sprintf("/api/ir.attachment/%d/datas/content", public), outsider, 0, ""},
			{fmt.Sprintf("/api/ir.attachment/%d/datas/content", private), outsider, 0, ""},
			{fmt.Sprintf("/api/res.partner/%d/image_1920/content", withImage), outsider, 0, ""},
			{fmt.Sprintf("/api/res.partner/%d/image_128/content", withImage), outsider, 0, ""},
			{fmt.Sprintf("/api/ir.attachment/%d/datas/content", linked), token, 404, "not_found_object_in_odoo"},
			{"/api/res.partner/999999/image_128/content", token, 404, "not_found_object_in_odoo"},
			{"/api/res.partner/0/image_128/content", token, 400, "invalid_object_id"},
			{"/api/res.partner/1/name/content", token, 409, "not_read_object_in_odoo"},
			{"/api/res.partner/1/..%2Fx/content", token, 409, "not_read_object_in_odoo"},
			{"/api/no.model/1/x/content", token, 404, "model_not_found"},
			{"/api/res.partner/1/image_128/content", "", 400, "no_access_token"},
		} {
			got := c.get("GET", test.path, test.token)
			if test.status == 0 {
				c.asRead(test.path, test.token, got)
				continue
			}
			if got.status != test.status || got.code() != test.code {
				t.Errorf("%s: %d %.300s, want %d", test.path, got.status, got.body, test.status)
			}
		}

		// A name in the database that leads elsewhere opens nothing.
		must("UPDATE ir_attachment SET store_fname = '../../../../../../etc/passwd' WHERE id = $1", public)
		if got := c.get("GET", fmt.Sprintf("/api/ir.attachment/%d/datas/content", public), token); got.status == 200 || bytes.Contains(got.body, []byte("root:")) {
			t.Errorf("a path out of the filestore: %d %.100s", got.status, got.body)
		}
	})
}

// asRead compares the decision about a content with that about a read of the field.
func (c contents) asRead(path, token string, got answer) {
	c.t.Helper()
	record, field, _ := strings.Cut(strings.TrimSuffix(path, "/content"), "/api/")
	parts := strings.Split(field, "/")
	read := c.v.send("GET", record+"/api/"+parts[0]+"/"+parts[1]+"?exclude_fields=*&include_fields="+parts[2], token, "")
	if (got.status == 200) != (read.status == 200) || got.code() != read.code() {
		c.t.Errorf("%s: %d %.200s, but a read of the field: %d %.200s", path, got.status, got.body, read.status, read.body)
	}
}

// parts asks for a content in parts, for its headers alone, and for what is there already.
func (c contents) parts(path, token string, want []byte, tag string) {
	c.t.Helper()
	size := len(want)
	check := func(what string, got answer, status int, body []byte) {
		c.t.Helper()
		if got.status != status || !bytes.Equal(got.body, body) || got.err != nil {
			c.t.Errorf("%s, %s: %d, %d bytes, want %d, %d bytes, %v", path, what, got.status, len(got.body), status, len(body), got.err)
		}
	}
	head := c.get("HEAD", path, token)
	check("HEAD", head, 200, nil)
	if head.header.Get("Content-Length") != fmt.Sprint(size) || head.header.Get("ETag") != tag {
		c.t.Errorf("%s: HEAD tells %v", path, head.header)
	}
	check("If-None-Match", c.get("GET", path, token, "If-None-Match", `"x", W/`+tag), 304, nil)
	check("another tag", c.get("GET", path, token, "If-None-Match", `"x"`), 200, want)
	middle := c.get("GET", path, token, "Range", "bytes=4-9", "If-Range", tag)
	check("a range", middle, 206, want[4:10])
	if middle.header.Get("Content-Range") != fmt.Sprintf("bytes 4-9/%d", size) {
		c.t.Errorf("%s: Content-Range %s", path, middle.header.Get("Content-Range"))
	}
	check("the end", c.get("GET", path, token, "Range", "bytes=-5"), 206, want[size-5:])
	check("from", c.get("GET", path, token, "Range", "bytes=7-"), 206, want[7:])
	check("an old tag", c.get("GET", path, token, "Range", "bytes=4-9", "If-Range", `"x"`), 200, want)
	behind := c.get("GET", path, token, "Range", fmt.Sprintf("bytes=%d-", size))
	if behind.status != 416 || behind.code() != "range_not_satisfiable" || behind.header.Get("Content-Range") != fmt.Sprintf("bytes */%d", size) {
		c.t.Errorf("%s: behind the end: %d %s", path, behind.status, behind.body)
	}
}

// large is the size of a large content, in bytes: its base64 is just within Odoo's own limit.
const large = 90_000_000

// Ensure large contents go up and come down with memory that is a small multiple of the upload and
// none of the download.
func TestLargeContents(t *testing.T) {
	s := shared(t, versions()[0]).fork(t)
	v := s.serve(t, nil, "LATERAL_LIMITS_BODY=200000000", "LATERAL_LIMITS_READ_TIMEOUT=5m", "LATERAL_ODOO_TIMEOUT=5m", "LATERAL_LIMITS_REQUEST_TIMEOUT=5m")
	c := contents{t: t, s: s, v: v, admin: s.login(t, stack.RoleAdmin)}
	token := v.admin(t, s)
	content := make([]byte, large)
	_, _ = rand.Read(content)
	id := c.attach(map[string]any{"name": "large.bin", "datas": "eA=="})
	encoded := base64.StdEncoding.EncodeToString(content)
	body := `{"datas": "` + encoded + `"}`

	idle, _ := v.resident(t)
	v.resetPeak(t)
	if got := v.send("PUT", fmt.Sprintf("/api/ir.attachment/%d", id), token, body); got.status != 200 {
		t.Fatalf("uploading: %d %.300s, %v", got.status, got.body, got.err)
	}
	_, peak := v.resident(t)
	t.Logf("an upload of %d MB as %d MB of base64: %d MB above idle", large>>20, len(body)>>20, (peak-idle)>>20)
	if peak-idle > 3*int64(len(body)) {
		t.Errorf("uploading %d MB took %d MB", len(body)>>20, (peak-idle)>>20)
	}
	// As Odoo stores it, in the row.
	if _, err := s.owner(t).Exec(context.Background(), "UPDATE res_company SET logo_web = $1 WHERE id = 1", []byte(encoded)); err != nil {
		t.Fatal(err)
	}
	sum, logo := sha1.Sum(content), md5.Sum([]byte(encoded))
	for path, want := range map[string]struct {
		content []byte
		tag     string
	}{
		fmt.Sprintf("/api/ir.attachment/%d/datas/content", id): {content, hex.EncodeToString(sum[:])},
		"/api/res.company/1/logo_web/content":                  {content, hex.EncodeToString(logo[:])},
	} {
		before, _ := v.resident(t)
		v.resetPeak(t)
		got := c.get("GET", path, token)
		_, peak := v.resident(t)
		t.Logf("%s, %d MB: %d MB above what it held", path, len(want.content)>>20, (peak-before)>>20)
		if got.status != 200 || !bytes.Equal(got.body, want.content) || got.header.Get("ETag") != `"`+want.tag+`"` {
			t.Errorf("%s: %d, %d bytes, %v", path, got.status, len(got.body), got.header)
		}
		if peak-before > 64<<20 {
			t.Errorf("%s: %d MB above what it held", path, (peak-before)>>20)
		}
		check := c.get("GET", path, token, "Range", "bytes=20000001-20000007")
		if check.status != 206 || !bytes.Equal(check.body, want.content[20000001:20000008]) {
			t.Errorf("%s, a range: %d, %d bytes", path, check.status, len(check.body))
		}
	}
	if got := v.send("PUT", fmt.Sprintf("/api/ir.attachment/%d", id), token, `{"datas": "`+strings.Repeat("QUJD", 50<<20)+`"}`); got.err == nil && (got.status != 413 || got.code() != "request_too_large") {
		t.Errorf("beyond the limit: %d %.200s", got.status, got.body)
	}
}
