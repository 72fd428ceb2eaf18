package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp/fasthttputil"

	"lateral/auth"
	"lateral/reader"
	"lateral/schema"
	"lateral/writer"
)

// token is the access token that fakeTokens knows.
const token = "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd"

// fakeReader answers every query alike and remembers the last one.
type fakeReader struct {
	mu   sync.Mutex
	last *reader.Query
	docs []string
	err  error // of Read
	torn error // of Next after the docs; nil: io.EOF
	read func(ctx context.Context) error
	path string
	// preset is what the rows say they were read with.
	preset *schema.Preset

	content *reader.Content

	columns []reader.Column

	total      int64
	cursor     string
	closed     atomic.Int64
	unchanged  string   // the tag of an answer that is not read
	remembered []string // tags of answers
	lasting    bool     // long answers can be remembered
}

func (f *fakeReader) Read(ctx context.Context, _ auth.Credentials, q reader.Query) (Rows, error) {
	f.mu.Lock()
	f.last = &q
	f.mu.Unlock()
	if f.read != nil {
		if err := f.read(ctx); err != nil {
			return nil, err
		}
	}
	if f.err != nil {
		return nil, f.err
	}
	return &fakeRows{reader: f, counted: q.Count, estimated: q.Estimate, keyset: q.Keyset}, nil
}

func (f *fakeReader) Snapshot(who auth.Credentials) Snapshot { return &fakeSnapshot{f, who} }

// fakeSnapshot reads like its reader.
type fakeSnapshot struct {
	reader *fakeReader
	who    auth.Credentials
}

func (s *fakeSnapshot) Read(ctx context.Context, q reader.Query) (Rows, error) {
	return s.reader.Read(ctx, s.who, q)
}

func (s *fakeSnapshot) Renew(context.Context) error { return nil }

func (s *fakeSnapshot) Close(context.Context) error { return nil }

func (f *fakeReader) Content(_ context.Context, _ auth.Credentials, q reader.Query) (*reader.Content, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = &q
	return f.content, f.err
}

func (f *fakeReader) query(t *testing.T) reader.Query {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last == nil {
		t.Fatal("the reader was not asked")
	}
	return *f.last
}

type fakeRows struct {
	reader    *fakeReader
	next      int
	counted   bool
	estimated bool
	keyset    bool
}

func (r *fakeRows) Next(ctx context.Context) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.next < len(r.reader.docs) {
		r.next++
		return []byte(r.reader.docs[r.next-1]), nil
	}
	if r.reader.torn != nil {
		return nil, r.reader.torn
	}
	return nil, io.EOF
}

func (r *fakeRows) Close() error {
	r.reader.closed.Add(1)
	return nil
}

func (r *fakeRows) ReadPath() string {
	if r.reader.path != "" {
		return r.reader.path
	}
	return "direct"
}

func (r *fakeRows) Preset() *schema.Preset { return r.reader.preset }

func (r *fakeRows) Columns() []reader.Column { return r.reader.columns }

func (r *fakeRows) Total() (int64, bool) { return r.reader.total, r.counted }

func (r *fakeRows) Unchanged() string { return r.reader.unchanged }

func (r *fakeRows) Lasting() bool { return r.reader.lasting }

func (r *fakeRows) Remember(tag string) { r.reader.remembered = append(r.reader.remembered, tag) }

func (r *fakeRows) Estimated() bool { return r.estimated }

func (r *fakeRows) Cursor() (string, bool, error) { return r.reader.cursor, r.keyset, nil }

// fakeOdoo knows one login.
type fakeOdoo struct {
	err error

	refusal error // of Execute
	calls   []string
	result  json.RawMessage // of ExecuteJSON
	id      any             // of Execute; nil: true
}

// Execute remembers a call.
func (f *fakeOdoo) Execute(_ context.Context, who auth.Credentials, model, method string, args []any, kwargs map[string]any) (any, error) {
	f.calls = append(f.calls, fmt.Sprint(who.UID, " ", model, ".", method, args, kwargs))
	if f.id != nil {
		return f.id, f.refusal
	}
	return true, f.refusal
}

// ExecuteJSON remembers a call; the method frob is one of records.
func (f *fakeOdoo) ExecuteJSON(_ context.Context, who auth.Credentials, model, method string, args []any, kwargs map[string]any) (json.RawMessage, error) {
	f.calls = append(f.calls, fmt.Sprint(who.UID, " ", model, ".", method, args, kwargs))
	if method == "frob" && len(args) == 0 {
		return nil, &writer.Fault{Kind: writer.WantsRecords}
	}
	return f.result, f.refusal
}

func (f *fakeOdoo) Authenticate(_ context.Context, login, secret string) (int64, error) {
	switch {
	case f.err != nil:
		return 0, f.err
	case login == "admin" && secret == "admin+1 é":
		return 2, nil
	}
	return 0, &writer.Fault{Kind: writer.AccessDenied, Message: "Access Denied"}
}

// fakeReports prints every report alike.
type fakeReports struct {
	pdf  *writer.PDF
	err  error
	last *writer.Report
}

func (f *fakeReports) Print(_ context.Context, _ auth.Credentials, report writer.Report) (*writer.PDF, error) {
	f.last = &report
	return f.pdf, f.err
}

// fakeTokens knows one pair of tokens.
type fakeTokens struct {
	mu      sync.Mutex
	access  time.Duration
	refresh time.Duration
	revoked string
}

func (f *fakeTokens) Issue(_ context.Context, _ auth.Credentials, access, refresh time.Duration) (auth.Grant, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.access, f.refresh = access, refresh
	return auth.Grant{
		AccessToken: token, ExpiresIn: int64(access / time.Second),
		RefreshToken: strings.Repeat("f", 40), RefreshExpiresIn: int64(refresh / time.Second),
	}, nil
}

func (f *fakeTokens) Refresh(_ context.Context, refresh string, access time.Duration) (string, int64, error) {
	if refresh != strings.Repeat("f", 40) {
		return "", 0, auth.ErrInvalidToken
	}
	return token, int64(access / time.Second), nil
}

func (f *fakeTokens) Revoke(_ context.Context, refresh string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revoked = refresh
	return nil
}

func (f *fakeTokens) Resolve(_ context.Context, access string) (auth.Credentials, error) {
	if access != token {
		return auth.Credentials{}, auth.ErrInvalidToken
	}
	return auth.Credentials{UID: 2, Login: "admin"}, nil
}

type fakeUsers struct{ user User }

func (f fakeUsers) User(context.Context, int64) (User, error) { return f.user, nil }

// harness is a server behind an in-memory listener.
type harness struct {
	t       *testing.T
	server  *Server
	reader  *fakeReader
	tokens  *fakeTokens
	odoo    *fakeOdoo
	reports *fakeReports
	logged  *syncBuffer
	network *fasthttputil.InmemoryListener
	client  *http.Client
}

// setup serves with the default configuration as changed by change, which may be nil.
func partnerCatalogue() *schema.Catalogue {
	m := &schema.Model{Name: "res.partner", Fields: map[string]*schema.Field{}}
	for name, typ := range map[string]schema.FieldType{"name": schema.Char, "zip": schema.Char, "color": schema.Integer} {
		m.Fields[name] = &schema.Field{Name: name, Type: typ, Model: m}
	}
	return schema.NewCatalogue(m)
}

func setup(t *testing.T, change func(*Deps, *Config)) *harness {
	t.Helper()
	h := &harness{
		t: t, reader: &fakeReader{}, tokens: &fakeTokens{}, odoo: &fakeOdoo{}, reports: &fakeReports{}, logged: &syncBuffer{},
		network: fasthttputil.NewInmemoryListener(),
	}
	deps := Deps{
		Reader: h.reader, Odoo: h.odoo, Tokens: h.tokens,
		Users:      fakeUsers{User{Lang: "en_US", CompanyID: 7}},
		Caller:     h.odoo,
		Methods:    writer.NewMethods(h.odoo, time.Now),
		Reports:    h.reports,
		Catalogue:  partnerCatalogue,
		Catalogues: func(context.Context) (*schema.Catalogue, error) { return partnerCatalogue(), nil },
		Log:        slog.New(slog.NewJSONHandler(h.logged, nil)),
	}
	config := DefaultConfig()
	if change != nil {
		change(&deps, &config)
	}
	var err error
	if h.server, err = New(deps, config); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- h.server.Serve(h.network) }()
	h.client = &http.Client{
		Transport: &http.Transport{
			DialContext: func(context.Context, string, string) (net.Conn, error) { return h.network.Dial() },
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(func() {
		h.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.server.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return h
}

// answer is a response that was read.
type answer struct {
	status int
	header http.Header
	body   string
	err    error // of reading the body
}

// code is the error code of an answer.
func (a answer) code() string {
	var failure struct {
		Error string `json:"error"`
	}
	if json.Unmarshal([]byte(a.body), &failure) != nil {
		return "not JSON: " + a.body
	}
	return failure.Error
}

// do sends a request with the token and the headers given as name, value, ….
func (h *harness) do(method, path, body string, headers ...string) answer {
	h.t.Helper()
	return h.anonymous(method, path, body, append([]string{"Access-Token", token}, headers...)...)
}

// anonymous sends a request without a token.
func (h *harness) anonymous(method, path, body string, headers ...string) answer {
	h.t.Helper()
	request, err := http.NewRequest(method, "http://lateral"+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header[headers[i]] = []string{headers[i+1]}
	}
	response, err := h.client.Do(request)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return answer{status: response.StatusCode, header: response.Header, body: string(content), err: err}
}

// raw writes text on a connection of its own and returns all that comes back.
func (h *harness) raw(text string) string {
	h.t.Helper()
	conn, err := h.network.Dial()
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		h.t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		h.t.Fatal(err)
	}
	content, err := io.ReadAll(conn)
	if err != nil {
		h.t.Fatalf("after %d bytes: %v", len(content), err)
	}
	return string(content)
}

// syncBuffer is a buffer that a test may read while a server writes.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func docs(n, size int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`{"id": %d, "name": %q}`, i+1, strings.Repeat("x", size))
	}
	return list
}
