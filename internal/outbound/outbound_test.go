package outbound

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestKindOf(t *testing.T) {
	for text, want := range map[string]kind{
		"1.1.1.1": public, "52.94.236.248": public, "172.15.255.255": public, "172.32.0.0": public, "100.63.255.255": public, "100.128.0.0": public,
		"2606:4700::1111": public, "2600:1f18::1": public, "2a00::1": public,
		"::ffff:1.1.1.1": public, "64:ff9b::1.1.1.1": public,

		"10.0.0.0": private, "10.255.255.255": private, "172.16.0.1": private, "172.31.255.255": private, "192.168.0.1": private,
		"100.64.0.1": private, "100.127.255.255": private, "fc00::1": private, "fdff::1": private,
		"::ffff:10.0.0.1": private, "64:ff9b::192.168.0.1": private, "64:ff9b::a00:1": private,

		"127.0.0.1": loopback, "127.255.255.255": loopback, "::1": loopback, "::ffff:127.0.0.1": loopback, "64:ff9b::127.0.0.1": loopback,

		"169.254.169.254": never, "169.254.170.2": never, "169.254.170.23": never, "169.254.0.1": never, "::ffff:169.254.169.254": never, "64:ff9b::169.254.169.254": never,
		"fd00:ec2::254": never, "fd00:ec2::23": never, "168.63.129.16": never, "100.100.100.200": never, "192.0.0.192": never,
		"0.0.0.0": never, "0.1.2.3": never, "::": never, "::ffff:0.0.0.0": never, "::127.0.0.1": never, "::a00:1": never,
		"255.255.255.255": never, "240.0.0.1": never, "224.0.0.1": never, "239.255.255.250": never, "ff02::1": never, "ff0e::1": never,
		"fe80::1": never, "fe80::1%eth0": never, "fd00::1%eth0": never, "fec0::1": never,
		"2002:7f00:1::": never, "2002:101:101::": never, "2001::1": never, "2001:0:4136:e378:8000:63bf:3fff:fdd2": never,
		"64:ff9b:1::1.1.1.1": never, "2001:db8::1": never, "192.0.2.1": never, "198.51.100.1": never, "203.0.113.1": never, "198.18.0.1": never,
		"3fff::1": never, "4000::1": never, "100::1": never, "192.88.99.1": never,
	} {
		if got := kindOf(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: got %d, want %d", text, got, want)
		}
	}
}

func TestParseAllowed(t *testing.T) {
	a, err := ParseAllowed(" Chat.Corp.example ,10.1.2.3,, fd12:3456::/32 ,::ffff:10.9.9.9, localhost")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		host, address string
		want          bool
	}{
		{"chat.corp.example", "10.0.0.1", true}, {"CHAT.corp.example.", "10.0.0.1", true},
		{"other.corp.example", "10.0.0.1", false}, {"chat.corp.example.evil.example", "10.0.0.1", false},
		{"other", "10.1.2.3", true}, {"other", "::ffff:10.1.2.3", true}, {"other", "10.1.2.4", false},
		{"other", "fd12:3456::9", true}, {"other", "fd12:3457::9", false}, {"other", "10.9.9.9", true}, {"localhost", "127.0.0.1", true},
	} {
		if got := a.has(tt.host, netip.MustParseAddr(tt.address)); got != tt.want {
			t.Errorf("%s at %s: %v", tt.host, tt.address, got)
		}
	}
	for _, bad := range []string{"*", "*.corp.example", "https://x", "x/y", "10.0.0", "10.0.0.256", "10.0.0.0/33", "fe80::1%eth0", "a b", "a..b", "-a", "1", "0x7f.1", "x:443", strings.Repeat("a", 254)} {
		if a, err := ParseAllowed(bad); err == nil {
			t.Errorf("%q gives %v", bad, a)
		}
	}
}

// host is a server on loopback that counts connections.
func host(t *testing.T, h http.HandlerFunc) (port string, connections func() int) {
	t.Helper()
	var mu sync.Mutex
	n := 0
	s := httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			mu.Lock()
			defer mu.Unlock()
			n++
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port(), func() int { mu.Lock(); defer mu.Unlock(); return n }
}

func ok(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }

// get asks once, without following redirects, on a connection of its own.
func get(t *testing.T, o Options, address string) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := Transport(o).RoundTrip(request)
	if err == nil {
		err = response.Body.Close()
	}
	return err
}

func allowed(t *testing.T, text string) Allowed {
	t.Helper()
	a, err := ParseAllowed(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// names is a resolver whose answers the test gives, one a lookup; the last stays.
func names(t *testing.T, answers ...string) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			at := netip.MustParseAddr(answers[0])
			reply, answered := reply(buf[:n], at)
			if answered && len(answers) > 1 {
				answers = answers[1:]
			}
			server.WriteTo(reply, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// reply answers a DNS question of one name with one address, if it asks for
// addresses of that kind.
func reply(query []byte, address netip.Addr) (message []byte, answered bool) {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	question := query[12 : end+5]
	kind := binary.BigEndian.Uint16(question[len(question)-4:])
	data := address.AsSlice()
	answered = kind == 1 && address.Is4() || kind == 28 && !address.Is4()
	message = append(message, query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0)
	message = append(message, question...)
	if answered {
		message[7] = 1
		message = append(message, 0xc0, 12, 0, byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(len(data)))
		message = append(message, data...)
	}
	return message, answered
}

func TestReach(t *testing.T) {
	port, connections := host(t, ok)
	for name, tt := range map[string]struct {
		options Options
		host    string
		reached bool
	}{
		"loopback":                     {Options{}, "127.0.0.1", false},
		"loopback, other":              {Options{}, "127.0.0.2", false},
		"loopback by name":             {Options{}, "localhost", false},
		"mapped":                       {Options{}, "[::ffff:127.0.0.1]", false},
		"unspecified":                  {Options{Loopback: true}, "0.0.0.0", false},
		"unspecified, v6":              {Options{Loopback: true}, "[::]", false},
		"at home":                      {Options{Loopback: true}, "127.0.0.1", true},
		"at home by name":              {Options{Loopback: true}, "localhost", true},
		"at home by another's name":    {Options{Loopback: true, Resolver: names(t, "127.0.0.1")}, "evil.example", false},
		"name of this machine":         {Options{Resolver: names(t, "127.0.0.1")}, "evil.example", false},
		"name of the unspecified":      {Options{Resolver: names(t, "0.0.0.0")}, "evil.example", false},
		"name of metadata":             {Options{Resolver: names(t, "169.254.169.254")}, "evil.example", false},
		"allowed name of metadata":     {Options{Allow: allowed(t, "meta.example"), Resolver: names(t, "169.254.169.254")}, "meta.example", false},
		"allowed address of metadata":  {Options{Allow: allowed(t, "169.254.0.0/16")}, "169.254.169.254", false},
		"name of a mapped address":     {Options{Resolver: names(t, "::ffff:127.0.0.1")}, "evil.example", false},
		"name of an embedded address":  {Options{Resolver: names(t, "64:ff9b::7f00:1")}, "evil.example", false},
		"allowed name":                 {Options{Allow: allowed(t, "chat.example"), Resolver: names(t, "127.0.0.1")}, "chat.example", true},
		"allowed name, written so":     {Options{Allow: allowed(t, "chat.example"), Resolver: names(t, "127.0.0.1")}, "Chat.Example.", true},
		"allowed network":              {Options{Allow: allowed(t, "127.0.0.0/8"), Resolver: names(t, "127.0.0.1")}, "any.example", true},
		"allowed network, not this":    {Options{Allow: allowed(t, "127.1.0.0/16"), Resolver: names(t, "127.0.0.1")}, "any.example", false},
		"private":                      {Options{Loopback: true}, "10.0.0.1", false},
		"the same as a number":         {Options{}, "2130706433", false},
		"the same in other characters": {Options{}, "127.1", false},
	} {
		t.Run(name, func(t *testing.T) {
			before := connections()
			err := get(t, tt.options, "http://"+tt.host+":"+port)
			var refused *Refused
			switch {
			case tt.reached && err != nil:
				t.Error(err)
			case !tt.reached && err == nil, !tt.reached && connections() != before:
				t.Errorf("%d connections, %v", connections()-before, err)
			case !tt.reached && !errors.As(err, &refused) && !isLookup(err):
				t.Errorf("got %v", err)
			}
		})
	}
}

// isLookup: where the system does not take 127.1 for an address, it is a name
// that is not there.
func isLookup(err error) bool { var e *net.DNSError; return errors.As(err, &e) }

// TestRebind has a name change between two requests.
func TestRebind(t *testing.T) {
	port, connections := host(t, ok)
	o := Options{Allow: allowed(t, "127.0.0.1"), Resolver: names(t, "127.0.0.1", "127.0.0.2")}
	if err := get(t, o, "http://evil.example:"+port); err != nil {
		t.Fatal(err)
	}
	var refused *Refused
	if err := get(t, o, "http://evil.example:"+port); !errors.As(err, &refused) || connections() != 1 {
		t.Errorf("after the name was bound anew: %v, %d connections", err, connections())
	}
}

// TestEnvironment: what HTTP_PROXY names is not asked.
func TestEnvironment(t *testing.T) {
	proxy, asked := host(t, ok)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:"+proxy)
	}
	if err := get(t, Options{Resolver: names(t, "10.0.0.1")}, "http://x.example"); err == nil || asked() != 0 {
		t.Errorf("%d connections to the proxy, %v", asked(), err)
	}
}

func TestProxy(t *testing.T) {
	var seen string
	port, _ := host(t, func(_ http.ResponseWriter, r *http.Request) { seen = r.URL.String() })
	o, err := Settings(func(name string) string {
		return map[string]string{"OUTBOUND_PROXY": "http://127.0.0.1:" + port, "ALLOW_PRIVATE_HOSTS": "10.1.2.3"}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	for address, reached := range map[string]bool{
		"http://x.example/": true, "http://10.1.2.3/": true, "http://1.1.1.1/": true,
		"http://10.1.2.4/": false, "http://169.254.169.254/": false, "http://127.0.0.1:" + port + "/": false,
	} {
		seen = ""
		err := get(t, o, address)
		if (err == nil) != reached || (seen == address) != reached {
			t.Errorf("%s: %v, the proxy saw %q", address, err, seen)
		}
	}
}

func TestSettings(t *testing.T) {
	for name, text := range map[string]string{
		"ALLOW_PRIVATE_HOSTS": "*", "OUTBOUND_PROXY": "ftp://user:hunter2@x",
	} {
		_, err := Settings(func(n string) string { return map[string]string{name: text}[n] })
		if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s=%s: %v", name, text, err)
		}
	}
	for _, bad := range []string{"proxy:3128", "http://", "http://[x"} {
		if _, err := Settings(func(n string) string { return map[string]string{"OUTBOUND_PROXY": bad}[n] }); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
	if o, err := Settings(func(string) string { return "" }); err != nil || o.Proxy != nil || o.Loopback {
		t.Errorf("nothing set: %+v, %v", o, err)
	}
}

func TestFromEnvironment(t *testing.T) {
	port, _ := host(t, ok)
	for setting, want := range map[string]string{"": "not allowed", "127.0.0.1": "", "*": "ALLOW_PRIVATE_HOSTS"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:"+port, nil)
		if err != nil {
			t.Fatal(err)
		}
		way := FromEnvironment(func(name string) string { return map[string]string{"ALLOW_PRIVATE_HOSTS": setting}[name] })
		response, err := way.RoundTrip(request)
		if err == nil {
			err = response.Body.Close()
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", setting, err)
		}
	}
}

// TestHugeHeaders: an answer's headers are bounded.
func TestHugeHeaders(t *testing.T) {
	port, _ := host(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X", strings.Repeat("x", maxAnswerHeaders))
	})
	if err := get(t, Options{Loopback: true}, "http://127.0.0.1:"+port); err == nil {
		t.Error("headers without bound were taken")
	}
}

// TestGivenUp: a host that does not answer is given up with the request.
func TestGivenUp(t *testing.T) {
	done := make(chan struct{})
	port, _ := host(t, func(http.ResponseWriter, *http.Request) { <-done })
	defer close(done)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+port, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Transport(Options{Loopback: true}).RoundTrip(request); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func FuzzParseAllowed(f *testing.F) {
	for _, text := range []string{"", "a.example,10.0.0.0/8", "::1", "fe80::1%eth0", ",,", "0/0", "169.254.169.254"} {
		f.Add(text, "evil.example")
	}
	f.Fuzz(func(t *testing.T, text, host string) {
		a, err := ParseAllowed(text)
		if err != nil {
			return
		}
		for _, address := range []string{"169.254.169.254", "fd00:ec2::254", "::", "fe80::1", "64:ff9b::a9fe:a9fe"} {
			if (Options{Allow: a, Loopback: true}).judge(host, netip.MustParseAddr(address)) == nil {
				t.Errorf("%q allows %s", text, address)
			}
		}
	})
}
