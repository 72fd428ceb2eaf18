package integration

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"lateral/integration/stack"
)

// answer is an HTTP answer, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error
}

// code returns the contract's error code of an answer, empty where it is no error of the contract's
// form.
func (a answer) code() string {
	var problem struct {
		Error       string `json:"error"`
		Description string `json:"error_descrip"`
	}
	if json.Unmarshal(a.body, &problem) != nil || problem.Description == "" {
		return ""
	}
	return problem.Error
}

// description returns the text of an error of the contract's form.
func (a answer) description() string {
	var problem struct {
		Description string `json:"error_descrip"`
	}
	_ = json.Unmarshal(a.body, &problem) // what is no JSON has none
	return problem.Description
}

// send makes one request of a running service and reads its answer. The path is sent as it is. More
// headers are names and values in turn.
func (v *service) send(method, path, token, body string, headers ...string) answer {
	request, err := http.NewRequest(method, v.url, strings.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	request.URL.Opaque = "//" + request.URL.Host + path
	if token != "" {
		request.Header.Set("Access-Token", token)
	}
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{
		Timeout:       2 * time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return answer{status: response.StatusCode, header: response.Header, body: content, err: err}
}

// raw sends bytes that need not be HTTP and reads what comes back until the server hangs up. Requests
// among them should ask for that.
func (v *service) raw(t testing.TB, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(v.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	// A server that has read enough may answer and hang up before all is written.
	_, _ = io.WriteString(conn, request)
	got, _ := io.ReadAll(conn)
	return string(got)
}

// admin logs the administrator in and returns the access token.
func (v *service) admin(t testing.TB, s *stand) string {
	t.Helper()
	user := s.User(stack.RoleAdmin)
	v.login(t, user.Login, user.Password)
	return v.token
}
