package middleware

import (
	"net/netip"
	"slices"
	"strings"
)

// clientAddress returns the address of the client: that of the peer, unless
// the peer is a trusted proxy. Then it is the last address in X-Forwarded-For
// that no trusted proxy has: each proxy appends the address it was called
// from, and what stands before that one is the client's own word. The address
// is invalid when the peer has none, as on a Unix socket.
func clientAddress(peer string, forwarded []string, trusted []netip.Prefix) netip.Addr {
	client, ok := parseAddress(peer)
	if !ok || !among(trusted, client) {
		return client
	}
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	for _, hop := range slices.Backward(hops) {
		address, ok := parseAddress(strings.TrimSpace(hop))
		if !ok {
			return client // the last one that somebody trusted vouches for
		}
		client = address
		if !among(trusted, client) {
			return client
		}
	}
	return client
}

func among(prefixes []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(address) })
}

// parseAddress reads an address with or without a port. IPv4 addresses within
// IPv6 become IPv4, as prefixes are written; zones mean nothing elsewhere and
// are left out.
func parseAddress(text string) (netip.Addr, bool) {
	if with, err := netip.ParseAddrPort(text); err == nil {
		return with.Addr().Unmap().WithZone(""), true
	}
	if inner, ok := strings.CutPrefix(text, "["); ok {
		text, ok = strings.CutSuffix(inner, "]")
		if !ok || !strings.Contains(text, ":") {
			return netip.Addr{}, false
		}
	}
	address, err := netip.ParseAddr(text)
	return address.Unmap().WithZone(""), err == nil
}
