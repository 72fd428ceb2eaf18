package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lateral/integration/stack"
)

const (
	soakWriters = 4 // each with orders of its own, two on a board
	soakBumpers = 2 // increment counts of everybody's orders
	soakReaders = 4
)

// soakSize is how many reads and writes a soak makes: LATERAL_SOAK_READS and LATERAL_SOAK_WRITES, or few enough for
// every run of the tests.
func soakSize(t *testing.T) (reads, writes int) {
	t.Helper()
	size := map[string]int{"LATERAL_SOAK_READS": 3000, "LATERAL_SOAK_WRITES": 90}
	for name := range size {
		if text := os.Getenv(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 {
				t.Fatalf("%s=%q is no number of requests", name, text)
			}
			size[name] = n
		}
	}
	return size["LATERAL_SOAK_READS"], size["LATERAL_SOAK_WRITES"]
}

// soak is writers and readers at work on one service.
type soak struct {
	t      *testing.T
	v      *service
	ground *soakGround
	tokens map[string]string // by role
	client *http.Client
	zero   time.Time
	ctx    context.Context
	failed context.CancelCauseFunc
	// permits couple reads to writes, so that all of the ones go on beside all of the others.
	permits  chan struct{}
	perWrite int          // reads
	keys     atomic.Int64 // of lines
	stamps   atomic.Int64
	again    atomic.Int64 // writes that were refused because another was in the way

	mu      sync.Mutex
	history soakHistory
}

// Ensure that reads beside writes show every order as of one instant, nothing that was done is lost, and no
// answer is older than what had been answered before.
func TestSoak(t *testing.T) {
	reads, writes := soakSize(t)
	eachForkAtOnce(t, func(t *testing.T, s *stand) {
		// None goes abreast, so that reads of single orders that are asked for at once are read together.
		v := s.serve(t, nil, "LATERAL_ACCESS_TOKEN_EXPIRES_IN=0", "LATERAL_DATABASE_ABREAST=1")
		k := &soak{t: t, v: v, ground: s.soakGround(t, soakWriters), tokens: map[string]string{}, perWrite: (reads + writes - 1) / writes}
		k.permits = make(chan struct{}, 4*k.perWrite)
		for _, role := range []string{stack.RoleAdmin, stack.RoleDemo, stack.RoleSalesman} {
			user := s.User(role)
			v.login(t, user.Login, user.Password)
			k.tokens[role] = v.token
		}
		began := time.Now()
		k.run(writes)
		took := time.Since(began)
		faults := k.history.check()
		for _, fault := range faults[:min(len(faults), 20)] {
			t.Errorf("%s: %s", fault.kind, fault.text)
		}
		done := len(k.history.writes) + len(k.history.bumps) - int(k.again.Load())
		if len(k.history.reads) < reads || done < writes {
			t.Errorf("only %d reads and %d writes", len(k.history.reads), done)
		}
		together := v.metric(t, "lateral_reads_together_sum")
		if together == 0 {
			t.Error("no orders were read together")
		}
		t.Logf("%d reads, %.0f of them together, beside %d writes in %.1f s, %d writes more were in each other's way; %d faults",
			len(k.history.reads), together, done, took.Seconds(), k.again.Load(), len(faults))
	})
}

// run makes the writes and as many reads as belong to them, and reads everything in the end.
func (k *soak) run(writes int) {
	k.t.Helper()
	k.client = &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer k.client.CloseIdleConnections()
	k.ctx, k.failed = context.WithCancelCause(k.t.Context())
	defer k.failed(nil)
	k.zero = time.Now()
	k.history.start, k.history.owner = k.ground.start, map[int64]int{}
	for writer, orders := range k.ground.orders {
		for _, order := range orders {
			k.history.owner[order] = writer
		}
	}
	k.keys.Store(int64(len(k.ground.lines)))
	var writing, reading sync.WaitGroup
	share := (writes + soakWriters + soakBumpers - 1) / (soakWriters + soakBumpers)
	for i := range soakWriters {
		writing.Go(func() { k.write(i, share) })
	}
	for i := range soakBumpers {
		writing.Go(func() { k.bump(i, share) })
	}
	for i := range soakReaders {
		reading.Go(func() { k.read(i) })
	}
	writing.Wait()
	close(k.permits)
	reading.Wait()
	if err := context.Cause(k.ctx); err != nil {
		k.t.Fatalf("%v\n%s", err, k.v.log)
	}
	last := soakClient{soak: k, token: k.tokens[stack.RoleAdmin], writer: -1, final: true}
	last.reads("everything in the end", k.ground.pagePath(0, 1000), len(k.ground.start))
	last.keep()
	if err := context.Cause(k.ctx); err != nil {
		k.t.Fatal(err)
	}
}

// soakClient is one client with its part of the history.
type soakClient struct {
	*soak
	token   string
	writer  int
	final   bool
	parser  soakParser
	history soakHistory
}

// keep adds the client's part to the whole.
func (c *soakClient) keep() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.soak.history.reads = append(c.soak.history.reads, c.history.reads...)
	c.soak.history.writes = append(c.soak.history.writes, c.history.writes...)
	c.soak.history.bumps = append(c.soak.history.bumps, c.history.bumps...)
}

// turn waits until so many reads have been made that it is time for a write.
func (c *soakClient) turn() bool {
	for range c.perWrite {
		select {
		case c.permits <- struct{}{}:
		case <-c.ctx.Done():
			return false
		}
	}
	return true
}

// send makes a request and returns its answer with the time of both.
func (c *soakClient) send(method, path, body string) (got answer, began, ended time.Duration) {
	request, err := http.NewRequestWithContext(c.ctx, method, c.v.url+path, strings.NewReader(body))
	if err != nil {
		return answer{err: err}, 0, 0
	}
	request.Header.Set("Access-Token", c.token)
	began = time.Since(c.zero)
	response, err := c.client.Do(request)
	if err != nil {
		return answer{err: err}, began, time.Since(c.zero)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return answer{status: response.StatusCode, header: response.Header, body: content, err: err}, began, time.Since(c.zero)
}

// reads makes one read and keeps what it shows, which must be as many orders and come from SQL.
func (c *soakClient) reads(by, path string, orders int) {
	got, began, ended := c.send("GET", path, "")
	if got.err != nil || got.status != 200 || got.header.Get("X-Read-Path") != "direct" {
		c.failed(fmt.Errorf("%s: %d %.300s by way of %q, %w", by, got.status, got.body, got.header.Get("X-Read-Path"), got.err))
		return
	}
	if c.parser.known == nil {
		c.parser.known = map[string]*soakOrder{}
	}
	parse := c.parser.orders
	if strings.HasPrefix(path, "/v2/"+soakLines) {
		parse = c.parser.ordersOfLines
	}
	shown, err := parse(got.body)
	if err == nil && len(shown) != orders {
		err = fmt.Errorf("it shows %d orders, not %d", len(shown), orders)
	}
	if err != nil {
		c.failed(fmt.Errorf("%s: %w", by, err))
		return
	}
	c.history.reads = append(c.history.reads, soakRead{by: by, writer: c.writer, final: c.final, began: began, ended: ended, orders: shown})
}

// read reads in all forms as one of the users, in turn, for every permit that there is.
func (k *soak) read(reader int) {
	random := rand.New(rand.NewPCG(uint64(reader), 7))
	role := []string{stack.RoleAdmin, stack.RoleDemo, stack.RoleSalesman}[reader%3]
	c := &soakClient{soak: k, token: k.tokens[role], writer: -1}
	defer c.keep()
	boards, visible := k.ground.boards, soakWriters*soakPerUser
	if role == stack.RoleSalesman {
		boards, visible = boards[:soakClosed], visible/2
	}
	perBoard := soakWriters * soakPerUser / len(k.ground.boards)
	for range k.permits {
		if k.ctx.Err() != nil {
			continue
		}
		board := boards[random.IntN(len(boards))]
		switch random.IntN(5) {
		case 0:
			c.reads(role+", a board", k.ground.boardPath(board), perBoard)
		case 1:
			c.reads(role+", the lines of a board", k.ground.linesPath(board), perBoard)
		case 2:
			c.reads(role+", all orders", k.ground.pagePath(0, 1000), visible)
		case 3:
			c.reads(role+", a page", k.ground.pagePath(random.IntN(visible-3), 3), 3)
		default:
			k.readTogether(c.token, role, random)
		}
	}
}

// soakTogether is how many single orders are asked for at once.
const soakTogether = 5

// readTogether reads single orders at once, some of them perhaps the same.
func (k *soak) readTogether(token, role string, random *rand.Rand) {
	own := k.ground.orders[0] // on the first board, which everybody sees
	var all sync.WaitGroup
	for range soakTogether {
		c, path := &soakClient{soak: k, token: token, writer: -1}, k.ground.orderPath(own[random.IntN(len(own))])
		all.Go(func() {
			defer c.keep()
			c.reads(role+", an order among others", path, 1)
		})
	}
	all.Wait()
}

// bump increments counts of everybody's orders.
func (k *soak) bump(bumper, times int) {
	random := rand.New(rand.NewPCG(uint64(bumper), 8))
	c := &soakClient{soak: k, token: k.tokens[stack.RoleAdmin], writer: -1}
	defer c.keep()
	for range times {
		if !c.turn() {
			return
		}
		order := k.ground.start[random.IntN(len(k.ground.start))].id
		for done := false; !done; {
			got, began, ended := c.send("PUT", fmt.Sprintf("/v2/ir.actions.server/%d/run", k.ground.bumping), fmt.Sprintf(`{"__context__": {"x_order": %d}}`, order))
			var err error
			b := soakBump{order: order, began: began, ended: ended}
			if done, err = c.written(got); err != nil {
				return
			}
			if b.refused = !done; done {
				if b.result, err = strconv.ParseInt(string(got.body), 10, 64); err != nil {
					c.failed(fmt.Errorf("an increment: %q", got.body))
					return
				}
			}
			c.history.bumps = append(c.history.bumps, b)
		}
		c.reads("after an increment", k.ground.orderPath(order), 1)
	}
}

// written tells whether a write was done or, since another was in its way, certainly not; anything else
// fails the soak.
func (c *soakClient) written(got answer) (bool, error) {
	switch {
	case got.err == nil && got.status == 200:
		return true, nil
	case got.err == nil && got.status == 409 && got.header.Get("Retry-After") != "":
		c.again.Add(1)
		return false, nil
	}
	err := fmt.Errorf("a write: %d %.500s, %w", got.status, got.body, errors.Join(got.err, context.Cause(c.ctx)))
	c.failed(err)
	return false, err
}

// soakWriter is a client that changes its own orders and knows how they are.
type soakWriter struct {
	*soakClient
	random *rand.Rand
	board  int64
	orders []soakOrder
}

// write changes a writer's orders, and reads each change back.
func (k *soak) write(writer, times int) {
	role := []string{stack.RoleAdmin, stack.RoleDemo}[writer/2%2]
	w := &soakWriter{
		soakClient: &soakClient{soak: k, token: k.tokens[role], writer: writer},
		random:     rand.New(rand.NewPCG(uint64(writer), 9)), board: k.ground.board[writer],
	}
	defer w.keep()
	for _, o := range k.ground.start {
		if k.history.owner[o.id] == writer {
			w.orders = append(w.orders, o)
		}
	}
	for range times {
		if !w.turn() {
			return
		}
		change := w.transfer
		if w.random.IntN(4) == 0 {
			change = w.reshape
		}
		for done := false; !done; {
			after, method, path, body := change()
			got, began, ended := w.send(method, path, body)
			var err error
			if done, err = w.written(got); err != nil {
				return
			}
			w.soakClient.history.writes = append(w.soakClient.history.writes, soakWrite{writer: writer, began: began, ended: ended, refused: !done, orders: after})
			if done {
				w.learn(after)
			}
		}
		if w.random.IntN(2) == 0 {
			w.reads(role+", the board just written to", k.ground.boardPath(w.board), soakWriters*soakPerUser/len(k.ground.boards))
		} else {
			w.reads(role+", the lines just written to", k.ground.linesPath(w.board), soakWriters*soakPerUser/len(k.ground.boards))
		}
	}
}

// learn takes over what a write has left.
func (w *soakWriter) learn(after []soakOrder) {
	for _, o := range after {
		at := slices.IndexFunc(w.orders, func(own soakOrder) bool { return own.id == o.id })
		w.orders[at] = o
	}
}

// oneOf returns one of an order's lines.
func (w *soakWriter) oneOf(o soakOrder) int64 {
	keys := slices.Sorted(maps.Keys(o.lines))
	return keys[w.random.IntN(len(keys))]
}

// transfer moves a line between two orders and some value between two other lines, through the board of both:
// one request that changes three models in one transaction.
func (w *soakWriter) transfer() (after []soakOrder, method, path, body string) {
	var a, b soakOrder
	for len(a.lines) < 2 { // it keeps one
		at := w.random.Perm(len(w.orders))
		a, b = copyOrder(w.orders[at[0]]), copyOrder(w.orders[at[1]])
	}
	a.stamp = w.stamps.Add(1)
	b.stamp = a.stamp
	moved := w.oneOf(a)
	value := a.lines[moved] + 1
	delete(a.lines, moved)
	fromLine, toLine := w.oneOf(a), w.oneOf(b)
	amount := w.random.Int64N(100)
	a.lines[fromLine] -= amount
	b.lines[toLine] += amount
	b.lines[moved] = value
	a.total -= value - 1 + amount
	b.total += value + amount
	line := func(key, value int64) string {
		return fmt.Sprintf(`{"id": %d, "x_value": %d}`, w.lineID(key), value)
	}
	body = fmt.Sprintf(`{"x_order_ids": [{"id": %d, "x_total": %d, "x_stamp": %d, "x_line_ids": [{"id": %d, "x_order_id": %d, "x_value": %d}, %s]}, {"id": %d, "x_total": %d, "x_stamp": %d, "x_line_ids": [%s]}]}`,
		a.id, a.total, a.stamp, w.lineID(moved), b.id, value, line(fromLine, a.lines[fromLine]),
		b.id, b.total, b.stamp, line(toLine, b.lines[toLine]))
	return []soakOrder{a, b}, "PUT", fmt.Sprintf("/v2/%s/%d", soakBoard, w.board), body
}

// reshape deletes a line of an order and makes another.
func (w *soakWriter) reshape() (after []soakOrder, method, path, body string) {
	o := copyOrder(w.orders[w.random.IntN(len(w.orders))])
	o.stamp = w.stamps.Add(1)
	gone, made, value := w.oneOf(o), w.keys.Add(1), w.random.Int64N(1000)
	o.total += value - o.lines[gone]
	delete(o.lines, gone)
	o.lines[made] = value
	body = fmt.Sprintf(`{"x_total": %d, "x_stamp": %d, "x_line_ids": [{"id": %d}, {"x_key": %d, "x_value": %d}]}`, o.total, o.stamp, w.lineID(gone), made, value)
	return []soakOrder{o}, "PUT", fmt.Sprintf("/v2/%s/%d", soakOrders, o.id), body
}

// lineID returns the id of the line of a key, which is asked for where the line was made in the soak.
func (w *soakWriter) lineID(key int64) int64 {
	w.mu.Lock()
	id := w.ground.lines[key]
	w.mu.Unlock()
	if id != 0 {
		return id
	}
	got, _, _ := w.send("GET", fmt.Sprintf("/v2/%s/%d?search_field=x_key&exclude_fields=*", soakLines, key), "")
	id, err := strconv.ParseInt(strings.TrimSpace(between(string(got.body), `"id":`, "}")), 10, 64)
	if err != nil {
		w.failed(fmt.Errorf("the line %d: %d %s, %w", key, got.status, got.body, err))
		return 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ground.lines[key] = id
	return id
}
