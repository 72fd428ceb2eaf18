package pg

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// sentTo returns what a wire queues for the server, one letter a message.
func sentTo(w *wire, out *bytes.Buffer, t *testing.T) string {
	t.Helper()
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	backend, letters := pgproto3.NewBackend(out, io.Discard), ""
	for {
		message, err := backend.Receive()
		if err != nil {
			t.Fatal(err)
		}
		switch message := message.(type) {
		case *pgproto3.Parse:
			letters += "P:" + message.Name + " "
		case *pgproto3.Bind:
			letters += "B:" + message.PreparedStatement + " "
		case *pgproto3.Close:
			letters += "C:" + message.Name + " "
		case *pgproto3.Execute:
			letters += "E "
		case *pgproto3.Sync:
			return letters + "S"
		}
	}
}

func newWire(unnamed bool) (*wire, *bytes.Buffer) {
	out := &bytes.Buffer{}
	return &wire{frontend: pgproto3.NewFrontend(&bytes.Buffer{}, out), unnamed: unnamed, names: map[string]*named{}}, out
}

func TestWireNames(t *testing.T) {
	w, out := newWire(false)
	first := w.send(&Statement{SQL: "SELECT 1"})
	if got := sentTo(w, out, t); got != "P:lateral_1 B:lateral_1 E S" || first == nil {
		t.Errorf("first: %s", got)
	}
	if again := w.send(&Statement{SQL: "SELECT 1"}); again != nil {
		t.Error("parsed twice")
	}
	if got := sentTo(w, out, t); got != "B:lateral_1 E S" {
		t.Errorf("again: %s", got)
	}
	w.distrust(nil)
	w.send(&Statement{SQL: "SELECT 1"})
	if got := sentTo(w, out, t); got != "C:lateral_1 P:lateral_2 B:lateral_2 E S" {
		t.Errorf("after an error: %s", got)
	}
	// One whose parsing failed is not there to be closed.
	w.distrust([]*named{w.names["SELECT 1"]})
	w.send(&Statement{SQL: "SELECT 1"})
	if got := sentTo(w, out, t); got != "P:lateral_3 B:lateral_3 E S" {
		t.Errorf("after a failed parse: %s", got)
	}
}

func TestWireUnnamed(t *testing.T) {
	w, out := newWire(true)
	for range 2 {
		if parsing := w.send(&Statement{SQL: "SELECT 1"}); parsing != nil {
			t.Error("it has a name")
		}
		if got := sentTo(w, out, t); got != "P: B: E S" {
			t.Errorf("got %s", got)
		}
	}
}

// Ensure the statements of a connection are bounded, and that the one unused for longest goes.
func TestWireBound(t *testing.T) {
	w, out := newWire(false)
	for i := range maxNamed {
		w.send(&Statement{SQL: fmt.Sprint("SELECT ", i)})
	}
	w.send(&Statement{SQL: "SELECT 0"})
	sentTo(w, out, t)
	w.send(&Statement{SQL: "SELECT another"})
	if got := sentTo(w, out, t); got != fmt.Sprintf("C:lateral_2 P:lateral_%d B:lateral_%d E S", maxNamed+1, maxNamed+1) {
		t.Errorf("got %s", got)
	}
	if len(w.names) != maxNamed || w.names["SELECT 0"] == nil || w.names["SELECT 1"] != nil {
		t.Errorf("%d statements are kept", len(w.names))
	}
}
