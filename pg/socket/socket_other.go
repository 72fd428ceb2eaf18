//go:build !linux

package socket

import "net"

// Wrap returns conn: elsewhere than on Linux system calls are the system's library's business.
func Wrap(conn net.Conn) net.Conn { return conn }
