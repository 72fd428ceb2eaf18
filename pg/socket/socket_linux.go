package socket

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// shortCall is the longest read or write that is made without telling the scheduler: of more, copying may take as
// long as other goroutines should not have to wait.
const shortCall = 64 << 10

// Wrap returns a connection that reads and writes the same socket as conn, and obeys the same deadlines. What is
// no socket, such as a TLS connection, is returned as it is.
func Wrap(conn net.Conn) net.Conn {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return conn
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return conn
	}
	c := &quick{Conn: conn}
	c.reading = transfer{raw: raw.Read, call: syscall.SYS_READ, name: "read"}
	c.writing = transfer{raw: raw.Write, call: syscall.SYS_WRITE, name: "write"}
	c.reading.try, c.writing.try = c.reading.attempt, c.writing.attempt
	return c
}

type quick struct {
	net.Conn
	reading, writing transfer
}

// transfer is one direction of a connection.
type transfer struct {
	raw  func(func(fd uintptr) bool) error
	call uintptr
	name string
	// try is attempt, bound once.
	try func(fd uintptr) bool

	mu     sync.Mutex // guards what follows, a call's own
	buffer []byte
	n      int
	errno  syscall.Errno
}

// attempt makes the call once and reports whether that was all, rather than that the socket has to be waited for.
func (t *transfer) attempt(fd uintptr) bool {
	for {
		n, _, errno := syscall.RawSyscall(t.call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(t.buffer))), uintptr(len(t.buffer)))
		switch errno {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return false
		case 0:
			t.n = int(n)
		}
		t.errno = errno
		return true
	}
}

// some transfers at least one byte of b, which is not empty, and returns how many.
func (t *transfer) some(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buffer, t.n, t.errno = b, 0, 0
	err := t.raw(t.try)
	t.buffer = nil
	if err == nil && t.errno != 0 {
		err = os.NewSyscallError(t.name, t.errno)
	}
	return t.n, err
}

// Read implements net.Conn.
func (c *quick) Read(b []byte) (int, error) {
	if len(b) == 0 || len(b) > shortCall {
		return c.Conn.Read(b)
	}
	n, err := c.reading.some(b)
	switch {
	case err != nil:
		return n, c.failure(&c.reading, err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write implements net.Conn.
func (c *quick) Write(b []byte) (int, error) {
	if len(b) == 0 || len(b) > shortCall {
		return c.Conn.Write(b)
	}
	written := 0
	for written < len(b) {
		n, err := c.writing.some(b[written:])
		written += n
		if err != nil {
			return written, c.failure(&c.writing, err)
		}
	}
	return written, nil
}

// failure tells of an error as package net does.
func (c *quick) failure(t *transfer, err error) error {
	if known, ok := err.(*net.OpError); ok {
		known.Op = t.name
		return known
	}
	return &net.OpError{Op: t.name, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}
