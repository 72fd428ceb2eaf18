package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"

	"lateral/auth"
	"lateral/reader/verify"
)

// usersVariable is the environment variable with the users to verify as.
const usersVariable = envPrefix + "VERIFY_USERS"

// verifyLogins returns the logins with their passwords, in the order given.
func verifyLogins(flags []string, file string, environment func(string) string) ([][2]string, error) {
	lines := flags
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("--users-file: %w", err)
		}
		lines = append(lines, strings.Split(string(text), "\n")...)
	}
	if len(lines) == 0 {
		lines = strings.Split(environment(usersVariable), "\n")
	}
	var logins [][2]string
	for i, line := range lines {
		line = strings.TrimRight(line, "\r")
		if strings.TrimSpace(line) == "" {
			continue
		}
		login, password, ok := strings.Cut(line, ":")
		if !ok || login == "" || password == "" {
			return nil, fmt.Errorf("user %d is not of the form login:password", i+1)
		}
		logins = append(logins, [2]string{login, password})
	}
	if len(logins) == 0 {
		return nil, fmt.Errorf("no users to read as: give --users login:password, --users-file or %s", usersVariable)
	}
	return logins, nil
}

// users finds the users of logins. They are looked up rather than logged in, since Odoo writes down
// every login, and takes an administrator's as news of its own address.
func (v *verification) users(ctx context.Context, logins [][2]string) ([]verify.Reading, error) {
	users := make([]verify.Reading, 0, len(logins))
	for _, login := range logins {
		rows, err := v.pool.Query(ctx, "SELECT id::int8 FROM res_users WHERE login = $1 AND active", login[0])
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", login[0], err)
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", login[0], err)
		}
		if len(ids) != 1 {
			return nil, fmt.Errorf("user %s: there is none", login[0])
		}
		who := auth.Credentials{UID: ids[0], Login: login[0], Secret: login[1]}
		if _, err := v.odoo.Execute(ctx, who, "res.users", "search_count", []any{[]any{[]any{"id", "=", who.UID}}}, nil); err != nil {
			return nil, fmt.Errorf("user %s: %w", login[0], err)
		}
		p, err := v.source.directory.Principal(ctx, v.pool, v.catalogue, who.UID, nil)
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", login[0], err)
		}
		users = append(users, verify.Reading{
			User: verify.User{Name: login[0], Companies: p.UserCompanies()}, Credentials: who, Lang: p.Lang, Tz: p.Tz,
		})
	}
	return users, nil
}
