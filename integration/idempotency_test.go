package integration

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// once makes a request under an idempotency key, again and again while its twin is worked on, as
// Retry-After asks for.
func (v *service) once(token, key, method, path, body string) answer {
	for deadline := time.Now().Add(time.Minute); ; {
		got := v.onceNow(token, key, method, path, body)
		if got.code() != "idempotency_key_in_use" || got.header.Get("Retry-After") == "" || time.Now().After(deadline) {
			return got
		}
		time.Sleep(time.Second)
	}
}

func (v *service) onceNow(token, key, method, path, body string) answer {
	request, err := http.NewRequest(method, v.url+path, strings.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	request.Header.Set("Access-Token", token)
	request.Header.Set("Idempotency-Key", key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return answer{status: response.StatusCode, header: response.Header, body: content, err: err}
}

// partners counts the partners of a name, archived ones included, in Odoo.
func (s *stand) partners(t *testing.T, name string) int64 {
	t.Helper()
	var n int64
	row := s.pool.QueryRow(t.Context(), "SELECT count(*) FROM res_partner WHERE name = $1", name)
	require.NoError(t, row.Scan(&n))
	return n
}

// Ensure that a request under a key runs once, sent to several processes at the same time, to one
// that was started later, and under another token; and that where its outcome is not known it is
// never run again.
func TestIdempotencyKey(t *testing.T) {
	eachForkAtOnce(t, func(t *testing.T, s *stand) {
		client := s.redisClient(t)
		presets := map[string]string{"res.partner.schema": "{'create_one': ('id', 'name', 'city')}"}
		one, two := s.serve(t, presets, s.onRedis()...), s.serve(t, presets, s.onRedis()...)
		token := one.tokens(t, "admin", "admin").Access

		// At the same time, at two processes.
		var group sync.WaitGroup
		answers := make([]answer, 12)
		for i := range answers {
			group.Go(func() {
				answers[i] = []*service{one, two}[i%2].once(token, "at-once", "POST", "/api/res.partner", `{"name": "Once", "city": "Ghent"}`)
			})
		}
		group.Wait()
		replays := 0
		for _, got := range answers {
			require.NoError(t, got.err)
			require.Equal(t, 200, got.status, "%s", got.body)
			require.Equal(t, string(answers[0].body), string(got.body))
			if got.header.Get("Idempotency-Replayed") == "true" {
				replays++
			}
		}
		require.Equal(t, 11, replays)
		require.Equal(t, int64(1), s.partners(t, "Once"))

		// At a process that was started later, by a login that was made later.
		three := s.serve(t, presets, s.onRedis()...)
		later := three.tokens(t, "admin", "admin").Access
		got := three.once(later, "at-once", "POST", "/api/res.partner", `{"name": "Once", "city": "Ghent"}`)
		require.Equal(t, string(answers[0].body), string(got.body))
		require.Equal(t, "true", got.header.Get("Idempotency-Replayed"))
		require.Equal(t, "idempotency_key_reused", three.once(later, "at-once", "POST", "/api/res.partner", `{"name": "Twice"}`).code())
		require.Equal(t, int64(0), s.partners(t, "Twice"))

		// Calls, updates and deletes, and a refusal, after which the key is free.
		path := "/api/res.partner/" + strings.Trim(fmt.Sprint(between(string(got.body), `"id":`, ",")), " ")
		for range 2 {
			require.Equal(t, 200, one.once(token, "copy", "PUT", path+"/copy", `{"default": {"name": "Copied"}}`).status)
			require.Equal(t, 200, two.once(token, "update", "PUT", path, `{"name": "Renamed"}`).status)
		}
		require.Equal(t, int64(1), s.partners(t, "Copied"))
		require.Equal(t, 409, one.once(token, "refused", "PUT", path, `{"parent_id": 999999999}`).status)
		require.Equal(t, 200, two.once(token, "refused", "PUT", path, `{"city": "Bruges"}`).status)
		for _, v := range []*service{one, two} {
			require.Equal(t, 200, v.once(token, "delete", "DELETE", path, "").status, "a second delete would find nothing")
		}
		require.Equal(t, int64(0), s.partners(t, "Renamed"))

		s.unknownOutcomes(t, one, later)

		// What lies in Redis tells nothing.
		for _, key := range client.Keys(t.Context(), "*:answer:*").Val() {
			value, err := client.Get(t.Context(), key).Result()
			require.NoError(t, err)
			require.Positive(t, client.PTTL(t.Context(), key).Val())
			for _, secret := range []string{"Once", "Ghent", "at-once", `"id"`} {
				require.NotContains(t, key+value, secret)
			}
		}
	})
}

// unknownOutcomes makes Odoo wait for a lock until lateral's time is over, and until lateral is killed.
func (s *stand) unknownOutcomes(t *testing.T, other *service, token string) {
	t.Helper()
	settings := s.onRedis("LATERAL_LIMITS_REQUEST_TIMEOUT=5s")
	impatient, dying := s.serve(t, nil, settings...), s.serve(t, nil, settings...)
	for _, v := range []*service{impatient, dying} {
		// The first request reads the catalogue, and the time of those that follow is for Odoo.
		v.eventually(t, "a read", func() answer { return v.send("GET", "/api/res.partner?limit=1", token, "") },
			func(a answer) bool { return a.status == 200 })
	}
	created := other.once(token, "locked", "POST", "/api/res.partner", `{"name": "Locked"}`)
	require.Equal(t, 200, created.status, "%s", created.body)
	path := "/api/res.partner/" + strings.TrimSpace(between(string(created.body), `"id":`, ","))
	owner := s.owner(t)
	lock, err := owner.Begin(t.Context())
	require.NoError(t, err)
	_, err = lock.Exec(t.Context(), "SELECT id FROM res_partner WHERE name = 'Locked' FOR UPDATE")
	require.NoError(t, err)

	const body = `{"city": "Later"}`
	got := impatient.once(token, "late", "PUT", path, body)
	require.True(t, slices.Contains([]int{503, 504}, got.status), "%d %s", got.status, got.body)
	require.Equal(t, "idempotency_outcome_unknown", impatient.once(token, "late", "PUT", path, body).code())

	sent := make(chan answer, 1)
	go func() { sent <- dying.once(token, "dead", "PUT", path, body) }()
	other.eventually(t, "Odoo works for the process that dies", func() answer {
		var waiting int
		row := s.pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE NOT granted")
		if row.Scan(&waiting) != nil {
			waiting = 0
		}
		return answer{status: waiting}
	}, func(a answer) bool { return a.status >= 2 })
	dying.kill(t)
	<-sent
	require.Equal(t, "idempotency_outcome_unknown", other.once(token, "dead", "PUT", path, body).code())

	require.NoError(t, lock.Rollback(t.Context()))
	for _, key := range []string{"late", "dead"} {
		got := other.once(token, key, "PUT", path, body)
		require.Equal(t, 409, got.status)
		require.Equal(t, "idempotency_outcome_unknown", got.code())
	}
	other.eventually(t, "Odoo's work to end", func() answer {
		return other.once(token, fmt.Sprint("after", time.Now().UnixNano()), "PUT", path, `{"city": "Done"}`)
	}, func(a answer) bool { return a.status == 200 })
}

// between returns what stands between two texts, the second of which may be missing.
func between(text, left, right string) string {
	_, rest, _ := strings.Cut(text, left)
	found, _, _ := strings.Cut(rest, right)
	return strings.TrimRight(found, "} \n")
}
