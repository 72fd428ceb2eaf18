package reader

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"lateral/pg"
)

// Verification is the outcome of comparing both executors on one database: for each model, whether
// what SQL answers is what Odoo answers.
type Verification struct {
	// Registry is the state of the add-ons that were compared, see RegistryState. For any other
	// state the outcome says nothing.
	Registry string `json:"registry"`
	// Database is the name of the database, as Odoo knows it.
	Database string    `json:"database"`
	Finished time.Time `json:"finished"`
	// Seed is what the compared reads were generated from.
	Seed uint64 `json:"seed"`
	// Models holds the verdicts by the model's technical name.
	Models map[string]ModelVerdict `json:"models"`
	// Run is what lateral verify needs to print the report again and to go on where it stopped.
	Run json.RawMessage `json:"run,omitempty"`
}

// ModelVerdict is what a verification found about reads of one model.
type ModelVerdict struct {
	// Reads is the number of reads compared, of which Agree agreed and Differ did not. Leak is the
	// number of those that differed by showing what Odoo hides.
	Reads  int `json:"reads"`
	Agree  int `json:"agree"`
	Differ int `json:"differ"`
	Leak   int `json:"leak"`
	// Reason says in one line what differed; empty where nothing did.
	Reason string `json:"reason,omitempty"`
}

// Agrees reports whether every read that was compared agreed, and any was.
func (v ModelVerdict) Agrees() bool { return v.Reads > 0 && v.Differ == 0 && v.Leak == 0 }

// LoadVerification reads the file that Save wrote. The error is fs.ErrNotExist where there is none.
func LoadVerification(path string) (Verification, error) {
	var v Verification
	err := loadJSON(path, &v)
	return v, err
}

// Save writes the verification to a file, which is replaced as a whole: a service that reads it
// meanwhile finds the old one or the new one.
func (v Verification) Save(path string) error { return saveJSON(path, v) }

// RegistryState identifies the add-ons installed in a database with their versions, so that a
// verification can tell whether it is of the present code. It reads nothing that the SELECT-only
// role (schema.Grants) may not.
func RegistryState(ctx context.Context, q pg.Querier) (string, error) {
	rows, err := q.Query(ctx, `SELECT name, coalesce(latest_version, '') FROM ir_module_module
		WHERE state IN ('installed', 'to upgrade', 'to remove') ORDER BY name COLLATE "C"`)
	if err != nil {
		return "", fmt.Errorf("state of the registry: %w", err)
	}
	defer rows.Close()
	hash := sha256.New()
	for rows.Next() {
		var name, version string
		if err := rows.Scan(&name, &version); err != nil {
			return "", fmt.Errorf("state of the registry: %w", err)
		}
		_, _ = io.WriteString(hash, name+" "+version+"\n")
	}
	if err := rows.Err(); err != nil {
		return "", fmt.Errorf("state of the registry: %w", err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

func loadJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// saveJSON writes a file beside the old one and puts it in its place.
func saveJSON(path string, v any) (err error) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	_, err = file.Write(append(text, '\n'))
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	return err
}
