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

// moduleVersion is the version alone.
func moduleVersion() string {
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
	revision, modified := "", ""
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			revision = setting.Value
		case setting.Key == "vcs.modified" && setting.Value == "true":
			modified = ", modified"
		}
	}
	text := "lateral " + info.Main.Version
	if revision != "" {
		text += " (" + revision[:min(12, len(revision))] + modified + ")"
	}
	return text + " " + info.GoVersion
}
