package lang

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // a Lambda has no zone files

	"github.com/skycrafters/responder"
)

// Helper is a function that expressions may call beside expr's built-ins.
type Helper struct {
	Name  string
	Usage string // how it is called
	Doc   string // what it gives, nil and wrong kinds included

	min, max int
	call     func(args ...any) (any, error)
	prepare  map[int]func(any) (any, error) // arguments made ready at load where they are constant
	truth    map[int]bool                   // arguments that are conditions
}

// Helpers lists every helper, for documentation and completion.
func Helpers() []Helper { return append([]Helper(nil), helpers...) }

// helpers is read-only.
var helpers = []Helper{
	{
		Name: "ip_in", Usage: `ip_in(ip, lists.trusted_ips)`,
		Doc: "whether an address is one of a list of addresses and networks (CIDR); false for what is no address",
		min: 2, max: 2, prepare: map[int]func(any) (any, error){1: prepareNetworks},
		call: func(args ...any) (any, error) { return ipIn(args[0], args[1]) },
	},
	{
		Name: "public_ip", Usage: `public_ip(ip)`,
		Doc: "whether an address can be reached from the internet: not private, loopback, link-local, carrier-grade NAT, reserved or documentation; false for what is no address",
		min: 1, max: 1,
		call: func(args ...any) (any, error) { return publicIP(args[0]), nil },
	},
	{
		Name: "glob", Usage: `glob(item.instanceType, ["t2.*", "*.24xlarge"])`,
		Doc: "whether a whole text matches a pattern or one of a list: * is any text, ? one character, case counts; false for what is no text",
		min: 2, max: 2, prepare: map[int]func(any) (any, error){1: prepareGlobs},
		call: func(args ...any) (any, error) { return matchesAny(args[0], args[1], newGlob) },
	},
	{
		Name: "matches_any", Usage: `matches_any(name, vars.patterns)`,
		Doc: "whether a regular expression, or one of a list, is found in a text; false for what is no text",
		min: 2, max: 2, prepare: map[int]func(any) (any, error){1: preparePatterns},
		call: func(args ...any) (any, error) { return matchesAny(args[0], args[1], newPattern) },
	},
	{
		Name: "working_hours", Usage: `working_hours(time, {zone: "Europe/Paris", week: {from: "8:00AM", to: "6:00PM"}})`,
		Doc: "whether a time is in working hours, from included, to not; a night shift may end before it begins; of `week` and `weekend` the one left out counts as working hours whole; false for what is no time",
		min: 2, max: 2, prepare: map[int]func(any) (any, error){1: prepareHours},
		call: func(args ...any) (any, error) { return workingHours(args[0], args[1]) },
	},
	{
		Name: "weekend", Usage: `weekend(time, "Europe/Paris")`,
		Doc: "whether a time is on a Saturday or Sunday in a zone; false for what is no time",
		min: 2, max: 2, prepare: map[int]func(any) (any, error){1: prepareZone},
		call: func(args ...any) (any, error) {
			t, err := timeIn(args[0], args[1])
			return t != nil && IsWeekend(*t), err
		},
	},
	{
		Name: "hour", Usage: `hour(time, "Europe/Paris")`,
		Doc: "the hour of a time in a zone, 0 to 23; nil for what is no time",
		min: 2, max: 2, prepare: map[int]func(any) (any, error){1: prepareZone},
		call: func(args ...any) (any, error) {
			t, err := timeIn(args[0], args[1])
			if t == nil {
				return nil, err
			}
			return t.Hour(), nil
		},
	},
	{
		Name: "grants_public", Usage: `grants_public(req.bucketPolicy)`,
		Doc: "whether a policy document (an object, or its JSON as text, URL-encoded or not) allows something to everybody without a condition; false for what is no policy",
		min: 1, max: 1,
		call: func(args ...any) (any, error) { return grantsPublic(args[0]), nil },
	},
	{
		Name: "arn", Usage: `arn(req.roleArn).account`,
		Doc: "the parts of an ARN: partition, service, region, account, resource; nil for what is none",
		min: 1, max: 1,
		call: func(args ...any) (any, error) { return parseARN(args[0]), nil },
	},
	{
		Name: "pick", Usage: `pick(account.env == "prod", HIGH, LOW)`,
		Doc: "the second argument if the first is true, else the third: a ternary without the ` : ` that YAML bites",
		min: 3, max: 3, truth: map[int]bool{0: true},
		call: func(args ...any) (any, error) {
			if args[0] == true {
				return args[1], nil
			}
			return args[2], nil
		},
	},
	{
		Name: "pretty", Usage: `pretty(severity)`,
		Doc: "a severity as people read it: Very High; any other value as text",
		min: 1, max: 1,
		call: func(args ...any) (any, error) {
			if s, ok := args[0].(responder.Severity); ok {
				return s.Title(), nil
			}
			return Format(args[0]), nil
		},
	},
}

func helperNamed(name string) *Helper {
	for i := range helpers {
		if helpers[i].Name == name {
			return &helpers[i]
		}
	}
	return nil
}

func helperNames() []string {
	names := make([]string, len(helpers))
	for i, h := range helpers {
		names[i] = h.Name
	}
	return names
}

// networks is a prepared list of addresses and networks.
type networks struct {
	addresses map[netip.Addr]struct{}
	prefixes  map[netip.Prefix]struct{}
	bits      []int // lengths of the prefixes, IPv4's and IPv6's together
}

// prepareNetworks parses a text or list of texts.
func prepareNetworks(value any) (any, error) {
	elements := list(value)
	n := &networks{addresses: map[netip.Addr]struct{}{}, prefixes: make(map[netip.Prefix]struct{}, len(elements))}
	lengths := map[int]bool{}
	for _, element := range elements {
		text, ok := element.(string)
		if !ok {
			return nil, fmt.Errorf("a list of addresses holds %s", kindOf(element))
		}
		if address, err := netip.ParseAddr(text); err == nil {
			n.addresses[address.Unmap()] = struct{}{}
			continue
		}
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a network such as 203.0.113.0/24", text)
		}
		n.prefixes[prefix.Masked()] = struct{}{}
		lengths[prefix.Bits()] = true
	}
	n.bits = keys(lengths)
	return n, nil
}

// Contain reports whether an address that ParseAddress gave is one of them.
func (n *networks) Contain(address netip.Addr) bool {
	if _, ok := n.addresses[address]; ok {
		return true
	}
	for _, bits := range n.bits {
		if prefix, err := address.Prefix(bits); err == nil {
			if _, ok := n.prefixes[prefix]; ok {
				return true
			}
		}
	}
	return false
}

func ipIn(value, in any) (bool, error) {
	address, ok := parseAddress(value)
	if !ok || in == nil {
		return false, nil
	}
	if ready, ok := in.(*networks); ok {
		return ready.Contain(address), nil
	}
	ready, err := prepareNetworks(in)
	if err != nil {
		return false, err
	}
	return ready.(*networks).Contain(address), nil
}

func parseAddress(value any) (netip.Addr, bool) {
	text, ok := value.(string)
	if !ok {
		return netip.Addr{}, false
	}
	return ParseAddress(text)
}

// ParseAddress reads an address as `ip` and the helpers do; ok is false for what
// is none. Names of hosts, which AWS writes in the place of addresses, cost no
// allocation.
func ParseAddress(text string) (address netip.Addr, ok bool) {
	if i := strings.IndexAny(text, ".:%"); i < 0 || text[i] == '.' && strings.Trim(text, ".0123456789") != "" {
		return netip.Addr{}, false
	}
	address, err := netip.ParseAddr(text)
	return address.Unmap(), err == nil
}

// reserved are the networks that netip has no word for (IANA's special-purpose
// registries, RFC 6890): carrier-grade NAT, documentation, benchmarks, future use.
var reserved = mustNetworks("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "240.0.0.0/4", "2001:db8::/32", "100::/64", "3fff::/20")

func mustNetworks(texts ...any) *networks {
	ready, err := prepareNetworks(texts)
	if err != nil {
		panic(err)
	}
	return ready.(*networks)
}

func publicIP(value any) bool {
	address, ok := parseAddress(value)
	return ok && IsPublic(address)
}

// IsPublic is public_ip of an address that ParseAddress gave.
func IsPublic(address netip.Addr) bool {
	return address.IsGlobalUnicast() && !address.IsPrivate() && !reserved.Contain(address)
}

// patterns is a prepared list of regular expressions and globs.
type patterns []*pattern

// globPattern is the regular expression of a glob.
func globPattern(glob string) string {
	quoted := regexp.QuoteMeta(glob)
	return `(?s)\A` + strings.ReplaceAll(strings.ReplaceAll(quoted, `\*`, `.*`), `\?`, `.`) + `\z`
}

func prepareGlobs(value any) (any, error)    { return preparedPatterns(value, newGlob) }
func preparePatterns(value any) (any, error) { return preparedPatterns(value, newPattern) }

func preparedPatterns(value any, made func(string) (*pattern, error)) (any, error) {
	compiled := patterns{}
	for _, element := range list(value) {
		text, ok := element.(string)
		if !ok {
			return nil, fmt.Errorf("a list of patterns holds %s", kindOf(element))
		}
		p, err := made(text)
		if err != nil {
			return nil, err
		}
		compiled = append(compiled, p)
	}
	return compiled, nil
}

func matchesAny(value, in any, made func(string) (*pattern, error)) (bool, error) {
	text, ok := value.(string)
	if !ok {
		return false, nil
	}
	ready, ok := in.(patterns)
	if !ok {
		compiled, err := preparedPatterns(in, made)
		if err != nil {
			return false, err
		}
		ready = compiled.(patterns)
	}
	for _, p := range ready {
		if p.MatchString(text) {
			return true, nil
		}
	}
	return false, nil
}

// parseARN splits arn:partition:service:region:account:resource.
func parseARN(value any) any {
	text, ok := value.(string)
	if !ok {
		return nil
	}
	parts := strings.SplitN(text, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" {
		return nil
	}
	return map[string]any{"partition": parts[1], "service": parts[2], "region": parts[3], "account": parts[4], "resource": parts[5]}
}

// prepareZone loads a constant time zone.
func prepareZone(value any) (any, error) {
	name, ok := value.(string)
	if !ok || name == "" {
		return nil, fmt.Errorf("a time zone is a name such as \"Europe/Paris\", not %s", kindOf(value))
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("unknown time zone %q: use a name such as \"Europe/Paris\" or \"UTC\"", name)
	}
	return zone, nil
}

// timeIn gives a time in a zone, nil for what is no time.
func timeIn(value, zone any) (*time.Time, error) {
	t, ok := value.(time.Time)
	if !ok {
		return nil, nil
	}
	location, ok := zone.(*time.Location)
	if !ok {
		loaded, err := prepareZone(zone)
		if err != nil {
			return nil, err
		}
		location = loaded.(*time.Location)
	}
	local := t.In(location)
	return &local, nil
}
