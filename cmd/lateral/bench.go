package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"lateral/bench"
	"lateral/integration/stack"
)

// benchOptions are the flags of the command bench.
type benchOptions struct {
	bench.Options
	out string
}

func benchCommand() *cobra.Command {
	var o benchOptions
	command := &cobra.Command{
		Use:   "bench",
		Short: "Measure lateral beside Odoo's own reads and beside PostgreSQL itself",
		Long: "Bring up a real PostgreSQL and a real Odoo 19.0, clone orders, and let lateral, Odoo's web_read, a client of\n" +
			"Odoo's XML-RPC and pgbench, with the read as one statement, make the same reads in turn. Answers are\n" +
			"compared before anything is timed. Prints a table and writes bench.json and bench.html.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			o.Progress = command.ErrOrStderr()
			return runBench(command.Context(), o, command.OutOrStdout())
		},
	}
	flags := command.Flags()
	flags.IntVar(&o.Sizes.Orders, "orders", 50_000, "orders to clone")
	flags.IntVar(&o.Sizes.Lines, "lines", 4, "lines of each order")
	flags.IntVar(&o.Sizes.Partners, "partners", 20_000, "partners to clone")
	flags.IntVar(&o.Rounds, "rounds", 5, "turns that each peer has")
	flags.DurationVar(&o.Duration, "duration", 3*time.Second, "time of a turn")
	flags.IntSliceVar(&o.Clients, "clients", []int{1, 2, 8, 32, 128, 256}, "numbers of clients for the curve of throughput")
	flags.IntSliceVar(&o.Tables, "tables", []int{100_000, 1_000_000}, "numbers of orders that the table is brought to for the curve of its size")
	flags.StringSliceVar(&o.Workloads, "workloads", nil, "workloads to compare by name (default: all)")
	flags.StringSliceVar(&o.Curves, "curves", nil, "curves to measure: page, depth, offset, rules, table, lines (default: all)")
	flags.BoolVar(&o.Long, "long", true, "also stream all orders and measure how costs grow")
	flags.StringVar(&o.Profiles, "profiles", "", "folder for a profile of lateral and the plan and statements of PostgreSQL, of each workload; empty: none")
	flags.StringVar(&o.out, "out", ".", "folder for bench.json and bench.html")
	return command
}

func runBench(ctx context.Context, o benchOptions, out io.Writer) error {
	var err error
	if o.Executable, err = os.Executable(); err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	o.Commit = moduleVersion()
	// Found wanting after the run, the folder would cost all of it.
	for _, folder := range []string{o.out, o.Profiles} {
		if folder == "" {
			continue
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return fmt.Errorf("folder for the report: %w", err)
		}
	}
	var report *bench.Report
	err = withOdoo(ctx, "19.0", o.Progress, func(odoo *stack.Stack, s settings) error {
		r, err := openReading(ctx, s)
		if err != nil {
			return err
		}
		defer r.close()
		report, err = bench.Run(ctx, o.Options, bench.Deps{Stack: odoo, Catalogue: r.catalogue, Reader: r.reader, Odoo: r.odoo})
		return err
	})
	if report == nil {
		return err
	}
	return errors.Join(err, writeReport(o.out, report, out))
}

// writeReport writes a report for people and for programs.
func writeReport(folder string, report *bench.Report, out io.Writer) error {
	if err := report.WriteTable(out); err != nil {
		return err
	}
	for name, write := range map[string]func(io.Writer) error{"bench.json": report.WriteJSON, "bench.html": report.WriteHTML} {
		if err := writeFile(filepath.Join(folder, name), write); err != nil {
			return err
		}
	}
	return nil
}

// writeFile writes a file anew.
func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}
