package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"lateral/auth"
	"lateral/pg"
	"lateral/schema"
)

func schemaCommand() *cobra.Command {
	command := &cobra.Command{Use: "schema", Short: "Begin and check presets, against the models of the database"}
	command.AddCommand(schemaInitCommand(), schemaCheckCommand())
	return command
}

func schemaInitCommand() *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:   "init MODEL",
		Short: "Write a preset to begin with",
		Long: "Write a preset to begin with: MODEL.schema in the folder of presets, or here where none is\n" +
			"configured. A file that is there is not touched.",
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			l, err := load(command.Flags(), os.Environ)
			if err != nil {
				return err
			}
			c, _, err := loadModels(command.Context(), l.settings)
			if err != nil {
				return err
			}
			model := c.Model(args[0])
			if model == nil {
				return fmt.Errorf("there is no model %q", args[0])
			}
			if output == "" {
				output = filepath.Join(l.settings.Presets, model.Name+".schema")
			}
			return writeStart(command.OutOrStdout(), output, schema.StartPreset(c, model))
		},
	}
	settingFlags(command.Flags())
	command.Flags().StringVarP(&output, "output", "o", "", "file to write; -: standard output")
	return command
}

// writeStart writes a text to a file that must not be there yet, or to out.
func writeStart(out io.Writer, file, text string) error {
	if file == "-" {
		_, err := io.WriteString(out, text)
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already", file)
	}
	if err != nil {
		return fmt.Errorf("write the preset: %w", err)
	}
	_, err = io.WriteString(f, text)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the preset: %w", err)
	}
	_, err = fmt.Fprintln(out, "wrote", file)
	return err
}

// errPresetsWrong is the command's error where its output has told everything.
var errPresetsWrong = errors.New("presets are wrong")

func schemaCheckCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "check [FOLDER]",
		Short: "Check all presets: those of a folder and those kept in Odoo",
		Long: "Check all presets: those of FOLDER (by default the configured one) and those kept in Odoo. What\n" +
			"is wrong is printed as file:line: key: reason, one mistake on a line, and the exit status is 1.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			l, err := load(command.Flags(), os.Environ)
			if err != nil {
				return err
			}
			folder := l.settings.Presets
			if len(args) > 0 {
				folder = args[0]
			}
			c, policy, err := loadModels(command.Context(), l.settings)
			if err != nil {
				return err
			}
			var texts []schema.PresetText
			if folder != "" {
				if texts, err = schema.ReadPresetFolder(folder); err != nil {
					return err
				}
			}
			return checkPresets(command.OutOrStdout(), c, append(texts, storedPresets(policy)...))
		},
	}
	settingFlags(command.Flags())
	return command
}

// checkPresets prints every mistake, or that there is none.
func checkPresets(out io.Writer, c *schema.Catalogue, texts []schema.PresetText) error {
	presets := (*schema.Presets)(nil).Renew(c, texts)
	mistakes := schema.PresetErrors(presets.Err())
	for _, mistake := range mistakes {
		if _, err := fmt.Fprintln(out, mistake); err != nil {
			return err
		}
	}
	if len(mistakes) > 0 {
		return errPresetsWrong
	}
	_, err := fmt.Fprintf(out, "%d presets, none wrong\n", len(presets.Models())+len(presets.Aliases()))
	return err
}

// loadModels reads the catalogue and the policy, once.
func loadModels(ctx context.Context, s settings) (*schema.Catalogue, *auth.Policy, error) {
	if s.Database.DSN == "" {
		return nil, nil, fmt.Errorf("database.dsn is not set (environment: %s, flag: --%s)", envName("database.dsn"), flagName("database.dsn"))
	}
	pool, err := pg.Open(ctx, pg.Config{DSN: s.Database.DSN, MaxConns: 1, ConnectTimeout: s.Database.ConnectTimeout})
	if err != nil {
		return nil, nil, err
	}
	defer pool.Close()
	var c *schema.Catalogue
	var policy *auth.Policy
	err = pool.Snapshot(ctx, func(q pg.Querier) (err error) {
		if c, err = schema.Load(ctx, q); err != nil {
			return err
		}
		policy, err = auth.LoadPolicy(ctx, q, c)
		return err
	})
	return c, policy, err
}
