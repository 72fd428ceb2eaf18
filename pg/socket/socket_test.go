package socket_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"lateral/pg/socket"
)

// pair returns both ends of a connection, the second of which is wrapped.
func pair(t *testing.T, network, address string) (plain, wrapped net.Conn) {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if plain, err = net.Dial(network, listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = plain.Close() })
	if wrapped, err = (socket.Listener{Listener: listener}).Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = wrapped.Close() })
	return plain, wrapped
}

func networks(t *testing.T) map[string]string {
	return map[string]string{"tcp": "127.0.0.1:0", "unix": t.TempDir() + "/socket"}
}

// TestBytes sends more than the socket's buffers hold, in pieces short and long, both ways at once.
func TestBytes(t *testing.T) {
	for network, address := range networks(t) {
		t.Run(network, func(t *testing.T) {
			plain, wrapped := pair(t, network, address)
			sent := make([]byte, 20<<20)
			_, _ = rand.Read(sent)
			write := func(to net.Conn, step int) {
				for rest := sent; len(rest) > 0; {
					n, err := to.Write(rest[:min(step, len(rest))])
					if err != nil {
						t.Error(err)
						return
					}
					rest = rest[n:]
				}
			}
			for _, step := range []int{1 << 10, 64 << 10, 1 << 20} {
				done := make(chan struct{})
				go func() {
					defer close(done)
					write(wrapped, step)
				}()
				go write(plain, step)
				received := make(chan []byte)
				go func() {
					got := make([]byte, len(sent))
					_, _ = io.ReadFull(plain, got)
					received <- got
				}()
				got := make([]byte, 0, len(sent))
				for len(got) < len(sent) {
					n, err := wrapped.Read(got[len(got):min(len(got)+step, len(sent))])
					if err != nil {
						t.Fatal(err)
					}
					got = got[:len(got)+n]
				}
				if !bytes.Equal(got, sent) {
					t.Error("what was read is not what was written")
				}
				if !bytes.Equal(<-received, sent) {
					t.Error("what was written is not what was read")
				}
				<-done
			}
		})
	}
}

func TestEnds(t *testing.T) {
	for network, address := range networks(t) {
		t.Run(network, func(t *testing.T) {
			plain, wrapped := pair(t, network, address)
			if n, err := wrapped.Read(nil); n != 0 || err != nil {
				t.Errorf("reading nothing: %d, %v", n, err)
			}
			if err := wrapped.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			_, err := wrapped.Read(make([]byte, 1))
			if late := net.Error(nil); !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &late) || !late.Timeout() {
				t.Errorf("a deadline: %v", err)
			}
			if err := wrapped.SetDeadline(time.Time{}); err != nil {
				t.Fatal(err)
			}
			if _, err := plain.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			_ = plain.Close()
			b := make([]byte, 2)
			if n, err := wrapped.Read(b); n != 1 || err != nil || b[0] != 'x' {
				t.Errorf("the last byte: %d, %v", n, err)
			}
			if _, err := wrapped.Read(b); err != io.EOF {
				t.Errorf("the end: %v", err)
			}
			for err = nil; err == nil; {
				_, err = wrapped.Write(make([]byte, 1<<10))
			}
			if op := (*net.OpError)(nil); !errors.As(err, &op) || op.Op != "write" || !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("writing to nobody: %v", err)
			}
		})
	}
}

// TestCloseWakes closes a connection that is being read from and written to.
func TestCloseWakes(t *testing.T) {
	_, wrapped := pair(t, "tcp", "127.0.0.1:0")
	ended := make(chan error, 2)
	go func() {
		_, err := wrapped.Read(make([]byte, 1))
		ended <- err
	}()
	go func() {
		var err error
		for err == nil {
			_, err = wrapped.Write(make([]byte, 64<<10))
		}
		ended <- err
	}()
	time.AfterFunc(50*time.Millisecond, func() { _ = wrapped.Close() })
	for range 2 {
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v instead of %v", err, net.ErrClosed)
		}
	}
}
