// Package evidence is what the tests of faults found: a row for each scenario,
// from which docs/reliability.md is made. Tests alone import it.
package evidence

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Folder is the environment variable that names the folder which rows are
// written to. Without it they are only logged.
const Folder = "RESPONDER_EVIDENCE"

// Scenario is something that goes wrong, and what is expected then.
type Scenario struct {
	Name        string // short, in words; never changed once published
	Expectation string // one sentence
}

// Figures are what one run of a scenario came to.
type Figures struct {
	Load    string // what was done meanwhile: "5,012 events, 40,096 steps"
	Faults  string // what was injected: "500 kills"
	Lost    int    // accepted and not done
	Doubled string // done more than once, and where; "0", or "–" where it cannot be
	Seed    uint64 // that it can be repeated with; 0: nothing in it is left to chance
}

// Row is a line of a file of evidence.
type Row struct {
	Name        string    `json:"name"`
	Expectation string    `json:"expectation"`
	Load        string    `json:"load"`
	Faults      string    `json:"faults"`
	Lost        int       `json:"lost"`
	Doubled     string    `json:"doubled"`
	Seed        uint64    `json:"seed,omitempty"`
	When        time.Time `json:"when"`
}

// Report tells the figures of a scenario, once its test knows that they are as
// expected, and writes them to the folder that Folder names, if it is set.
func Report(t testing.TB, name string, f Figures) {
	t.Helper()
	i := slices.IndexFunc(Scenarios(), func(s Scenario) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("evidence: there is no scenario %q", name)
	}
	if t.Failed() {
		return
	}
	t.Logf("%s: %s; %s; lost %d, doubled %s", name, f.Load, f.Faults, f.Lost, f.Doubled)
	folder := os.Getenv(Folder)
	if folder == "" {
		return
	}
	row := Row{name, Scenarios()[i].Expectation, f.Load, f.Faults, f.Lost, f.Doubled, f.Seed, time.Now().UTC().Truncate(time.Second)}
	if err := row.write(folder); err != nil {
		t.Fatalf("evidence: %v", err)
	}
}

func (r Row) write(folder string) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, fileName(r.Name)), append(line, '\n'), 0o644)
}

// fileName is a scenario's name as a file's.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name)) + ".json"
}

// Read gives the rows that a folder holds, by name of the scenario.
func Read(folder string) (map[string]Row, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, err
	}
	rows := map[string]Row{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var row Row
		if err := json.Unmarshal(data, &row); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		rows[row.Name] = row
	}
	return rows, nil
}
