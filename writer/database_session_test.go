package writer

import (
	"io"
	"net/http"
	"testing"
)

// Ensure every call goes in a session of our database where Odoo grants one that helps, and in none
// elsewhere, and that it is looked for once.
func TestDatabaseSession(t *testing.T) {
	const (
		answerXML  = `<?xml version="1.0"?><methodResponse><params><param><value><int>7</int></value></param></params></methodResponse>`
		answerJSON = `{"jsonrpc": "2.0", "id": 1, "error": {"data": {"name": "odoo.exceptions.UserError", "message": "No."}}}`
	)
	for name, c := range map[string]struct {
		grants, helps bool
		want          string // the session of the calls
	}{
		"an Odoo below 19.0":           {grants: true, helps: true, want: "ours"},
		"19.0":                         {},
		"a session of no database":     {grants: true},
		"something that is not Odoo's": {helps: true},
	} {
		t.Run(name, func(t *testing.T) {
			looked, calls, tried := 0, 0, !c.grants
			x := serveAll(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
				session := ""
				if cookie, err := r.Cookie(sessionCookie); err == nil {
					session = cookie.Value
				}
				switch {
				case r.Method == http.MethodGet:
					if r.URL.Path != "/web" || r.URL.Query().Get("db") != "db" || r.Header.Get(databaseHeader) != "db" {
						t.Errorf("looked at %s", r.URL)
					}
					looked++
					if c.grants {
						http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: "ours"})
					}
					w.WriteHeader(http.StatusFound)
				case !tried: // the session granted is tried first
					tried = true
					if session != "ours" {
						t.Errorf("the session %q is tried", session)
					}
					if c.helps {
						io.WriteString(w, answerJSON)
					} else {
						w.WriteHeader(http.StatusInternalServerError)
					}
				default:
					calls++
					if session != c.want {
						t.Errorf("a call to %s is of the session %q, want %q", r.URL.Path, session, c.want)
					}
					if r.URL.Path == "/jsonrpc" {
						io.WriteString(w, answerJSON)
					} else {
						io.WriteString(w, answerXML)
					}
				}
			})
			for range 2 {
				if uid, err := x.Authenticate(t.Context(), "someone", "secret"); uid != 7 || err != nil {
					t.Errorf("got %d, %v", uid, err)
				}
				_, err := x.ExecuteJSON(t.Context(), someone, "m", "frob", nil, nil)
				if fault := faultOf(t, err); fault.Kind != Validation {
					t.Errorf("got %v", err)
				}
			}
			if looked != 1 || calls != 4 {
				t.Errorf("looked %d times for %d calls", looked, calls)
			}
		})
	}
}
