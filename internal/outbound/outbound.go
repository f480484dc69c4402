// Package outbound is the way out for requests to addresses that users give:
// webhooks, chat services. It reaches public addresses alone, judged at the
// moment of connecting, on the very address that is dialled: a name that is
// looked up anew, or answers with another address each time, gains nothing.
//
// It imports the standard library alone.
package outbound

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"
)

// Bounds of a connection. What an answer's body may take, and how long all may
// last, is for the client to say.
const (
	connectTimeout   = 5 * time.Second
	answerTimeout    = 30 * time.Second // for the headers of an answer
	maxAnswerHeaders = 64 << 10         // bytes
)

// Options say what may be reached besides public addresses. The zero value is
// the strictest.
type Options struct {
	// Allow lists hosts, addresses and networks that may be private.
	Allow Allowed
	// Loopback lets hosts that are written as this machine itself, localhost and
	// literal loopback addresses, be reached: right where the user is at home, and
	// wrong in a function, whose loopback is its platform's.
	Loopback bool
	// Proxy, if not nil, is what all requests go through. It may be private. Names
	// are then looked up and judged by the proxy; literal addresses still here.
	Proxy *url.URL
	// Resolver looks names up; nil is the system's.
	Resolver *net.Resolver
}

// Transport gives the way out. It takes no proxy from the environment, bounds
// the time of connecting and the headers of an answer, and unpacks nothing. An
// address that it does not reach is a *Refused. Safe for concurrent use; it
// keeps connections.
func Transport(o Options) http.RoundTripper {
	t := &transport{options: o}
	t.Transport = http.Transport{
		DialContext:            t.dial,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxIdleConns:           100,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    connectTimeout,
		ResponseHeaderTimeout:  answerTimeout,
		MaxResponseHeaderBytes: maxAnswerHeaders,
	}
	if o.Proxy != nil {
		t.Transport.Proxy = http.ProxyURL(o.Proxy)
	}
	return t
}

// Refused is the error of an address that may not be reached. It names neither
// host nor address: the host may be a secret.
type Refused struct{ Why string }

func (e *Refused) Error() string { return "the address is " + e.Why + ": it is not reached" }

type transport struct {
	http.Transport
	options Options
}

// RoundTrip judges a literal address before a proxy is asked for it.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if host := request.URL.Hostname(); t.options.Proxy != nil {
		if address, err := netip.ParseAddr(host); err == nil {
			if err := t.options.judge(host, address); err != nil {
				return nil, err
			}
		}
	}
	return t.Transport.RoundTrip(request)
}

// dial connects to a host. Each address that its name has is judged when it is
// about to be dialled; one that may not be reached is passed over.
func (t *transport) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: connectTimeout, Resolver: t.options.Resolver}
	if !t.options.isProxy(host, port) {
		dialer.Control = func(_, dialled string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(dialled)
			if err != nil {
				return &Refused{"no address of the internet"}
			}
			return t.options.judge(host, at.Addr())
		}
	}
	return dialer.DialContext(ctx, network, address)
}

// isProxy reports whether what is dialled is the proxy.
func (o Options) isProxy(host, port string) bool {
	if o.Proxy == nil || o.Proxy.Hostname() != host {
		return false
	}
	ports := map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}
	want := o.Proxy.Port()
	if want == "" {
		want = ports[o.Proxy.Scheme]
	}
	return port == want
}

// judge is nil if an address may be reached on behalf of a host, else *Refused.
func (o Options) judge(host string, address netip.Addr) error {
	kind := kindOf(address)
	switch {
	case kind == public:
		return nil
	case kind == never:
		return &Refused{"one of a machine or its network alone"}
	case o.Loopback && kind == loopback && isLoopbackName(host), o.Allow.has(host, address):
		return nil
	case kind == loopback:
		return &Refused{"this machine's own, and not allowed: ALLOW_PRIVATE_HOSTS names what is"}
	}
	return &Refused{"private, and not allowed: ALLOW_PRIVATE_HOSTS names what is"}
}

// isLoopbackName reports whether a host is written as this machine itself.
func isLoopbackName(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && kindOf(address) == loopback
}

// Settings reads Options from the environment:
//
//	ALLOW_PRIVATE_HOSTS   hosts, addresses and networks, comma-separated
//	OUTBOUND_PROXY        http://proxy.example:3128
func Settings(getenv func(string) string) (Options, error) {
	allow, err := ParseAllowed(getenv("ALLOW_PRIVATE_HOSTS"))
	if err != nil {
		return Options{}, fmt.Errorf("ALLOW_PRIVATE_HOSTS: %w", err)
	}
	o := Options{Allow: allow}
	text := getenv("OUTBOUND_PROXY")
	if text == "" {
		return o, nil
	}
	proxy, err := url.Parse(text)
	if err != nil || proxy.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, proxy.Scheme) {
		return Options{}, fmt.Errorf("OUTBOUND_PROXY: it is none such as http://proxy.example:3128") // it may hold a password
	}
	o.Proxy = proxy
	return o, nil
}

// FromEnvironment gives the way out that the environment allows. Where its
// settings are wrong nothing is reached, and each request fails with what is wrong.
func FromEnvironment(getenv func(string) string) http.RoundTripper {
	options, err := Settings(getenv)
	if err != nil {
		return closed{err}
	}
	return Transport(options)
}

type closed struct{ err error }

// RoundTrip implements http.RoundTripper.
func (c closed) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, &Refused{"not judged, for a setting is wrong: " + c.err.Error()}
}
