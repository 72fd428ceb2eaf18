package reader

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"lateral/schema"
)

// TrustConfig says what a Trust goes by.
type TrustConfig struct {
	// Path is the file of the verification (Verification.Save); empty: there is none, and trips last
	// as long as the process.
	Path string
	// Database is the name that the verification must be of.
	Database string
	// RequireVerified leaves models made in Odoo's user interface to Odoo until a verification of the
	// add-ons as they are has found no difference in reads of them.
	RequireVerified bool
	Log             *slog.Logger // may be nil
}

// Trust decides which models may be read through SQL although nothing in the catalogue speaks
// against it: not those that a verification has found to disagree with Odoo, nor those that were
// tripped in service. Trips are kept in a file beside the verification, so that a restart does not
// forget them, until a later verification in which the model agrees. It is safe for concurrent use.
//
// Trust only ever takes models away from SQL. Add-ons whose code nobody has read stay Odoo's
// however many reads of their models agreed: random reads prove no _search written in Python.
type Trust struct {
	config TrustConfig

	mu           sync.Mutex
	verification Verification
	seal         string // of the verification's file as it was read
	trips        map[string]Trip
}

// Trip is a model that was found to be read wrongly in service.
type Trip struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

// NewTrust reads the verification and the trips. Files that are not there are no error.
func NewTrust(config TrustConfig) (*Trust, error) {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	t := &Trust{config: config, trips: map[string]Trip{}}
	if config.Path == "" {
		return t, nil
	}
	if err := loadJSON(t.tripFile(), &t.trips); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("tripped models: %w", err)
	}
	if _, err := t.Reload(); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Trust) tripFile() string { return t.config.Path + ".tripped" }

// Reload reads the verification again where its file has changed, and reports whether it had. A file
// that cannot be used leaves the verification from before.
func (t *Trust) Reload() (changed bool, err error) {
	if t.config.Path == "" {
		return false, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	info, err := os.Stat(t.config.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("verification: %w", err)
	}
	seal := fmt.Sprint(info.Size(), info.ModTime().UnixNano())
	if seal == t.seal {
		return false, nil
	}
	t.seal = seal
	v, err := LoadVerification(t.config.Path)
	if err != nil {
		return false, fmt.Errorf("verification: %w", err)
	}
	if v.Database != t.config.Database {
		return false, fmt.Errorf("verification: %s is of the database %q, not of %q", t.config.Path, v.Database, t.config.Database)
	}
	t.verification = v
	return true, nil
}

// Apply returns the catalogue as it is to be read: what is not trusted guarded.
func (t *Trust) Apply(c *schema.Catalogue) *schema.Catalogue {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clear(c)
	reasons := map[string]string{}
	for name, verdict := range t.verification.Models {
		// A disagreement counts whatever add-ons have changed since; only agreement has to be new.
		if verdict.Differ > 0 || verdict.Leak > 0 {
			reasons[name] = "the verification of " + t.verification.Finished.Format(time.DateOnly) + " found a difference: " + verdict.Reason
		}
	}
	if t.config.RequireVerified {
		for _, name := range c.ModelNames() {
			if c.Model(name).Manual && !t.verified(c, name) {
				reasons[name] = "made in the user interface, and not verified with the present add-ons"
			}
		}
	}
	for name, trip := range t.trips {
		reasons[name] = "tripped on " + trip.At.Format(time.DateTime) + ": " + trip.Reason
	}
	return c.Distrust(reasons)
}

// verified reports whether the present add-ons were verified and reads of the model agreed.
func (t *Trust) verified(c *schema.Catalogue, model string) bool {
	return c.Registry != "" && t.verification.Registry == c.Registry && t.verification.Models[model].Agrees()
}

// clear forgets the trips of models that a later verification has found to agree.
func (t *Trust) clear(c *schema.Catalogue) {
	cleared := false
	for name, trip := range t.trips {
		if t.verified(c, name) && t.verification.Finished.After(trip.At) {
			delete(t.trips, name)
			cleared = true
			t.config.Log.Info("a verification has cleared a tripped model", slog.String("model", name))
		}
	}
	if cleared {
		t.save()
	}
}

// Trip takes a model away from SQL. It reports whether the model was trusted before; what was
// decided by Apply before has to be decided again.
func (t *Trust) Trip(model, reason string, at time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, already := t.trips[model]; already {
		return false
	}
	t.trips[model] = Trip{At: at.UTC(), Reason: reason}
	t.save()
	return true
}

// Tripped returns how many models are tripped.
func (t *Trust) Tripped() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.trips)
}

// save writes the trips. That they cannot be kept must not keep the models trusted, so it is only
// logged.
func (t *Trust) save() {
	if t.config.Path == "" {
		return
	}
	if err := saveJSON(t.tripFile(), t.trips); err != nil {
		t.config.Log.Error("the tripped models cannot be written down and will be forgotten at the next start", slog.String("cause", err.Error()))
	}
}
