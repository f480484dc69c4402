package main

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestHosts: requests are answered for the host that --listen names and for
// those of --host, and for no others.
func TestHosts(t *testing.T) {
	for name, test := range map[string]struct {
		args           []string
		served, others []string
		note           bool
	}{
		"by default":           {nil, []string{"localhost", "127.0.0.1"}, []string{"responder.example"}, false},
		"names":                {[]string{"--host", "responder.example", "--host", "10.0.0.7"}, []string{"127.0.0.1", "responder.example", "10.0.0.7"}, []string{"0.0.0.0", "evil.example"}, false},
		"another address":      {[]string{"--listen", "127.0.0.2:0"}, []string{"127.0.0.2", "localhost"}, []string{"127.0.0.3"}, false},
		"all addresses":        {[]string{"--listen", "0.0.0.0:0"}, []string{"localhost"}, []string{"10.0.0.7", "0.0.0.0"}, true},
		"all addresses, named": {[]string{"--listen", "0.0.0.0:0", "--host", "responder.example"}, []string{"localhost", "responder.example"}, []string{"10.0.0.7"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if probe, err := net.Listen("tcp", "127.0.0.2:0"); err == nil {
				probe.Close()
			} else if slices.Contains(test.args, "127.0.0.2:0") {
				t.Skipf("this machine has one loopback address: %v", err)
			}
			c := newCLI(t)
			p := c.serve(test.args...)
			key, err := os.ReadFile(filepath.Join(c.data, keyFile))
			if err != nil {
				t.Fatal(err)
			}
			ask := func(host string) int {
				r, err := http.NewRequest(http.MethodPost, p.url, strings.NewReader(`{"source":"s","detail-type":"d","detail":{}}`))
				if err != nil {
					t.Fatal(err)
				}
				r.Host = host
				r.Header.Set("X-Api-Key", strings.TrimSpace(string(key)))
				response, err := http.DefaultClient.Do(r) // the address that was told can be reached
				if err != nil {
					t.Fatal(err)
				}
				response.Body.Close()
				return response.StatusCode
			}
			_, port, _ := net.SplitHostPort(strings.TrimSuffix(strings.TrimPrefix(p.url, "http://"), "/events"))
			for _, host := range slices.Concat(test.served, test.others) {
				want := http.StatusAccepted
				if slices.Contains(test.others, host) {
					want = http.StatusForbidden
				}
				if got := ask(host + ":" + port); got != want {
					t.Errorf("a request for %s gets %d, want %d", host, got, want)
				}
			}
			p.end()
			if noted := strings.Contains(p.out.String(), "--host NAME"); noted != test.note {
				t.Errorf("it says how to name hosts: %v, want %v\n%s", noted, test.note, p.out.String())
			}
		})
	}
}
