// Package socket makes connections of which short reads and writes cost Go's scheduler nothing.
//
// Go tells its scheduler of every system call, since it may block. Sockets of Go never do: what cannot be read or
// written at once is waited for elsewhere. In a service that mostly waits, the telling costs more than the call: after
// each pause it wakes the thread that watches over system calls (runtime.sysmon), which then looks about every
// 20 µs for as long as anything runs. For a read of one record that was a quarter of lateral's processor time.
package socket

import "net"

// Listener accepts connections like the one that it has, see Wrap.
type Listener struct{ net.Listener }

// Accept implements net.Listener.
func (l Listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return Wrap(c), nil
}
