// Command lateral puts a REST API in front of an Odoo.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run()) }

// run returns the process's exit status: 0, or 1 after an error that has been told.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal ends things in order; a second one finds no handler and kills.
	context.AfterFunc(ctx, stop)
	if err := rootCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "lateral:", err)
		return 1
	}
	return 0
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "lateral",
		Short:         "A REST API in front of Odoo that reads straight from its PostgreSQL",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(serveCommand(), configCommand(), grantsCommand(), versionCommand(), demoCommand(), verifyCommand(), schemaCommand(), benchCommand())
	return root
}
