package writer

import (
	"strings"
	"testing"
	"time"

	"lateral/auth"
)

// Ensure sessions are kept per token, bounded, and gone with their tokens.
func TestWebSessions(t *testing.T) {
	now := time.Unix(1000, 0)
	w := newWebSessions(2, func() time.Time { return now })
	user := func(n byte, ends time.Time) auth.Credentials {
		return auth.Credentials{UID: int64(n), Token: auth.Key{n}, Expires: ends}
	}
	one, two, three := user(1, time.Time{}), user(2, now.Add(time.Minute)), user(3, time.Time{})
	first, second := w.of(one), w.of(two)
	if w.of(one) != first || w.of(two) != second || first == second {
		t.Fatal("sessions are not kept per token")
	}
	now = now.Add(time.Minute)
	if w.of(one) != first {
		t.Error("a session without end has ended")
	}
	if _, ok := w.known[two.Token]; ok {
		t.Error("a session has outlived its token")
	}
	w.of(three)
	w.of(one)
	w.of(user(4, time.Time{}))
	if _, ok := w.known[three.Token]; ok || len(w.known) != 2 || w.recent.Len() != 2 {
		t.Errorf("kept %d sessions, the longest unused one among them: %v", len(w.known), ok)
	}
	w.forget(one.Token)
	w.forget(one.Token)
	if w.of(one) == first {
		t.Error("a session is still there after its token was revoked")
	}
	anonymous := auth.Credentials{UID: 9}
	mine, theirs := w.of(anonymous), w.of(anonymous)
	if mine == theirs {
		t.Error("a session is kept for nobody")
	}
}

func TestReportPath(t *testing.T) {
	path, err := reportPath(Report{Name: "sale.report_saleorder", IDs: []int64{1, 20}, Context: map[string]any{"lang": "fr_FR"}})
	want := "/report/download?context=%7B%22lang%22%3A%22fr_FR%22%7D&data=%5B%22%2Freport%2Fpdf%2Fsale.report_saleorder%2F1%2C20%22%2C%22qweb-pdf%22%5D&token=lateral"
	if err != nil || path != want {
		t.Errorf("got %s, %v, want %s", path, err, want)
	}
	for _, name := range []string{"", "a/b", "a?b", "a b", "../x", "a\n", "é"} {
		if _, err := reportPath(Report{Name: name, IDs: []int64{1}}); err == nil || !strings.Contains(err.Error(), "there is no report") {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := reportPath(Report{Name: "a.b", IDs: make([]int64, 40_000)}); err == nil {
		t.Error("an address of any length")
	}
}

func TestInnerException(t *testing.T) {
	const engine = "odoo.addons.base.models.qweb.QWebException"
	for _, test := range []struct{ class, message, trace, wantClass, wantMessage string }{
		{"odoo.exceptions.UserError", "No.", "Traceback…", "odoo.exceptions.UserError", "No."},
		{
			engine, "Error to render compiling AST",
			"Traceback\nQWebException: x\n\nError to render compiling AST\nAccessError: You may not.\n\nAsk: him.\nTemplate: sale.x\nPath: /t\nNode: <t/>\n",
			"AccessError", "You may not.\n\nAsk: him.",
		},
		{engine, "Error to render compiling AST", "Traceback", engine, "Error to render compiling AST"},
		{engine, "Error", "x\nError\nno exception here\n", engine, "Error"},
	} {
		class, message := innerException(test.class, test.message, test.trace)
		if class != test.wantClass || message != test.wantMessage {
			t.Errorf("%q %q: got %q %q", test.class, test.trace, class, message)
		}
	}
}
