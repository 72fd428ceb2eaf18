package main

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func configCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "config",
		Short: "Print the effective configuration as YAML, and where each value came from",
		Long: "Print the effective configuration as YAML, and where each value came from.\n" +
			"Passwords are hidden. Exits with 1 where something that serve needs is missing or wrong.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			l, err := load(command.Flags(), os.Environ)
			if err != nil {
				return err
			}
			if err := l.print(command.OutOrStdout()); err != nil {
				return err
			}
			return l.settings.validate()
		},
	}
	settingFlags(command.Flags())
	return command
}

// print writes the configuration as YAML that can be read back, but for what is hidden.
func (l *loaded) print(w io.Writer) error {
	section := ""
	for _, k := range keysOf(&l.settings) {
		name, indent := k.name, ""
		head, rest, nested := strings.Cut(k.name, ".")
		if nested {
			if head != section {
				if _, err := fmt.Fprintf(w, "%s:\n", head); err != nil {
					return err
				}
			}
			name, indent, section = rest, "  ", head
		}
		source := l.sources[k.name]
		if source == "" {
			source = "default"
		}
		if _, err := fmt.Fprintf(w, "%s%s: %s  # %s\n", indent, name, yamlValue(k), source); err != nil {
			return err
		}
	}
	return nil
}

func yamlValue(k key) string {
	switch value := k.value.Interface().(type) {
	case string:
		switch {
		case k.secret == "dsn":
			value = withoutPassword(value)
		case k.secret == "value" && value != "":
			value = hidden
		}
		return strconv.Quote(value)
	case time.Duration:
		return value.String()
	default:
		return fmt.Sprint(value)
	}
}

var passwordField = regexp.MustCompile(`(?i)(\b(?:ssl)?password\s*=\s*)('(?:[^'\\]|\\.)*'|\S+)`)

// hidden stands for what is not shown.
const hidden = "***"

// withoutPassword hides the passwords of a DSN in either form; of what cannot be read nothing is shown.
func withoutPassword(dsn string) string {
	if !strings.Contains(dsn, "://") {
		return passwordField.ReplaceAllString(dsn, "${1}"+hidden)
	}
	address, err := url.Parse(dsn)
	if err != nil {
		return hidden
	}
	if _, set := address.User.Password(); set {
		address.User = url.UserPassword(address.User.Username(), hidden)
	}
	query := address.Query()
	for name := range query {
		if strings.Contains(strings.ToLower(name), "password") {
			query.Set(name, hidden)
		}
	}
	if len(query) > 0 {
		address.RawQuery = query.Encode()
	}
	return strings.ReplaceAll(address.String(), url.QueryEscape(hidden), hidden)
}
