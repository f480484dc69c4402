package lambdastest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Costs fails the test unless docs/cost.md says that it takes these requests of
// AWS to handle something: a request more is told, or not made.
func Costs(t *testing.T, what string, counts map[string]int) {
	t.Helper()
	var parts []string
	for _, operation := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[operation], operation))
	}
	if parts == nil {
		parts = []string{"none"}
	}
	row := "| " + what + " | " + strings.Join(parts, ", ") + " |"
	told, err := os.ReadFile(filepath.Join(repository, "docs", "cost.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(told), row+"\n") {
		t.Errorf("docs/cost.md does not say %s", row)
	}
}
