package integration

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"lateral/reader"
	"lateral/reader/verify"
)

// Defaults of the differential test; LATERAL_SEED, LATERAL_DIFF_READS and LATERAL_DIFF_ONLY
// (numbers of single requests) override them.
const (
	diffSeed    = 20260101
	diffTime    = 55 * time.Second
	diffReads   = 350 // of a version, at most, so that a fast machine reads what a slow one has proven
	diffWorkers = 3
)

// TestDifferential compares random reads of every model, as six users, with what the oracle of this
// package says that Odoo answers the same user: the same records in the same order, the same values, the
// same denials.
func TestDifferential(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		users, judges := s.readings(t)
		ctx, cancel := context.WithTimeout(t.Context(), diffTime)
		if os.Getenv("LATERAL_DIFF_READS") != "" {
			ctx, cancel = context.WithCancel(t.Context())
		}
		defer cancel()
		catalogue := s.catalogue(t)
		c := verify.Config{
			Reader: s.reader, Oracle: judges, Odoo: s.odoo, Catalogue: catalogue, Database: s.pool, Users: users,
			Viewer: verify.NewAccessViewer(s.directory, s.pool, catalogue, s.odoo, users),
			Seed:   setting("LATERAL_SEED", diffSeed), Reads: int(setting("LATERAL_DIFF_READS", diffReads)),
			Workers: diffWorkers, Progress: func(*verify.Report) {},
		}
		for text := range strings.FieldsFuncSeq(os.Getenv("LATERAL_DIFF_ONLY"), func(r rune) bool { return r == ',' }) {
			number, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			c.Only = append(c.Only, number)
		}
		report := verify.NewReport()
		if err := verify.Run(ctx, c, report); err != nil {
			t.Error(err)
		}
		var printed strings.Builder
		if err := report.Write(&printed); err != nil {
			t.Error(err)
		}
		t.Logf("LATERAL_SEED=%d\n%s", c.Seed, printed.String())
		if report.Reads == 0 || report.Agree < report.Reads {
			t.Errorf("%d of %d reads agree", report.Agree, report.Reads)
		}
		if sql := report.Paths[reader.PathDirect] + report.Paths[reader.PathHybrid]; c.Only == nil && sql < report.Reads/4 {
			t.Errorf("only %d of %d reads went direct or hybrid", sql, report.Reads)
		}
	})
}

// setting reads a number from the environment.
func setting(name string, fallback uint64) uint64 {
	if n, err := strconv.ParseUint(os.Getenv(name), 10, 64); err == nil {
		return n
	}
	return fallback
}

// readings are the six users to compare reads for, and the oracles that judge them.
func (s *stand) readings(t *testing.T) ([]verify.Reading, oracles) {
	t.Helper()
	var users []verify.Reading
	judges := oracles{}
	for _, role := range roles() {
		judge := s.quickJudge(t, role)
		judges[role] = judge
		rows := s.call(t, judge.who, "res.users", "read", []any{[]any{judge.who.UID}}, map[string]any{"fields": []any{"company_ids"}})
		ids, err := int64s(rows.([]any)[0].(map[string]any)["company_ids"])
		if err != nil {
			t.Fatal(err)
		}
		reading := verify.Reading{User: verify.User{Name: role, Companies: ids}, Credentials: judge.who}
		reading.Lang, _ = judge.context["lang"].(string)
		reading.Tz, _ = judge.context["tz"].(string)
		users = append(users, reading)
	}
	return users, judges
}
