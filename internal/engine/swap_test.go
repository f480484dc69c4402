package engine

import (
	"strings"
	"testing"
)

// TestSwapped: the case of each ASCII byte at each place, in texts of any length.
func TestSwapped(t *testing.T) {
	f := New(nil, nil).newFrame()
	for c := range 256 {
		for length := 1; length < 20; length++ {
			for at := range length {
				text := strings.Repeat("z", at) + string([]byte{byte(c)}) + strings.Repeat("A", length-at-1)
				if isASCII(text) != (c < 128) {
					t.Fatalf("%q: ASCII is %v", text, c >= 128)
				}
				f.event.begin()
				if lower, upper := f.swapped(text, 'A'), f.swapped(text, 'a'); c < 128 && (lower != strings.ToLower(text) || upper != strings.ToUpper(text)) {
					t.Fatalf("%q: %q and %q", text, lower, upper)
				}
			}
		}
	}
}
