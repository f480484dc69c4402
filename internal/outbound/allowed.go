package outbound

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Allowed is what may be reached although it is private: on this machine, or in
// its networks. Addresses that are a machine's or a link's alone stay out of
// reach, those of metadata services above all. The zero value allows nothing.
type Allowed struct {
	hosts    []string // lower case
	networks []netip.Prefix
}

// hostName is a name of letters, digits, - and _ between dots. A last part of
// digits alone is left to be read as an address, or refused.
var hostName = regexp.MustCompile(`^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z]([a-z0-9_-]{0,61}[a-z0-9])?$`)

// ParseAllowed reads hosts, addresses and networks, separated by commas:
// "chat.corp.example, 10.1.2.3, fd12::/16". A host allows whatever private
// address its name has.
func ParseAllowed(text string) (Allowed, error) {
	var a Allowed
	for item := range strings.SplitSeq(text, ",") {
		item = strings.ToLower(strings.TrimSpace(item))
		if item == "" {
			continue
		}
		if network, err := netip.ParsePrefix(item); err == nil {
			a.networks = append(a.networks, network.Masked())
			continue
		}
		if address, err := netip.ParseAddr(item); err == nil && address.Zone() == "" {
			address = address.Unmap()
			a.networks = append(a.networks, netip.PrefixFrom(address, address.BitLen()))
			continue
		}
		if len(item) > 253 || !hostName.MatchString(item) {
			return Allowed{}, fmt.Errorf("%.80q is no host, address or network", item)
		}
		a.hosts = append(a.hosts, item)
	}
	return a, nil
}

// has reports whether an address is allowed, for itself or for its host.
func (a Allowed) has(host string, address netip.Addr) bool {
	address = address.Unmap()
	return slices.Contains(a.hosts, strings.ToLower(strings.TrimSuffix(host, "."))) ||
		slices.ContainsFunc(a.networks, func(n netip.Prefix) bool { return n.Contains(address) })
}
