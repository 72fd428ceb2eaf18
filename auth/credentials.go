package auth

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Credentials are what Odoo's RPC wants of a user. Secret is a password or an API key; it is kept
// sealed under the user's token and never logged: every way of printing Credentials leaves it out.
type Credentials struct {
	UID    int64
	Login  string
	Secret string `json:"-"`

	// Token is the name under which the access token is stored that the user came with, and Expires
	// when it ends; both are zero where there is none, Expires also where it never ends. What is
	// kept for a user between requests is kept under Token.
	Token   Key       `json:"-"`
	Expires time.Time `json:"-"`
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
