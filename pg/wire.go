package pg

import (
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// maxNamed bounds the statements that a connection keeps prepared.
const maxNamed = 256

// wireKey is the key of a connection's wire among pgconn's custom data.
const wireKey = "lateral"

// wire is what pipelines keep of a connection: its statements, and messages that are used again.
type wire struct {
	frontend *pgproto3.Frontend
	unnamed  bool // nothing may be prepared by name
	names    map[string]*named
	count    int64
	tick     int64
	session  Session
	// plansOnce tells that the server can be told to plan statements once for all parameters, as it can
	// since PostgreSQL 12.
	plansOnce bool

	parse   pgproto3.Parse
	bind    pgproto3.Bind
	execute pgproto3.Execute
	closing pgproto3.Close
	sync    pgproto3.Sync
}

// named is a statement that is prepared by name.
type named struct {
	sql    string
	name   string
	parsed bool  // the server has confirmed it
	used   int64 // tick of the last use
}

// wireOf returns the wire of a connection, which must be idle.
func wireOf(conn *pgconn.PgConn, unnamed bool) *wire {
	if known, ok := conn.CustomData()[wireKey].(*wire); ok {
		return known
	}
	w := &wire{frontend: conn.Frontend(), unnamed: unnamed, names: map[string]*named{}}
	major, _, _ := strings.Cut(conn.ParameterStatus("server_version"), ".")
	n, err := strconv.Atoi(major)
	w.plansOnce = err == nil && n >= 12
	conn.CustomData()[wireKey] = w
	return w
}

// send queues one statement, and returns it where it has to be parsed first and has a name.
func (w *wire) send(statement *Statement) *named {
	var parsing *named
	name := ""
	if w.unnamed {
		w.parse.Name, w.parse.Query = "", statement.SQL
		w.frontend.SendParse(&w.parse)
	} else {
		s := w.names[statement.SQL]
		if s == nil {
			s = w.prepare(statement.SQL)
			parsing = s
		}
		w.tick++
		s.used, name = w.tick, s.name
	}
	w.bind.DestinationPortal = ""
	if statement.Portion > 0 {
		w.bind.DestinationPortal = portal
		// One of the transaction's earlier reads may have left it. Ending one that is not there is no error.
		w.closing.ObjectType, w.closing.Name = 'P', portal
		w.frontend.SendClose(&w.closing)
	}
	w.bind.PreparedStatement, w.bind.Parameters = name, statement.Parameters
	w.frontend.SendBind(&w.bind)
	w.bind.Parameters = nil
	w.fetch(w.bind.DestinationPortal, statement.Portion)
	return parsing
}

// portal is the name of the statement whose rows are asked for in portions.
const portal = "lateral_portions"

// fetch queues the asking for rows of a portal; 0: all of them.
func (w *wire) fetch(portal string, rows int) {
	w.execute.Portal, w.execute.MaxRows = portal, uint32(rows)
	w.frontend.SendExecute(&w.execute)
}

// prepare queues the parsing of a statement under a new name. Where there are too many, the one that
// was not used for longest goes.
func (w *wire) prepare(sql string) *named {
	if len(w.names) >= maxNamed {
		var oldest *named
		for _, s := range w.names {
			if oldest == nil || s.used < oldest.used {
				oldest = s
			}
		}
		w.forget(oldest)
	}
	w.count++
	s := &named{sql: sql, name: "lateral_" + strconv.FormatInt(w.count, 10)}
	w.names[sql] = s
	w.parse.Name, w.parse.Query = s.name, sql
	w.frontend.SendParse(&w.parse)
	return s
}

// forget queues the end of a statement. Ending one that the server does not have is no error.
func (w *wire) forget(s *named) {
	delete(w.names, s.sql)
	w.closing.ObjectType, w.closing.Name = 'S', s.name
	w.frontend.SendClose(&w.closing)
}

// distrust forgets the statements after an error: those that were to be parsed are not, and any of the
// others may be what failed because its tables have changed. The server is told with what is sent next.
func (w *wire) distrust(parsing []*named) {
	for _, s := range parsing {
		delete(w.names, s.sql)
	}
	for _, s := range w.names {
		if s.used > w.tick-recent {
			w.forget(s)
		}
	}
}

// recent is how many of the last uses are distrusted, which is at least as many as a pipeline has.
const recent = 64

// flush sends what is queued.
func (w *wire) flush() error {
	w.frontend.SendSync(&w.sync)
	return w.frontend.Flush()
}
