package server

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"
)

// ParseNetworks reads addresses and networks in CIDR form with commas between them.
func ParseNetworks(text string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if !strings.Contains(part, "/") {
			address, err := netip.ParseAddr(part)
			if err != nil {
				return nil, fmt.Errorf("%q is no address and no network", part)
			}
			networks = append(networks, netip.PrefixFrom(address, address.BitLen()))
			continue
		}
		network, err := netip.ParsePrefix(part)
		if err != nil {
			return nil, fmt.Errorf("%q is no address and no network", part)
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
}

// clientAddress is where a request comes from: the connection's other end or, where that is a
// trusted proxy, the last address in X-Forwarded-For that is none. What stands before that is what
// anybody may have written.
func clientAddress(ctx *fasthttp.RequestCtx, trusted []netip.Prefix) netip.Addr {
	address, ok := netip.AddrFromSlice(ctx.RemoteIP())
	if !ok {
		return netip.IPv4Unspecified()
	}
	address = address.Unmap()
	var hops []string
	for _, line := range ctx.Request.Header.PeekAll(fasthttp.HeaderXForwardedFor) {
		hops = append(hops, strings.Split(string(line), ",")...)
	}
	for _, hop := range slices.Backward(hops) {
		if !slices.ContainsFunc(trusted, func(n netip.Prefix) bool { return n.Contains(address) }) {
			break
		}
		next, ok := forwardedAddress(hop)
		if !ok {
			break
		}
		address = next
	}
	return address
}

// forwardedAddress reads one entry of X-Forwarded-For; some proxies add the port.
func forwardedAddress(hop string) (netip.Addr, bool) {
	hop = strings.TrimSpace(hop)
	if address, err := netip.ParseAddr(hop); err == nil {
		return address.Unmap().WithZone(""), true
	}
	if both, err := netip.ParseAddrPort(hop); err == nil {
		return both.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}
