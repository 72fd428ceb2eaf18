package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(command.OutOrStdout(), versionText())
			return err
		},
	}
}

// revision is the commit that the program was built from, as the Makefile tells the linker; empty: it was built otherwise.
var revision string

// moduleVersion is the version alone.
func moduleVersion() string {
	if revision != "" {
		return revision
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}

// versionText tells what the Go tool has written into the binary.
func versionText() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "lateral (unknown build)"
	}
	commit, modified := "", ""
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			commit = setting.Value
		case setting.Key == "vcs.modified" && setting.Value == "true":
			modified = ", modified"
		}
	}
	text := "lateral " + moduleVersion()
	if commit != "" && revision == "" {
		text += " (" + commit[:min(12, len(commit))] + modified + ")"
	}
	return text + " " + info.GoVersion
}
