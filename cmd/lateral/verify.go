package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path"
	"time"

	"github.com/spf13/cobra"

	"lateral/reader"
	"lateral/reader/verify"
)

// verifyOptions are the flags of the command verify.
type verifyOptions struct {
	users     []string
	usersFile string
	reads     int
	seed      uint64
	models    string
	workers   int
	only      []int
	time      time.Duration
	resume    string
	out       string
}

func verifyCommand() *cobra.Command {
	var o verifyOptions
	command := &cobra.Command{
		Use:   "verify",
		Short: "Compare what is read from PostgreSQL with what Odoo answers the same users",
		Long: "Make random reads of every model as the users named, by SQL and through Odoo, and tell where the\n" +
			"two disagree, with the smallest request that shows it. Nothing is written to the database. The\n" +
			"result goes to a file that serve reads (setting verification). Exits with 1 where anything disagrees.\n\n" +
			"Users are login:password, by --users, by a file with one in a line, or by the environment variable\n" +
			usersVariable + ", one in a line; an API key is as good as a password.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			l, err := load(command.Flags(), os.Environ)
			if err != nil {
				return err
			}
			if !command.Flags().Changed("seed") {
				o.seed = rand.Uint64() >> 1
			}
			return runVerify(command.Context(), l.settings, o, command.OutOrStdout(), command.ErrOrStderr())
		},
	}
	flags := command.Flags()
	flags.StringArrayVar(&o.users, "users", nil, "login:password of a user to read as; may be given several times")
	flags.StringVar(&o.usersFile, "users-file", "", "file with login:password in every line")
	flags.IntVar(&o.reads, "reads", 5000, "reads to compare")
	flags.Uint64Var(&o.seed, "seed", 0, "what the reads are generated from (default: any)")
	flags.StringVar(&o.models, "models", "*", "names of the models to read, with * and ?")
	flags.IntVar(&o.workers, "workers", 4, "reads compared at a time")
	flags.IntSliceVar(&o.only, "only", nil, "numbers of requests (#N in the report) to make again, and no others")
	flags.DurationVar(&o.time, "time", 0, "longest time of the run; 0: none")
	flags.StringVar(&o.resume, "resume", "", "result file of a run to go on with")
	flags.StringVar(&o.out, "out", "", "file for the result (default: that of --resume, else the setting verification, else verification.json)")
	settingFlags(flags)
	return command
}

// verification is a run of the command.
type verification struct {
	*reading
	out    string
	result reader.Verification
	report *verify.Report
	saved  time.Time
	shown  *progressLine
}

func runVerify(ctx context.Context, s settings, o verifyOptions, out, progress io.Writer) (err error) {
	if err := s.validate(); err != nil {
		return err
	}
	if _, err := path.Match(o.models, ""); err != nil {
		return fmt.Errorf("--models: %w", err)
	}
	logins, err := verifyLogins(o.users, o.usersFile, os.Getenv)
	if err != nil {
		return err
	}
	r, err := openReading(ctx, s)
	if err != nil {
		return err
	}
	defer r.close()
	v := &verification{reading: r, report: verify.NewReport(), shown: newProgressLine(progress)}
	if err := v.begin(ctx, s.Odoo.Database, s.Verification, o); err != nil {
		return err
	}
	users, err := v.users(ctx, logins)
	if err != nil {
		return err
	}
	running := ctx
	if o.time > 0 {
		var cancel context.CancelFunc
		running, cancel = context.WithTimeout(ctx, o.time)
		defer cancel()
	}
	fmt.Fprintf(progress, "seed %d\n", v.result.Seed)
	err = verify.Run(running, verify.Config{
		Reader: v.reader, Odoo: v.odoo, Catalogue: v.catalogue, Database: v.pool, Users: users,
		Viewer: verify.NewAccessViewer(v.source.directory, v.pool, v.catalogue, v.odoo, users),
		Models: func(name string) bool { ok, _ := path.Match(o.models, name); return ok },
		Seed:   v.result.Seed, Reads: o.reads, Workers: o.workers, Only: o.only,
		Progress: func(report *verify.Report) { v.progress(report, o.reads) },
	}, v.report)
	v.shown.end()
	return v.end(ctx, err, out)
}

// begin makes the result, or takes up that of an earlier run. It goes to file where the flags do not
// say otherwise.
func (v *verification) begin(ctx context.Context, database, file string, o verifyOptions) error {
	registry, err := reader.RegistryState(ctx, v.pool)
	if err != nil {
		return err
	}
	v.out = o.out
	v.result = reader.Verification{Registry: registry, Database: database, Seed: o.seed}
	if o.resume != "" {
		v.out = cmp.Or(v.out, o.resume)
		earlier, err := reader.LoadVerification(o.resume)
		if err != nil {
			return fmt.Errorf("--resume: %w", err)
		}
		if earlier.Registry != registry || earlier.Database != database {
			return errors.New("--resume: the result is of another database, or of other modules")
		}
		if err := json.Unmarshal(earlier.Run, v.report); err != nil {
			return fmt.Errorf("--resume: %w", err)
		}
		v.result.Seed, v.report.Models = earlier.Seed, earlier.Models
	}
	v.out = cmp.Or(v.out, file, "verification.json")
	// That the file can be written is not found out after hours.
	return v.save()
}

// save writes the result file.
func (v *verification) save() error {
	run, err := json.Marshal(v.report)
	if err != nil {
		return fmt.Errorf("result: %w", err)
	}
	v.result.Run, v.result.Models = run, v.report.Models
	v.saved = time.Now()
	if err := v.result.Save(v.out); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	return nil
}

// saveInterval is how often a run under way is saved.
const saveInterval = 10 * time.Second

func (v *verification) progress(report *verify.Report, reads int) {
	v.shown.show(report, reads)
	if time.Since(v.saved) > saveInterval {
		// If the file cannot be written now, the end tells.
		_ = v.save()
	}
}

// end finishes the result, prints the report and returns what the command fails with.
func (v *verification) end(ctx context.Context, failure error, out io.Writer) error {
	interrupted := ctx.Err() != nil
	if failure == nil && !interrupted {
		registry, err := reader.RegistryState(ctx, v.pool)
		switch {
		case err != nil:
			failure = err
		case registry != v.result.Registry:
			failure = errors.New("modules were installed or upgraded meanwhile: the result is of no use")
		default:
			v.result.Finished = time.Now().UTC().Truncate(time.Second)
		}
	}
	if err := v.save(); err != nil {
		failure = errors.Join(failure, err)
	}
	if err := v.report.Write(out); err != nil {
		failure = errors.Join(failure, err)
	}
	switch {
	case failure != nil:
		return fmt.Errorf("%w (--resume %s goes on)", failure, v.out)
	case interrupted:
		return fmt.Errorf("interrupted (--resume %s goes on)", v.out)
	case v.report.Reads == 0:
		return errors.New("nothing was compared")
	case v.report.Agree < v.report.Reads:
		return fmt.Errorf("%d of %d reads disagree", v.report.Reads-v.report.Agree, v.report.Reads)
	}
	return nil
}
