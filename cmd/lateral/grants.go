package main

import (
	"io"

	"github.com/spf13/cobra"

	"lateral/schema"
)

func grantsCommand() *cobra.Command {
	var role string
	command := &cobra.Command{
		Use:   "grants --role NAME",
		Short: "Print the SQL that lets a role read an Odoo database and nothing else",
		Long: "Print the SQL that lets a role read an Odoo database and nothing else: no password, key or\n" +
			"second factor. Make the role first and run this in Odoo's database, as the owner of its tables:\n\n" +
			"  createuser lateral --pwprompt\n" +
			"  lateral grants --role lateral | psql DATABASE",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			_, err := io.WriteString(command.OutOrStdout(), schema.Grants(role))
			return err
		},
	}
	command.Flags().StringVar(&role, "role", "", "name of the role")
	_ = command.MarkFlagRequired("role") // fails for unknown flags only
	return command
}
