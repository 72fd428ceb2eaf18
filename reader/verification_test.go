package reader

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestVerificationIsReadBackAsItWasSaved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "verification.json")
	if _, err := LoadVerification(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("without a file: %v", err)
	}
	v := Verification{
		Registry: "ab", Database: "odoo", Finished: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Seed: 1 << 63,
		Models: map[string]ModelVerdict{
			"res.partner": {Reads: 3, Agree: 3},
			"sale.order":  {Reads: 3, Agree: 1, Differ: 2, Leak: 1, Reason: "record 7 is shown"},
		},
	}
	// The second save replaces a file that is there.
	for range 2 {
		if err := v.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	read, err := LoadVerification(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(v, read); diff != "" {
		t.Error(diff)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("the folder holds %v, %v", files, err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadVerification(path); err == nil {
		t.Error("half a file was read")
	}
}

func TestModelAgreesOnlyAfterReadsThatAgreed(t *testing.T) {
	for _, c := range []struct {
		verdict ModelVerdict
		agrees  bool
	}{
		{ModelVerdict{Reads: 1, Agree: 1}, true},
		{ModelVerdict{}, false},
		{ModelVerdict{Reads: 2, Agree: 1, Differ: 1}, false},
		{ModelVerdict{Reads: 2, Agree: 2, Leak: 1}, false},
	} {
		if c.verdict.Agrees() != c.agrees {
			t.Errorf("%+v agrees: %v", c.verdict, c.verdict.Agrees())
		}
	}
}
