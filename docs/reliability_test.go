package docs

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/skycrafters/responder/internal/evidence"
)

// found is the part of reliability.md that is made from the last run of make
// test-faults.
var found = regexp.MustCompile(`(?s)(<!-- made from the last run: evidence -->\n).*?(<!-- end -->)`)

// TestEvidence: every scenario has its row, in order, with what is expected.
// With -update the figures become those of the last run; a scenario that it
// did not have keeps its own.
func TestEvidence(t *testing.T) {
	const page = "reliability.md"
	text := read(t, page)
	if !found.MatchString(text) {
		t.Fatalf("%s has no place for the evidence", page)
	}
	rows := map[string]evidence.Row{}
	if *update {
		var err error
		if rows, err = evidence.Read(root + "dist/faults"); err != nil {
			t.Fatal(err)
		}
	}
	var table [][]string
	for _, s := range evidence.Scenarios() {
		figures := figuresOf(text, s.Name)
		if row, ok := rows[s.Name]; ok {
			figures = cells(row)
		}
		table = append(table, append([]string{s.Name, s.Expectation}, figures...))
	}
	same(t, page, found.ReplaceAllStringFunc(text, func(whole string) string {
		m := found.FindStringSubmatch(whole)
		return m[1] + "\n" + strings.TrimSpace(tableOf(table)) + "\n\n" + m[2]
	}))
}

func tableOf(rows [][]string) string {
	return table([]string{"scenario", "what is expected", "load held", "faults injected", "lost", "doubled", "seed", "when"}, rows)
}

// cells are the figures of a row, as the table shows them.
func cells(r evidence.Row) []string {
	seed := ""
	if r.Seed > 0 {
		seed = fmt.Sprint(r.Seed)
	}
	return []string{r.Load, r.Faults, fmt.Sprint(r.Lost), r.Doubled, cmp.Or(seed, "–"), r.When.Format("2006-01-02")}
}

// figuresOf are the figures that the page shows of a scenario.
func figuresOf(page, name string) []string {
	for line := range strings.Lines(page) {
		row := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if strings.TrimSpace(row[0]) == name && len(row) == 8 {
			row[7] = strings.TrimSpace(row[7])
			return row[2:]
		}
	}
	return []string{"not run yet", "", "", "", "", ""}
}
