package auth

import (
	"fmt"
	"io"
	"log/slog"
)

// Credentials are what Odoo's RPC wants of a user. Secret is a password or an API key; it is kept
// sealed under the user's token and never logged: every way of printing Credentials leaves it out.
type Credentials struct {
	UID    int64
	Login  string
	Secret string `json:"-"`
}

// String names the user without the secret.
func (c Credentials) String() string { return fmt.Sprintf("user %d (%s)", c.UID, c.Login) }

// Format prints String whatever the verb is, since %+v, %#v or %d would otherwise reach into the
// fields.
func (c Credentials) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, c.String()) }

// LogValue names the user without the secret in structured logs.
func (c Credentials) LogValue() slog.Value {
	return slog.GroupValue(slog.Int64("uid", c.UID), slog.String("login", c.Login))
}
