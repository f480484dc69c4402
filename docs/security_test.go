package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestThreats: each row of what somebody could try names tests, and they are there;
// or it says that nothing stops it.
func TestThreats(t *testing.T) {
	_, table, ok := strings.Cut(read(t, "security.md"), "| who tries what |")
	if !ok {
		t.Fatal("there is no table of who tries what")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	named := regexp.MustCompile("`([a-z/]+)/(Test\\w+)`")
	rows := strings.Split(table, "\n")[2:]
	if len(rows) < 20 {
		t.Errorf("%d rows", len(rows))
	}
	for _, row := range rows {
		tests := named.FindAllStringSubmatch(row, -1)
		if len(tests) == 0 && !strings.Contains(row, "**nothing") {
			t.Errorf("no test shows it: %.120s", row)
		}
		for _, test := range tests {
			if !declares(t, filepath.Join(root, filepath.FromSlash(test[1])), test[2]) {
				t.Errorf("there is no test %s in %s: %.120s", test[2], test[1], row)
			}
		}
	}
}

// declares reports whether a folder has a test of a name.
func declares(t *testing.T, folder, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "\nfunc "+test+"(t *testing.T) {") {
			return true
		}
	}
	return false
}
