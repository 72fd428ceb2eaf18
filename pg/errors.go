package pg

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
)

// Class is what an error of PostgreSQL means for a reader.
type Class int

const (
	// Other errors are bugs or unknown.
	Other Class = iota
	// Unavailable: no connection, or the server is starting, stopping or out of connections, or ErrUnfit.
	Unavailable
	// Timeout: a statement or lock timeout.
	Timeout
	// Undefined: a table, column or function is not there (any more): the catalogue is stale.
	Undefined
	// Conflict: the statement lost against another or against replication, and may be run again.
	Conflict
	// BadValue: a value does not fit the type it is compared with.
	BadValue
	// Denied: the role lacks a privilege.
	Denied
	// Canceled: the caller's context ended.
	Canceled
)

// ErrUnfit tells that a database can be reached but must not be read from: what it would answer could be wrong.
var ErrUnfit = errors.New("the database must not be read from")

// Classify returns the class of an error returned by this package.
func Classify(err error) Class {
	if err == nil {
		return Other
	}
	if server := (*pgconn.PgError)(nil); errors.As(err, &server) {
		return classifyState(server.Code)
	}
	switch {
	case errors.Is(err, ErrUnfit):
		return Unavailable
	case errors.Is(err, errLate):
		return Timeout
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Canceled
	case isConnectError(err), pgconn.Timeout(err), errors.Is(err, io.ErrUnexpectedEOF):
		return Unavailable
	}
	if network := net.Error(nil); errors.As(err, &network) {
		return Unavailable
	}
	if pgconn.SafeToRetry(err) {
		return Unavailable
	}
	return Other
}

func isConnectError(err error) bool {
	connect := (*pgconn.ConnectError)(nil)
	return errors.As(err, &connect)
}

func asParseError(err error, target **pgconn.ParseConfigError) bool { return errors.As(err, target) }

// classifyState sorts SQLSTATE codes; see the appendix "PostgreSQL Error Codes" of its manual.
func classifyState(code string) Class {
	switch code {
	case "57014", "55P03":
		return Timeout
	case "42P01", "42703", "0A000":
		return Undefined
	case "40001", "40P01":
		return Conflict
	case "42501":
		return Denied
	case "42804", "42P18", "42883":
		return BadValue
	case "57P01", "57P02", "57P03", "53300", "53400":
		return Unavailable
	}
	switch code[:2] {
	case "08", "28", "3D":
		return Unavailable
	case "22":
		return BadValue
	}
	return Other
}
