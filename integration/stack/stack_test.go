package stack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"lateral/integration/stack"
)

// Ensure a stack of ordinary processes with Odoo 19.0 does all that a stack promises.
func TestLocalStack19(t *testing.T) { checkStack(t, "local", "19.0") }

// Ensure the same of Odoo 14.0.
func TestLocalStack14(t *testing.T) { checkStack(t, "local", "14.0") }

// Ensure a stack of containers with Odoo 19.0 does all that a stack promises.
func TestContainerStack19(t *testing.T) { checkStack(t, "containers", "19.0") }

// Ensure the same of Odoo 14.0.
func TestContainerStack14(t *testing.T) { checkStack(t, "containers", "14.0") }

// checkStack starts a stack, uses it, closes it, and looks for anything left of it.
func checkStack(t *testing.T, provider, version string) {
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Minute)
	defer cancel()
	begin := time.Now()
	s, err := stack.Start(ctx, stack.Options{Version: version, Provider: provider, Redis: true, Progress: testWriter{t}})
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	t.Cleanup(func() {
		if !closed {
			closeStack(t, s)
		}
	})
	t.Logf("started in %.1f s", time.Since(begin).Seconds())

	checkDatabase(t, ctx, s)
	checkUsers(t, ctx, s)
	checkReport(t, ctx, s)
	checkRedis(t, ctx, s)
	fork := checkFork(t, ctx, s)
	checkOutages(t, ctx, s, fork)

	closeStack(t, s)
	closed = true
	checkGone(t, ctx, s)
}

func closeStack(t *testing.T, s *stack.Stack) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

// Ensure the reading role reads and can do nothing else, and the owner can count statements.
func checkDatabase(t *testing.T, ctx context.Context, s *stack.Stack) {
	t.Helper()
	reader := connect(t, ctx, s.DSN)
	defer reader.Close(ctx)
	var orders int
	if err := reader.QueryRow(ctx, "SELECT count(*) FROM sale_order").Scan(&orders); err != nil || orders < 24 {
		t.Errorf("orders: %d, %v", orders, err)
	}
	for _, statement := range []string{
		"INSERT INTO res_partner_industry (name) VALUES (NULL)",
		"UPDATE sale_order SET name = name",
		"DELETE FROM sale_order",
		"TRUNCATE sale_order",
		"CREATE TABLE public.lateral_test (id int)",
		"CREATE ROLE lateral_test",
		"CREATE DATABASE lateral_test",
		"SELECT password FROM res_users",
		"COPY (SELECT 1) TO PROGRAM 'true'",
		"SELECT pg_read_file('postgresql.conf')",
	} {
		_, err := reader.Exec(ctx, statement)
		var failure *pgconn.PgError
		if !errors.As(err, &failure) || failure.Code != "42501" {
			t.Errorf("%s: want permission denied, got %v", statement, err)
		}
	}
	owner := connect(t, ctx, s.OwnerDSN)
	defer owner.Close(ctx)
	var statements int
	if err := owner.QueryRow(ctx, "SELECT count(*) FROM pg_stat_statements").Scan(&statements); err != nil || statements == 0 {
		t.Errorf("counted statements: %d, %v", statements, err)
	}
	// What the prepare script is there for.
	for name, query := range map[string]string{
		"French":           "SELECT count(*) FROM res_lang WHERE code = 'fr_FR' AND active",
		"English users":    "SELECT count(*) FROM res_users u JOIN res_partner p ON p.id = u.partner_id WHERE u.login = 'demo' AND p.lang = 'en_US'",
		"second company":   "SELECT count(*) FROM sale_order o JOIN res_company c ON c.id = o.company_id WHERE c.name = 'Second Company'",
		"archived product": "SELECT count(*) FROM sale_order_line l JOIN product_product p ON p.id = l.product_id WHERE NOT p.active",
		"archived child":   "SELECT count(*) FROM res_partner WHERE NOT active AND parent_id IS NOT NULL",
		"archived tax":     "SELECT count(*) FROM account_tax WHERE NOT active",
		"in the database":  "SELECT count(*) FROM ir_attachment WHERE db_datas IS NOT NULL",
	} {
		var found int
		if err := owner.QueryRow(ctx, query).Scan(&found); err != nil || found == 0 {
			t.Errorf("%s: %d, %v", name, found, err)
		}
	}
	checkFilestore(t, ctx, owner, s.Filestore)
}

// Ensure every attachment that the database names is in the filestore and readable.
func checkFilestore(t *testing.T, ctx context.Context, owner *pgx.Conn, folder string) {
	t.Helper()
	rows, err := owner.Query(ctx, "SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname IS NOT NULL")
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(names) == 0 {
		t.Fatalf("%d attachments, %v", len(names), err)
	}
	for _, name := range names {
		if _, err := os.ReadFile(filepath.Join(folder, name)); err != nil {
			t.Errorf("attachment: %v", err)
		}
	}
}

// Ensure every user can log in, and that the salesman sees his own orders and nobody else's.
func checkUsers(t *testing.T, ctx context.Context, s *stack.Stack) {
	t.Helper()
	roles := []string{
		stack.RoleAdmin, stack.RoleDemo, stack.RolePortal, stack.RoleSalesman, stack.RoleAccountant, stack.RoleSecond,
	}
	for _, role := range roles {
		user := s.User(role)
		if user.Login == "" || !slices.Contains(s.Users, user) {
			t.Errorf("no user is %s", role)
		}
		if authenticate(t, ctx, s, user) == 0 {
			t.Errorf("%s cannot log in", user.Login)
		}
	}
	if uid := authenticate(t, ctx, s, stack.User{Login: "admin", Password: "wrong"}); uid != 0 {
		t.Errorf("a wrong password logs in as %d", uid)
	}
	all := countOrders(t, ctx, s, s.User(stack.RoleAdmin))
	own := countOrders(t, ctx, s, s.User(stack.RoleSalesman))
	second := countOrders(t, ctx, s, s.User(stack.RoleSecond))
	if own == 0 || second == 0 || own+second >= all {
		t.Errorf("orders that admin, salesman and second see: %d, %d, %d", all, own, second)
	}
}

// Ensure a report comes as PDF over HTTP.
func checkReport(t *testing.T, ctx context.Context, s *stack.Stack) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	user := s.User(stack.RoleAdmin)
	login, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "params": map[string]string{
		"db": s.Database, "login": user.Login, "password": user.Password,
	}})
	if err != nil {
		t.Fatal(err)
	}
	fetch(t, ctx, browser, http.MethodPost, s.OdooURL+"/web/session/authenticate", "application/json", login)
	owner := connect(t, ctx, s.OwnerDSN)
	defer owner.Close(ctx)
	var order int
	if err := owner.QueryRow(ctx, "SELECT min(id) FROM sale_order").Scan(&order); err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("/report/pdf/sale.report_saleorder/%d", order)
	pdf := fetch(t, ctx, browser, http.MethodGet, s.OdooURL+path, "", nil)
	// Without its style sheets and fonts the report is much smaller.
	if !bytes.HasPrefix(pdf, []byte("%PDF-")) || len(pdf) < 20_000 {
		t.Errorf("the report is no PDF, or a poor one: %d bytes, %.80q", len(pdf), pdf)
	}
}

func checkRedis(t *testing.T, ctx context.Context, s *stack.Stack) {
	t.Helper()
	var dial net.Dialer
	conn, err := dial.DialContext(ctx, "tcp", s.RedisAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 7)
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "+PONG\r\n" {
		t.Errorf("Redis: %q, %v", answer, err)
	}
}

// Ensure a fork is made in seconds, is served, is apart from its origin, and can be dropped while it is in use.
func checkFork(t *testing.T, ctx context.Context, s *stack.Stack) *stack.Stack {
	t.Helper()
	begin := time.Now()
	fork, err := s.Fork(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("forked in %.1f s", time.Since(begin).Seconds())
	if authenticate(t, ctx, fork, fork.User(stack.RoleAdmin)) == 0 {
		t.Error("admin cannot log in to the fork")
	}
	owner := connect(t, ctx, fork.OwnerDSN)
	defer owner.Close(ctx)
	if _, err := owner.Exec(ctx, "UPDATE sale_order SET client_order_ref = 'only in the fork'"); err != nil {
		t.Error(err)
	}
	checkFilestore(t, ctx, owner, fork.Filestore)
	origin := connect(t, ctx, s.DSN)
	defer origin.Close(ctx)
	var changed int
	query := "SELECT count(*) FROM sale_order WHERE client_order_ref = 'only in the fork'"
	if err := origin.QueryRow(ctx, query).Scan(&changed); err != nil || changed != 0 {
		t.Errorf("orders changed in the origin: %d, %v", changed, err)
	}
	reader := connect(t, ctx, fork.DSN)
	defer reader.Close(ctx)
	if err := reader.QueryRow(ctx, query).Scan(&changed); err != nil || changed == 0 {
		t.Errorf("orders changed in the fork: %d, %v", changed, err)
	}

	second, err := fork.Fork(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if second.Database == fork.Database {
		t.Errorf("two forks are both %s", fork.Database)
	}
	if err := second.Close(ctx); err != nil {
		t.Errorf("drop a fork: %v", err)
	}
	if _, err := os.Stat(second.Filestore); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the filestore of a dropped fork: %v", err)
	}
	return fork
}

// Ensure PostgreSQL and Odoo can be stopped and come back at their old addresses.
func checkOutages(t *testing.T, ctx context.Context, s, fork *stack.Stack) {
	t.Helper()
	if err := s.StopPostgres(ctx); err != nil {
		t.Fatal(err)
	}
	if conn, err := pgx.Connect(ctx, s.DSN); err == nil {
		conn.Close(ctx)
		t.Error("PostgreSQL answers although it is stopped")
	}
	if err := s.StartPostgres(ctx); err != nil {
		t.Fatal(err)
	}
	connect(t, ctx, s.DSN).Close(ctx)
	if err := s.StopOdoo(ctx); err != nil {
		t.Fatal(err)
	}
	if conn, err := net.DialTimeout("tcp", strings.TrimPrefix(s.OdooURL, "http://"), time.Second); err == nil {
		conn.Close()
		t.Error("Odoo listens although it is stopped")
	}
	if err := s.StartOdoo(ctx); err != nil {
		t.Fatal(err)
	}
	if authenticate(t, ctx, fork, fork.User(stack.RoleDemo)) == 0 {
		t.Error("demo cannot log in to the fork after Odoo was stopped")
	}
	if err := fork.Close(ctx); err != nil {
		t.Errorf("drop the fork: %v", err)
	}
}

// Ensure nothing of a closed stack is left: no listener, no process, no folder.
func checkGone(t *testing.T, ctx context.Context, s *stack.Stack) {
	t.Helper()
	config, err := pgx.ParseConfig(s.DSN)
	if err != nil {
		t.Fatal(err)
	}
	odoo, err := url.Parse(s.OdooURL)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{net.JoinHostPort(config.Host, fmt.Sprint(config.Port)), odoo.Host, s.RedisAddr} {
		if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			conn.Close()
			t.Errorf("something still listens at %s", address)
		}
	}
	// .../run/<stack>/data/filestore/<database>
	run := filepath.Dir(filepath.Dir(filepath.Dir(s.Filestore)))
	if _, err := os.Stat(run); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the run folder: %v", err)
	}
	processes, err := exec.CommandContext(ctx, "ps", "-eo", "pid,args").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(processes)) {
		if strings.Contains(line, run) {
			t.Errorf("still running: %s", line)
		}
	}
}

func connect(t *testing.T, ctx context.Context, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// rpcAnswer is what the few calls of these tests answer.
type rpcAnswer struct {
	Int     int    `xml:"params>param>value>int"`
	Boolean string `xml:"params>param>value>boolean"`
	Fault   string `xml:"fault>value>struct>member>value>string"`
}

// call calls Odoo's XML-RPC with strings and integers.
func call(t *testing.T, ctx context.Context, s *stack.Stack, service, method string, params ...string) rpcAnswer {
	t.Helper()
	body := "<?xml version='1.0'?><methodCall><methodName>" + method + "</methodName><params>"
	for _, param := range params {
		body += "<param><value>" + param + "</value></param>"
	}
	body += "</params></methodCall>"
	text := fetch(t, ctx, http.DefaultClient, http.MethodPost, s.OdooURL+"/xmlrpc/2/"+service, "text/xml", []byte(body))
	var answer rpcAnswer
	if err := xml.Unmarshal(text, &answer); err != nil || answer.Fault != "" {
		t.Fatalf("%s: %v %s", method, err, answer.Fault)
	}
	return answer
}

func authenticate(t *testing.T, ctx context.Context, s *stack.Stack, user stack.User) int {
	t.Helper()
	return call(t, ctx, s, "common", "authenticate", "<string>"+s.Database+"</string>", "<string>"+user.Login+"</string>",
		"<string>"+user.Password+"</string>", "<struct></struct>").Int
}

func countOrders(t *testing.T, ctx context.Context, s *stack.Stack, user stack.User) int {
	t.Helper()
	uid := authenticate(t, ctx, s, user)
	return call(t, ctx, s, "object", "execute_kw", "<string>"+s.Database+"</string>", fmt.Sprintf("<int>%d</int>", uid),
		"<string>"+user.Password+"</string>", "<string>sale.order</string>", "<string>search_count</string>",
		"<array><data><value><array><data></data></array></value></data></array>").Int
}

func fetch(t *testing.T, ctx context.Context, client *http.Client, method, url, contentType string, body []byte) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s: %.500s", method, url, response.Status, text)
	}
	return text
}

// testWriter shows progress in the test's log.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(text []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(text), "\n"))
	return len(text), nil
}
