package ingest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// URL can be called from this machine, also where all addresses are bound.
func TestServerURL(t *testing.T) {
	for address, want := range map[string]string{
		":0":          "http://127.0.0.1:",
		"127.0.0.1:0": "http://127.0.0.1:",
		"0.0.0.0:0":   "http://127.0.0.1:",
		"[::]:0":      "http://127.0.0.1:",
		"[::1]:0":     "http://[::1]:",
	} {
		server, err := Listen(address, http.NotFoundHandler(), zerolog.Nop())
		if err != nil {
			if strings.Contains(address, "::") {
				t.Logf("no IPv6 here: %v", err)
				continue
			}
			t.Fatal(err)
		}
		if got := server.URL(); !strings.HasPrefix(got, want) || strings.HasSuffix(got, ":0") {
			t.Errorf("%s: %s, want %s…", address, got, want)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}
}
