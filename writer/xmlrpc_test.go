package writer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lateral/auth"
)

const answerOne = "<methodResponse><params><param><value><int>1</int></value></param></params></methodResponse>"

var someone = auth.Credentials{UID: 7, Login: "someone", Secret: "very-secret"}

// serve returns a caller of a server that grants no session of the database and answers calls by
// handler.
func serve(t *testing.T, config Config, handler http.HandlerFunc) *XMLRPC {
	t.Helper()
	return serveAll(t, config, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			handler(w, r)
		}
	})
}

// serveAll returns a caller of a server that answers all requests by handler.
func serveAll(t *testing.T, config Config, handler http.HandlerFunc) *XMLRPC {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	config.URL, config.Database = server.URL+"/", "db"
	x := NewXMLRPC(config)
	t.Cleanup(x.Close)
	return x
}

func faultOf(t *testing.T, err error) *Fault {
	t.Helper()
	fault, ok := errors.AsType[*Fault](err)
	if !ok {
		t.Fatalf("got %v, want a fault", err)
	}
	return fault
}

// Ensure a call goes to the right service with the parameters in Odoo's order.
func TestExecute(t *testing.T) {
	var path, body string
	x := serve(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		path, body = r.URL.Path, string(text)
		io.WriteString(w, answerOne)
	})
	result, err := x.Execute(t.Context(), someone, "res.partner", "search", []any{[]any{}}, nil)
	if err != nil || result != int64(1) {
		t.Fatalf("got %v, %v", result, err)
	}
	want := "<methodName>execute_kw</methodName><params>" +
		"<param><value><string>db</string></value></param>" +
		"<param><value><int>7</int></value></param>" +
		"<param><value><string>very-secret</string></value></param>" +
		"<param><value><string>res.partner</string></value></param>" +
		"<param><value><string>search</string></value></param>" +
		"<param><value><array><data><value><array><data></data></array></value></data></array></value></param>" +
		"<param><value><struct></struct></value></param></params>"
	if path != "/xmlrpc/2/object" || !strings.Contains(body, want) {
		t.Fatalf("got %s %s", path, body)
	}
}

// Ensure the answer false of a login is a refusal.
func TestAuthenticate(t *testing.T) {
	x := serve(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "<string>right</string>") {
			io.WriteString(w, answerOne)
			return
		}
		io.WriteString(w, "<methodResponse><params><param><value><boolean>0</boolean></value></param></params></methodResponse>")
	})
	if uid, err := x.Authenticate(t.Context(), "someone", "right"); err != nil || uid != 1 {
		t.Errorf("got %d, %v", uid, err)
	}
	if _, err := x.Authenticate(t.Context(), "someone", "wrong"); !errors.Is(err, ErrAccessDenied) {
		t.Errorf("got %v, want ErrAccessDenied", err)
	}
}

// Ensure answers that are not Odoo's are graded, and shown without the address.
func TestStatus(t *testing.T) {
	for status, kind := range map[int]Kind{
		500: Unavailable, 400: Internal, 404: Unavailable, 502: Unavailable, 503: Unavailable, 504: Timeout, 302: Unavailable,
	} {
		var calls atomic.Int32
		x := serve(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			w.Header().Set("Location", "/web/login")
			w.WriteHeader(status)
		})
		_, err := x.Execute(t.Context(), someone, "m", "read", nil, nil)
		fault := faultOf(t, err)
		if fault.Kind != kind || fault.SafeToRetry() || calls.Load() != 1 {
			t.Errorf("%d: got %v after %d calls", status, err, calls.Load())
		}
		if strings.Contains(fault.Odoo(), "127.0.0.1") {
			t.Errorf("%d: %s shows the address", status, fault.Odoo())
		}
	}
}

// Ensure text that is no XML-RPC is no result.
func TestNotXMLRPC(t *testing.T) {
	x := serve(t, Config{}, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>Log in</html>") })
	_, err := x.Execute(t.Context(), someone, "m", "read", nil, nil)
	if fault := faultOf(t, err); fault.Kind != Internal || fault.Odoo() != "Odoo's answer is not XML-RPC" {
		t.Fatalf("got %v", err)
	}
}

// Ensure only what has surely not been sent is safe to retry.
func TestSafeToRetry(t *testing.T) {
	nobody := NewXMLRPC(Config{URL: "http://127.0.0.1:1", Database: "db"})
	_, err := nobody.Execute(t.Context(), someone, "m", "read", nil, nil)
	if fault := faultOf(t, err); fault.Kind != Unavailable || !fault.SafeToRetry() {
		t.Errorf("nobody listens: got %v, safe %v", err, fault.SafeToRetry())
	}

	hangsUp := serve(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			conn.Close()
		}
	})
	_, err = hangsUp.Execute(t.Context(), someone, "m", "read", nil, nil)
	if fault := faultOf(t, err); fault.Kind != Unavailable || fault.SafeToRetry() {
		t.Errorf("hung up: got %v, safe %v", err, fault.SafeToRetry())
	}

	_, err = nobody.Execute(t.Context(), someone, "m", "_read", nil, nil)
	if fault := faultOf(t, err); fault.Kind != NoMethod {
		t.Errorf("private: got %v", err)
	}
	_, err = nobody.Execute(t.Context(), someone, "m", "read", []any{"\x00"}, nil)
	if fault := faultOf(t, err); fault.Kind != BadValue || !fault.SafeToRetry() {
		t.Errorf("unencodable: got %v", err)
	}
}

// Ensure a call ends when its context or the configured time does.
func TestTimeout(t *testing.T) {
	release := make(chan struct{})
	handler := func(http.ResponseWriter, *http.Request) { <-release }
	x := serve(t, Config{Timeout: 50 * time.Millisecond, MaxConns: 1}, handler)
	defer close(release)
	_, err := x.Execute(t.Context(), someone, "m", "read", nil, nil)
	if fault := faultOf(t, err); fault.Kind != Timeout || fault.SafeToRetry() {
		t.Errorf("configured: got %v, safe %v", err, fault.SafeToRetry())
	}

	y := serve(t, Config{MaxConns: 1}, handler)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	var wait sync.WaitGroup
	faults := make([]*Fault, 2)
	for i := range faults {
		wait.Go(func() {
			_, err := y.Execute(ctx, someone, "m", "read", nil, nil)
			faults[i], _ = errors.AsType[*Fault](err)
		})
	}
	wait.Wait()
	safe := 0
	for _, fault := range faults {
		if fault == nil || fault.Kind != Canceled {
			t.Fatalf("canceled: got %v", fault)
		}
		if fault.SafeToRetry() {
			safe++
		}
	}
	if safe != 1 {
		t.Errorf("of two calls over one connection, %d were not sent", safe)
	}
}

// Ensure calls share connections, no more than configured.
func TestConnections(t *testing.T) {
	var now, most, addresses atomic.Int32
	seen := sync.Map{}
	x := serve(t, Config{MaxConns: 3}, func(w http.ResponseWriter, r *http.Request) {
		if _, old := seen.LoadOrStore(r.RemoteAddr, true); !old {
			addresses.Add(1)
		}
		n := now.Add(1)
		defer now.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		time.Sleep(2 * time.Millisecond)
		io.WriteString(w, answerOne)
	})
	var wait sync.WaitGroup
	for range 30 {
		wait.Go(func() {
			if _, err := x.Execute(t.Context(), someone, "m", "read", nil, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if most.Load() > 3 || addresses.Load() > 3 {
		t.Fatalf("got %d calls at a time over %d connections", most.Load(), addresses.Load())
	}
}

// Ensure an answer beyond the limit is refused, with and without a declared length.
func TestMaxResponse(t *testing.T) {
	for _, flush := range []bool{false, true} {
		x := serve(t, Config{MaxResponse: 200}, func(w http.ResponseWriter, r *http.Request) {
			if flush {
				http.NewResponseController(w).Flush()
			}
			io.WriteString(w, answerOne+strings.Repeat(" ", 200))
		})
		_, err := x.Execute(t.Context(), someone, "m", "read", nil, nil)
		if fault := faultOf(t, err); fault.Kind != TooLarge {
			t.Errorf("flush %v: got %v", flush, err)
		}
	}
}

// Ensure the observer learns of each call, and nothing secret.
func TestObserve(t *testing.T) {
	var seen []string
	config := Config{Observe: func(method string, d time.Duration, outcome string) {
		if d <= 0 {
			t.Errorf("%s took %v", method, d)
		}
		seen = append(seen, method+" "+outcome)
	}}
	fails := false
	x := serve(t, config, func(w http.ResponseWriter, r *http.Request) {
		if fails {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		io.WriteString(w, answerOne)
	})
	x.Authenticate(t.Context(), "someone", "right")
	x.Execute(t.Context(), someone, "m.n", "read", nil, nil)
	fails = true
	x.Version(t.Context())
	if got, want := fmt.Sprint(seen), "[authenticate ok m.n.read ok version unavailable]"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
}

// Ensure a user's fields come back by name.
func TestFieldsGet(t *testing.T) {
	x := serve(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(body), "<name>attributes</name><value><array><data><value><string>type</string>") {
			t.Errorf("got %s", body)
		}
		io.WriteString(w, "<methodResponse><params><param><value><struct><member><name>name</name><value><struct><member><name>type</name><value><string>char</string></value></member></struct></value></member></struct></value></param></params></methodResponse>")
	})
	fields, err := NewUserCaller(x, someone, nil).FieldsGet(t.Context(), "res.partner", []string{"type"})
	if err != nil || fmt.Sprint(fields) != "map[name:map[type:char]]" {
		t.Fatalf("got %v, %v", fields, err)
	}
}
