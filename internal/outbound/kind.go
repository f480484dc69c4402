package outbound

import "net/netip"

// kind says what sort of place an address is.
type kind int

const (
	public   kind = iota // of the internet
	private              // of a network of one's own: may be allowed
	loopback             // this machine: may be allowed
	never                // of one machine, link or purpose alone: cannot be allowed
)

// kinds are the networks that are not public, the first that holds an address
// counting. https://www.iana.org/assignments/iana-ipv4-special-registry and
// https://www.iana.org/assignments/iana-ipv6-special-registry
var kinds = []struct {
	kind     kind
	networks []netip.Prefix
}{
	{never, prefixes(
		"169.254.0.0/16",                                    // link-local; metadata and credentials of most clouds
		"fd00:ec2::/32",                                     // AWS's metadata, credentials, names and time
		"168.63.129.16/32",                                  // Azure's host
		"100.100.100.200/32",                                // Alibaba's metadata
		"192.0.0.0/24",                                      // protocols; Oracle's metadata
		"0.0.0.0/8",                                         // this network
		"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", // documentation
		"192.88.99.0/24", // relays of 6to4
		"198.18.0.0/15",  // benchmarks
		"224.0.0.0/4",    // multicast
		"240.0.0.0/4",    // reserved, broadcast
		"fe80::/10",      // link-local
		"2001::/23",      // protocols; Teredo, which embeds IPv4
		"2001:db8::/32",  // documentation
		"2002::/16",      // 6to4, which embeds IPv4
		"3fff::/20",      // documentation
		"100::/64",       // discarded
	)},
	{loopback, prefixes("127.0.0.0/8", "::1/128")},
	{private, prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
		"100.64.0.0/10", // carriers
		"fc00::/7")},
}

// What is public of IPv6, and what embeds an IPv4 address in its last four bytes.
var (
	global = netip.MustParsePrefix("2000::/3")
	nat64  = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

// kindOf judges an address. One that stands for an IPv4 address is of that one's
// kind; whatever is not known to be public is not.
func kindOf(address netip.Addr) kind {
	if address.Zone() != "" {
		return never
	}
	address = address.Unmap()
	if nat64.Contains(address) {
		b := address.As16()
		return kindOf(netip.AddrFrom4([4]byte(b[12:])))
	}
	for _, k := range kinds {
		for _, n := range k.networks {
			if n.Contains(address) {
				return k.kind
			}
		}
	}
	if address.Is4() || global.Contains(address) {
		return public
	}
	return never
}
