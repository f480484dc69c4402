package main

import (
	"cmp"
	"encoding/csv"
	"slices"
	"strconv"
	"time"

	"github.com/skycrafters/responder"
)

// replaySeen is what came of a replay so far. Its size does not grow with what
// is read.
type replaySeen struct {
	records, skipped, matched, findings, ruleErrors, damaged int
	rules                                                    map[string]*ruleSeen
}

// ruleSeen is what a rule found.
type ruleSeen struct {
	severity          responder.Severity // the highest
	hits              int
	first, last       time.Time
	actors, addresses commonest
	over              histogram
}

func (s *replaySeen) add(j judged, f responder.Finding) {
	s.findings++
	of := s.rules[f.Rule]
	if of == nil {
		of = &ruleSeen{severity: f.Severity}
		s.rules[f.Rule] = of
	}
	of.hits++
	of.severity = max(of.severity, f.Severity)
	of.actors.add(j.who)
	of.addresses.add(j.address)
	if j.at.IsZero() {
		return
	}
	if of.first.IsZero() || j.at.Before(of.first) {
		of.first = j.at
	}
	if j.at.After(of.last) {
		of.last = j.at
	}
	of.over.add(j.at)
}

// replayReport is the summary of a replay. Its keys are a contract.
type replayReport struct {
	Events     int          `json:"events"`  // judged
	Skipped    int          `json:"skipped"` // outside --since and --until
	Matched    int          `json:"matched"` // events
	Findings   int          `json:"findings"`
	RuleErrors int          `json:"rule_errors"`
	Damaged    int          `json:"damaged"`  // files and records
	Complete   bool         `json:"complete"` // false if it was interrupted
	Seconds    float64      `json:"seconds"`
	Rules      []ruleReport `json:"rules"`           // those with findings, the most frequent first
	Flows      []flowReport `json:"flows,omitempty"` // with --flows: what they would have done
}

type ruleReport struct {
	Rule      string             `json:"rule"`
	Severity  responder.Severity `json:"severity"` // the highest
	Hits      int                `json:"hits"`
	First     time.Time          `json:"first,omitzero"`
	Last      time.Time          `json:"last,omitzero"`
	Actors    []common           `json:"actors"`    // the most frequent first
	Addresses []common           `json:"addresses"` // likewise
	Histogram *histogramReport   `json:"histogram,omitempty"`
}

// mostCommon is how many actors and addresses of a rule are told.
const mostCommon = 5

func (r *replay) report(took time.Duration, complete bool) replayReport {
	s := &r.seen
	report := replayReport{
		Events: s.records - s.skipped, Skipped: s.skipped, Matched: s.matched, Findings: s.findings,
		RuleErrors: s.ruleErrors, Damaged: s.damaged, Complete: complete, Seconds: took.Seconds(), Rules: []ruleReport{}, Flows: r.acted.report(),
	}
	for name, of := range s.rules {
		report.Rules = append(report.Rules, ruleReport{
			Rule: name, Severity: of.severity, Hits: of.hits, First: of.first, Last: of.last,
			Actors: of.actors.most(mostCommon), Addresses: of.addresses.most(mostCommon), Histogram: of.over.report(),
		})
	}
	slices.SortFunc(report.Rules, func(a, b ruleReport) int {
		return cmp.Or(cmp.Compare(b.Hits, a.Hits), cmp.Compare(a.Rule, b.Rule))
	})
	return report
}

// reportJSON writes the summary alone.
type reportJSON struct{ *app }

func (reportJSON) finding(judged, responder.Finding) error { return nil }
func (t reportJSON) end(report replayReport) error         { return t.printJSON(report) }

// reportCSV writes the summary alone, a row for each rule.
type reportCSV struct{ *csv.Writer }

// reportColumns are the heads of its table, a contract.
func reportColumns() []string {
	return []string{"rule", "severity", "hits", "first", "last", "actors", "addresses"}
}

func (reportCSV) finding(judged, responder.Finding) error { return nil }

func (t reportCSV) end(report replayReport) error {
	rows := [][]string{reportColumns()}
	for _, r := range report.Rules {
		rows = append(rows, cells(r.Rule, r.Severity.String(), strconv.Itoa(r.Hits), momentOrNone(r.First), momentOrNone(r.Last), listed(r.Actors), listed(r.Addresses)))
	}
	return t.WriteAll(rows)
}
