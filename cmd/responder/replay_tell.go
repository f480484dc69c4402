package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/lang"
)

// take counts and tells what came of a batch. It is called in the order of the
// records, by one goroutine.
func (r *replay) take(ctx context.Context, p *portion) error {
	r.progress.add(p.batch.Len())
	r.seen.records += p.records
	r.seen.skipped += p.skipped
	for _, j := range p.told {
		if j.damage != nil {
			r.progress.clear()
			r.seen.damaged++
			r.damages.tell(j.record, j.damage)
			continue
		}
		for _, e := range j.errors {
			r.progress.clear()
			r.seen.ruleErrors++
			if r.failed[e.Rule]++; r.failed[e.Rule] <= maxFailures {
				fmt.Fprintf(r.stderr, "rule error: %s: %s: %s\n", place(j.record), e.Rule, clean(e.Err.Error()))
			}
		}
		if len(j.findings) > 0 {
			r.seen.matched++
		}
		for _, f := range j.findings {
			r.seen.add(j, f)
			if !r.summaryOnly {
				r.progress.clear()
			}
			if err := r.teller.finding(j, f); err != nil {
				return err
			}
			if r.acted != nil {
				if err := r.acted.see(ctx, f); err != nil && ctx.Err() == nil {
					return err
				}
			}
		}
	}
	return nil
}

// maxFailures is how many failures of a rule are told one by one.
const maxFailures = 10

// tellFailures tells of the failures of rules that were not told one by one.
func (r *replay) tellFailures() {
	for _, rule := range slices.Sorted(maps.Keys(r.failed)) {
		if more := r.failed[rule] - maxFailures; more > 0 {
			fmt.Fprintf(r.stderr, "rule error: %s: %s\n", rule, count(more, "more failure"))
		}
	}
}

// replayTeller writes findings, and what there is to say at the end.
type replayTeller interface {
	finding(judged, responder.Finding) error
	end(replayReport) error
}

func (r *replay) newTeller() (replayTeller, error) {
	switch {
	case r.format == "json" && r.summaryOnly:
		return reportJSON{r.app}, nil
	case r.format == "json":
		return findingsJSON{r.app}, nil
	case r.format == "csv" && r.summaryOnly:
		return reportCSV{csv.NewWriter(r.stdout)}, nil
	case r.format == "csv":
		t := findingsCSV{csv.NewWriter(r.stdout)}
		return t, t.Write(findingColumns())
	}
	return replayText{r}, nil
}

// findingJSON is the line of a finding. Its keys are a contract.
type findingJSON struct {
	Rule      string             `json:"rule"`
	ID        string             `json:"id,omitempty"`
	Severity  responder.Severity `json:"severity"`
	Title     string             `json:"title"`
	Message   string             `json:"message"`
	Resources []string           `json:"resources"`
	Time      time.Time          `json:"time,omitzero"`
	Account   string             `json:"account,omitempty"`
	Region    string             `json:"region,omitempty"`
	EventID   string             `json:"event_id"`
	File      string             `json:"file"`
	Record    int                `json:"record"` // of the file, from 1
}

// findingsJSON writes findings alone, one a line.
type findingsJSON struct{ *app }

func (t findingsJSON) finding(j judged, f responder.Finding) error {
	return t.printJSON(findingJSON{f.Rule, f.ID, f.Severity, f.Title, f.Message, f.Resources, j.at, j.event.Account(), j.event.Region(), eventID(j.event), j.record.File, j.record.Number()})
}

func (findingsJSON) end(replayReport) error { return nil }

// findingsCSV writes findings alone, one a row.
type findingsCSV struct{ *csv.Writer }

// findingColumns are the heads of its table, a contract.
func findingColumns() []string {
	return []string{"time", "severity", "rule", "account", "region", "actor", "address", "message", "resources", "event_id", "file", "record"}
}

func (t findingsCSV) finding(j judged, f responder.Finding) error {
	return t.Write(cells(momentOrNone(j.at), f.Severity.String(), f.Rule, j.event.Account(), j.event.Region(), j.who, j.address,
		f.Message, strings.Join(f.Resources, " "), eventID(j.event), j.record.File, strconv.Itoa(j.record.Number())))
}

func (t findingsCSV) end(replayReport) error {
	t.Flush()
	return t.Error()
}

// cells makes texts of events harmless to what shows tables: a spreadsheet takes
// what begins with one of =+-@ for a formula, and runs it.
func cells(texts ...string) []string {
	for i, text := range texts {
		text = clean(text)
		if text != "" && strings.ContainsRune("=+-@\t", rune(text[0])) {
			text = "'" + text
		}
		texts[i] = text
	}
	return texts
}

// replayText is for people.
type replayText struct{ *replay }

func (t replayText) finding(j judged, f responder.Finding) error {
	if t.summaryOnly {
		return nil
	}
	p := t.paint()
	what, where := p.severity(f.Severity)+" "+moment(j.at)+"  ", place(j.record)
	if whole := fmt.Sprintf("%s%-28s %s  %s", what, f.Rule, line(f.Message, 70), p.faint(where)); t.fits(whole) {
		_, err := fmt.Fprintln(t.stdout, whole)
		return err
	}
	fmt.Fprintln(t.stdout, what+f.Rule)
	t.tell(under, line(f.Message, 200), uncoloured)
	_, err := fmt.Fprintln(t.stdout, under+p.faint(where)) // whole, for whoever takes it over
	return err
}

// under is where what belongs to a severity stands on a terminal that is narrow.
const under = "    "

func moment(t time.Time) string {
	if t.IsZero() {
		return "(no time)           "
	}
	return momentOrNone(t)
}

func momentOrNone(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// end tells what was seen of each rule.
func (t replayText) end(report replayReport) error {
	p := t.paint()
	told := fmt.Sprintf("%s · %d matched · %s", count(report.Events, "event"), report.Matched, count(report.Findings, "finding"))
	if report.RuleErrors > 0 {
		told += " · " + count(report.RuleErrors, "rule error")
	}
	if report.Damaged > 0 {
		told += " · " + damaged(report.Damaged) + " not read"
	}
	if report.Skipped > 0 {
		told += fmt.Sprintf(" · %d outside the time asked for", report.Skipped)
	}
	if report.Seconds > 0 && report.Events > 0 {
		told += fmt.Sprintf(" · %.0f events/s", float64(report.Events+report.Skipped)/report.Seconds)
	}
	t.tell("", told, p.bold)
	for _, rule := range report.Rules {
		t.tellRule(rule)
	}
	t.tellFlows(report.Flows)
	return nil
}

// tellRule tells what was seen of a rule.
func (t replayText) tellRule(rule ruleReport) {
	p := t.paint()
	indent := "                   "
	what, when := fmt.Sprintf("%s %7d  ", p.severity(rule.Severity), rule.Hits), fmt.Sprintf("first %s  last %s", moment(rule.First), moment(rule.Last))
	if whole := fmt.Sprintf("%s%-28s %s", what, rule.Rule, when); t.fits(whole) {
		fmt.Fprintln(t.stdout, whole)
	} else {
		indent = under
		fmt.Fprintln(t.stdout, what+rule.Rule)
		t.tell(indent, when, uncoloured)
	}
	if h := rule.Histogram; h != nil {
		if whole := indent + h.bars() + "  " + p.faint(h.scale()); t.fits(whole) {
			fmt.Fprintln(t.stdout, whole)
		} else {
			fmt.Fprintln(t.stdout, indent[:max(0, min(len(indent), columns(t.stdout)-len(h.Hits)))]+h.bars())
			t.tell(indent, h.scale(), p.faint)
		}
	}
	for _, most := range []struct {
		what string
		of   []common
	}{{"by", rule.Actors}, {"from", rule.Addresses}} {
		if len(most.of) > 0 {
			t.tell(indent, most.what+" "+listed(most.of), p.faint)
		}
	}
}

// listed gives "ann (3), bob (1)".
func listed(most []common) string {
	texts := make([]string, len(most))
	for i, c := range most {
		texts[i] = fmt.Sprintf("%s (%d)", line(lang.Format(c.Name), 100), c.Hits)
	}
	return strings.Join(texts, ", ")
}
