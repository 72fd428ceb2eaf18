package server

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"
)

// Ensure that only trusted proxies are believed about where a request comes from, and that what
// they pass on of the client's own invention is not.
func TestClientAddress(t *testing.T) {
	trusted, err := ParseNetworks("10.0.0.0/8, 192.0.2.7 ,2001:db8::/32,")
	require.NoError(t, err)
	for _, test := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"203.0.113.5", nil, "203.0.113.5"},
		{"203.0.113.5", []string{"198.51.100.1"}, "203.0.113.5"},
		{"10.1.2.3", nil, "10.1.2.3"},
		{"10.1.2.3", []string{"198.51.100.1"}, "198.51.100.1"},
		{"10.1.2.3", []string{"6.6.6.6, 198.51.100.1"}, "198.51.100.1"},
		{"10.1.2.3", []string{"6.6.6.6", "198.51.100.1, 192.0.2.7"}, "198.51.100.1"},
		{"10.1.2.3", []string{"10.9.9.9"}, "10.9.9.9"},
		{"10.1.2.3", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"10.1.2.3", []string{"[2001:db9::1]:4711"}, "2001:db9::1"},
		{"10.1.2.3", []string{"198.51.100.1, unknown"}, "10.1.2.3"},
		{"10.1.2.3", []string{""}, "10.1.2.3"},
		{"2001:db8::1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
	} {
		var ctx fasthttp.RequestCtx
		ctx.SetRemoteAddr(&net.TCPAddr{IP: net.ParseIP(test.peer), Port: 1})
		for _, line := range test.forwarded {
			ctx.Request.Header.Add("X-Forwarded-For", line)
		}
		require.Equal(t, test.want, clientAddress(&ctx, trusted).String(), "%v", test)
	}
	for _, wrong := range []string{"proxy", "10.0.0.0/33", "10.0.0.1 10.0.0.2"} {
		_, err := ParseNetworks(wrong)
		require.Error(t, err, wrong)
	}
}
