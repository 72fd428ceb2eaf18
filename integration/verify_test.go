package integration

import (
	"cmp"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"lateral/reader"
	"lateral/reader/verify"
)

// Defaults of the test of the command verify; LATERAL_VERIFY_READS and LATERAL_VERIFY_SEED override
// them, as make verify does.
const (
	verifyReads = 150
	verifySeed  = 20260101
)

// verification runs lateral verify on a stand as all six users, and returns the result file, what the
// command printed and its exit status.
func (s *stand) verification(t *testing.T, built *program, file string, flags ...string) (result reader.Verification, report verify.Report, printed string, status int) {
	t.Helper()
	command := exec.CommandContext(t.Context(), built.executable(t), append([]string{"verify", "--out", file}, flags...)...)
	command.Dir = t.TempDir()
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "LATERAL_") {
			command.Env = append(command.Env, setting)
		}
	}
	var users []string
	for _, role := range roles() {
		user := s.User(role)
		users = append(users, user.Login+":"+user.Password)
	}
	command.Env = append(command.Env, "LATERAL_DATABASE_DSN="+s.DSN, "LATERAL_ODOO_URL="+s.OdooURL,
		"LATERAL_ODOO_DATABASE="+s.Database, "LATERAL_FILESTORE="+s.Filestore,
		"LATERAL_VERIFY_USERS="+strings.Join(users, "\n"))
	command.Stderr = os.Stderr
	text, err := command.Output()
	if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	result, err = reader.LoadVerification(file)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if err := json.Unmarshal(result.Run, &report); err != nil {
		t.Fatal(err)
	}
	return result, report, string(text), command.ProcessState.ExitCode()
}

// TestVerify runs the command lateral verify: all that it compares agrees, the result says so, and a
// run can be resumed.
func TestVerify(t *testing.T) {
	reads := int(setting("LATERAL_VERIFY_READS", verifyReads))
	seed := setting("LATERAL_VERIFY_SEED", verifySeed)
	if os.Getenv("LATERAL_VERIFY_SEED") == "fresh" {
		seed = uint64(time.Now().UnixNano())
	}
	eachVersion(t, func(t *testing.T, s *stand) {
		folder := cmp.Or(os.Getenv("LATERAL_VERIFY_OUT"), t.TempDir())
		file := filepath.Join(folder, "verification-"+s.Version+"-"+strconv.FormatUint(seed, 10)+".json")
		run := func(reads int, flags ...string) (reader.Verification, verify.Report, string) {
			flags = append(flags, "--reads", strconv.Itoa(reads), "--seed", strconv.FormatUint(seed, 10))
			result, report, printed, status := s.verification(t, &binary, file, flags...)
			t.Log("\n" + printed)
			if agree := report.Agree == report.Reads; agree != (status == 0) || !agree {
				t.Errorf("%d of %d reads agree, and the exit status is %d", report.Agree, report.Reads, status)
			}
			if report.Reads != reads || result.Seed != seed || result.Database != s.Database || result.Finished.IsZero() {
				t.Errorf("compared %d of %d reads of %s with the seed %d, finished %v", report.Reads, reads, result.Database, result.Seed, result.Finished)
			}
			return result, report, printed
		}
		_, first, _ := run(reads / 2)
		result, whole, printed := run(reads, "--resume", file)
		if whole.Next <= first.Next || !strings.Contains(printed, strconv.Itoa(reads)+" reads of ") {
			t.Errorf("resumed at request %d, went on to %d", first.Next, whole.Next)
		}
		sum := 0
		for _, verdict := range result.Models {
			sum += verdict.Reads
		}
		if sum != reads {
			t.Errorf("the verdicts are of %d reads, not %d", sum, reads)
		}
		if whole.Paths[reader.PathDirect] == 0 || whole.Paths[reader.PathHybrid] == 0 || whole.Paths["refused"] == 0 {
			t.Errorf("ways of the reads: %v", whole.Paths)
		}
		if reads >= 2000 && float64(whole.PureDirect) < 0.97*float64(whole.Pure) {
			t.Errorf("of %d reads on stored fields of models without Python access code only %d go direct", whole.Pure, whole.PureDirect)
		}
		registry, err := reader.RegistryState(t.Context(), s.pool)
		if err != nil || registry != result.Registry {
			t.Errorf("the result is of the registry %q, the database has %q, %v", result.Registry, registry, err)
		}
	})
}

// TestVerifyFindsPlantedFault plants a fault, the compiler forgetting the rules of one model, and
// expects it to be found, named and told by the exit status.
func TestVerifyFindsPlantedFault(t *testing.T) {
	s := shared(t, versions()[0])
	file := filepath.Join(t.TempDir(), "verification.json")
	result, report, printed, status := s.verification(t, &planted, file, "--reads", "60", "--seed", "1", "--models", "sale.order")
	if status != 1 || report.Kinds[verify.Leak] == 0 || result.Models["sale.order"].Leak == 0 {
		t.Errorf("exit status %d, kinds %v, sale.order %+v\n%s", status, report.Kinds, result.Models["sale.order"], printed)
	}
	for _, d := range report.Disagreements {
		if d.Kind == verify.Leak && d.Model == "sale.order" && d.User == "salesman" && strings.Contains(printed, d.Request) {
			return
		}
	}
	t.Errorf("no leak of sale.order to the salesman is named:\n%s", printed)
}
