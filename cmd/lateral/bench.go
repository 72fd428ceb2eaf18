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

	"lateral/auth"
	"lateral/bench"
	"lateral/integration/stack"
	"lateral/reader"
	"lateral/schema"
	"lateral/writer"
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
			"Odoo's XML-RPC and pgbench, with the statement that lateral sends, make the same reads in turn. Answers are\n" +
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
	flags.DurationVar(&o.Duration, "duration", 4*time.Second, "time of a turn")
	flags.IntSliceVar(&o.Clients, "clients", []int{1, 2, 8, 32}, "numbers of clients for the curve of throughput")
	flags.StringSliceVar(&o.Workloads, "workloads", nil, "workloads to compare by name (default: all)")
	flags.BoolVar(&o.Long, "long", true, "also stream all orders and measure how costs grow")
	flags.StringVar(&o.out, "out", ".", "folder for bench.json and bench.html")
	return command
}

func runBench(ctx context.Context, o benchOptions, out io.Writer) (err error) {
	if o.Executable, err = os.Executable(); err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	o.Commit = moduleVersion()
	odoo, err := stack.Start(ctx, stack.Options{Version: "19.0", Progress: o.Progress})
	if err != nil {
		return fmt.Errorf("bring up Odoo: %w", err)
	}
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, odoo.Close(ending))
	}()
	s := defaults()
	s.Database.DSN, s.Odoo.URL, s.Odoo.Database = odoo.DSN, odoo.OdooURL, odoo.Database
	pool, err := openPool(ctx, s.Database)
	if err != nil {
		return err
	}
	defer pool.Close()
	trust, err := reader.NewTrust(reader.TrustConfig{Database: s.Odoo.Database})
	if err != nil {
		return err
	}
	source := &source{pool: pool, directory: auth.NewDirectory(auth.DirectoryConfig{}), trust: trust}
	source.holder = schema.NewHolder(source.loadCatalogue, catalogueTimeout)
	catalogue, err := source.catalogue(ctx)
	if err != nil {
		return err
	}
	rpc := writer.NewXMLRPC(writer.Config{URL: s.Odoo.URL, Database: s.Odoo.Database, Timeout: s.Odoo.Timeout, MaxConns: s.Odoo.MaxConns})
	defer rpc.Close()
	read := reader.New(reader.Deps{Pool: pool, Catalogues: source.holder, Directory: source.directory, Odoo: rpc, Filestore: odoo.Filestore})
	report, err := bench.Run(ctx, o.Options, bench.Deps{Stack: odoo, Catalogue: catalogue, Reader: read, Odoo: rpc})
	if err != nil {
		return err
	}
	if err := report.WriteTable(out); err != nil {
		return err
	}
	for name, write := range map[string]func(io.Writer) error{"bench.json": report.WriteJSON, "bench.html": report.WriteHTML} {
		if err := writeFile(filepath.Join(o.out, name), write); err != nil {
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
