package writer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"lateral/auth"
)

// ReportConfig configures the way to Odoo's reports.
type ReportConfig struct {
	// URL is Odoo's address, Database the database's name.
	URL, Database string
	// Timeout is the longest Odoo may take to make a report; 0 means two minutes. Fetching it then
	// takes as long as the client needs.
	Timeout time.Duration
	// MaxConns bounds the reports in the making or under way; 0 means 16.
	MaxConns int
	// MaxSessions bounds the web sessions that are kept; 0 means 1000.
	MaxSessions int
	// Observe, if set, is told each report's duration until it begins, and outcome, as
	// Config.Observe.
	Observe func(method string, d time.Duration, outcome string)
}

// Reports prints reports: Odoo renders them for its web client alone, so each access token has a
// session there. Access is decided by Odoo, which renders with the user's rights. It is safe for
// concurrent use.
type Reports struct {
	config   ReportConfig
	client   *http.Client
	slots    chan struct{}
	sessions *webSessions
}

// Report is a report to print.
type Report struct {
	Name    string // technical name, "sale.report_saleorder"
	IDs     []int64
	Context map[string]any
}

// PDF is a report under way. It must be closed, whether it was read to its end or not.
type PDF struct {
	io.ReadCloser
	// Size is in bytes, -1 where Odoo does not tell it.
	Size int64
	// Name is the name of a file that Odoo proposes, empty for none.
	Name string
}

// pdfBody reads what is left of an answer, and ends it.
type pdfBody struct {
	io.Reader
	end func() error
}

func (b pdfBody) Close() error { return b.end() }

// NewReports returns the way to reports. It does not connect yet.
func NewReports(config ReportConfig) *Reports {
	config.URL = strings.TrimRight(config.URL, "/")
	if config.Timeout <= 0 {
		config.Timeout = 2 * time.Minute
	}
	if config.MaxConns <= 0 {
		config.MaxConns = 16
	}
	if config.MaxSessions <= 0 {
		config.MaxSessions = 1000
	}
	return &Reports{
		config: config,
		client: &http.Client{
			Transport: &http.Transport{
				Proxy:               http.ProxyFromEnvironment,
				DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
				TLSHandshakeTimeout: 10 * time.Second,
				MaxIdleConnsPerHost: config.MaxConns,
				IdleConnTimeout:     20 * time.Second,
			},
			// A redirect is how Odoo says that a session has ended.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		slots:    make(chan struct{}, config.MaxConns),
		sessions: newWebSessions(config.MaxSessions, time.Now),
	}
}

// Forget drops what is kept for an access token that was revoked.
func (r *Reports) Forget(token auth.Key) { r.sessions.forget(token) }

// Close closes the idle connections.
func (r *Reports) Close() { r.client.CloseIdleConnections() }

// Print has Odoo make a report and returns it once it begins. Errors are *Fault; of kind NoSession
// where Odoo prints nothing for the user. ctx must live until the PDF is closed.
func (r *Reports) Print(ctx context.Context, who auth.Credentials, report Report) (*PDF, error) {
	began := time.Now()
	pdf, err := r.print(ctx, who, report)
	if r.config.Observe != nil {
		outcome := "ok"
		if fault, ok := errors.AsType[*Fault](err); ok {
			outcome = fault.Kind.String()
		}
		r.config.Observe("report.pdf", time.Since(began), outcome)
	}
	return pdf, err
}

func (r *Reports) print(ctx context.Context, who auth.Credentials, report Report) (*PDF, error) {
	path, err := reportPath(report)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	// Making the report is limited, fetching it is not.
	limit := time.AfterFunc(r.config.Timeout, func() { cancel(context.DeadlineExceeded) })
	end := func() {
		limit.Stop()
		cancel(nil)
	}
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		end()
		return nil, reportTimeout(ctx, ctx.Err())
	}
	pdf, err := r.fetch(ctx, who, report, path)
	if err != nil {
		err = reportTimeout(ctx, err)
		end()
		<-r.slots
		return nil, err
	}
	limit.Stop()
	body := pdf.ReadCloser
	pdf.ReadCloser = pdfBody{Reader: body, end: func() error {
		err := body.Close()
		end()
		<-r.slots
		return err
	}}
	return pdf, nil
}

// reportTimeout tells a report that took too long from one that was given up.
func reportTimeout(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return &Fault{Kind: Timeout, Message: "Odoo did not answer in time", cause: err}
	}
	if _, ok := errors.AsType[*Fault](err); ok {
		return err
	}
	return transportFault(ctx, err, false)
}

// fetch makes the request, with a new session where the one at hand has ended.
func (r *Reports) fetch(ctx context.Context, who auth.Credentials, report Report, path string) (*PDF, error) {
	session := r.sessions.of(who)
	login := func(ctx context.Context) (string, error) { return r.logIn(ctx, who) }
	ended := ""
	for {
		cookie, err := session.open(ctx, ended, login)
		if err != nil {
			return nil, err
		}
		response, err := r.get(ctx, path, cookie)
		if err != nil {
			return nil, transportFault(ctx, err, false)
		}
		if leadsToLogin(response) && ended == "" {
			_ = response.Body.Close()
			ended = cookie
			continue
		}
		if renamed := cookieOf(response); renamed != "" && renamed != cookie {
			session.renamed(cookie, renamed)
		}
		pdf, err := readReport(response, report, who)
		if err != nil {
			_ = response.Body.Close()
		}
		return pdf, err
	}
}

func (r *Reports) get(ctx context.Context, path, cookie string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.config.URL+path, nil)
	if err != nil {
		return nil, err
	}
	request.AddCookie(&http.Cookie{Name: sessionCookie, Value: cookie})
	return r.client.Do(request)
}

// leadsToLogin reports whether an answer sends a browser to the login page.
func leadsToLogin(response *http.Response) bool {
	to, err := response.Location()
	return err == nil && response.StatusCode >= 300 && response.StatusCode < 400 && strings.HasSuffix(to.Path, "/web/login")
}

var reportName = regexp.MustCompile(`^[\w.-]+$`)

// maxReportPath bounds the bytes of a report's address, which holds the ids.
const maxReportPath = 32 << 10

// reportPath returns the address of a report. It is that of the download, since this tells in JSON
// what was wrong, where /report/pdf answers with a page (Odoo 14.0: addons/web/controllers/main.py,
// report_download; 19.0: addons/web/controllers/report.py).
func reportPath(report Report) (string, error) {
	if !reportName.MatchString(report.Name) {
		return "", noReport(report.Name)
	}
	ids := make([]string, len(report.IDs))
	for i, id := range report.IDs {
		ids[i] = strconv.FormatInt(id, 10)
	}
	data, err := json.Marshal([]string{"/report/pdf/" + report.Name + "/" + strings.Join(ids, ","), "qweb-pdf"})
	if err != nil {
		return "", &Fault{Kind: BadValue, Message: err.Error(), unsent: true}
	}
	readContext, err := json.Marshal(report.Context)
	if err != nil {
		return "", &Fault{Kind: BadValue, Message: "__context__ cannot be sent: " + err.Error(), unsent: true}
	}
	path := "/report/download?" + url.Values{
		"data": {string(data)}, "context": {string(readContext)},
		// 14.0 wants a token, and sends it back in a cookie that its web client waits for.
		"token": {"lateral"},
	}.Encode()
	if len(path) > maxReportPath {
		return "", &Fault{Kind: BadValue, Message: "these are too many records for one report", unsent: true}
	}
	return path, nil
}

func noReport(name string) *Fault {
	return &Fault{Kind: Missing, Message: "there is no report '" + readable(name) + "'"}
}

// readReport returns the PDF of an answer, and nothing else that an answer may be.
func readReport(response *http.Response, report Report, who auth.Credentials) (*PDF, error) {
	media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	body := bufio.NewReaderSize(response.Body, peekSize)
	head, err := body.Peek(peekSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case response.StatusCode == http.StatusOK && media == "application/pdf" && bytes.HasPrefix(head, []byte("%PDF-")):
	case leadsToLogin(response):
		return nil, noSession(errors.New("a session that was just opened has ended"))
	default:
		return nil, refusedReport(response.StatusCode, body, report, who)
	}
	if len(head) < peekSize && noPages.Match(head) {
		return nil, &Fault{
			Kind:    Validation,
			Message: "Odoo made a PDF without pages; some builds of its wkhtmltopdf cannot print several records at once, print them one by one",
		}
	}
	pdf := &PDF{Size: response.ContentLength, ReadCloser: pdfBody{Reader: body, end: response.Body.Close}}
	if _, params, err := mime.ParseMediaType(response.Header.Get("Content-Disposition")); err == nil {
		pdf.Name = params["filename"]
	}
	return pdf, nil
}

// peekSize is how much of an answer is looked at before it is passed on.
const peekSize = 4 << 10

// noPages matches the page tree of a PDF that was merged from nothing.
var noPages = regexp.MustCompile(`/Count 0\b`)

// refusedReport returns the fault that an answer without a PDF tells of.
func refusedReport(status int, body io.Reader, report Report, who auth.Credentials) error {
	text, err := io.ReadAll(io.LimitReader(body, maxRefusal))
	if err != nil {
		return err
	}
	var refusal struct {
		Data struct{ Name, Message, Debug string }
	}
	if err := json.Unmarshal([]byte(html.UnescapeString(string(text))), &refusal); err != nil || refusal.Data.Name == "" {
		switch {
		case status == http.StatusInternalServerError, status < 400:
			return &Fault{Kind: Internal, Message: fmt.Sprintf("Odoo answered with HTTP status %d and no PDF", status)}
		}
		return statusFault(status)
	}
	class, message := innerException(refusal.Data.Name, refusal.Data.Message, refusal.Data.Debug)
	// How the two series say that they know no such report (14.0: ir_actions_report.py,
	// _get_report_from_name; 19.0: _get_report).
	if class == "builtins.KeyError" && message == "False" || class == "builtins.ValueError" && strings.HasSuffix(message, ": "+report.Name) {
		return noReport(report.Name)
	}
	return faultOfException(class, message, refusal.Data.Debug, call{method: "report", uid: who.UID, secret: who.Secret})
}

// maxRefusal bounds what is read of an answer that is no PDF, in bytes; a traceback is in it.
const maxRefusal = 1 << 20

// innerException unwraps what the template engine of 14.0 and 15.0 puts around an exception: the
// class and the text of the cause stand only in the trace, behind the engine's own message
// (14.0: odoo/addons/base/models/qweb.py, QWebException).
func innerException(class, message, trace string) (innerClass, innerMessage string) {
	if !strings.HasSuffix(class, ".QWebException") {
		return class, message
	}
	at := strings.LastIndex(trace, message+"\n")
	if at < 0 {
		return class, message
	}
	cause := trace[at+len(message)+1:]
	for _, end := range []string{"\nTemplate: ", "\nPath: ", "\nNode: "} {
		cause, _, _ = strings.Cut(cause, end)
	}
	name, text, ok := strings.Cut(cause, ": ")
	if !ok || strings.ContainsAny(name, " \n") {
		return class, message
	}
	return name, text
}
