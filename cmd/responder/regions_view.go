package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/forwarders"
)

// fleetView shows what became of forwarders, as a table for people or a line of
// JSON a region.
type fleetView struct {
	*app
	now time.Time
	dry bool // what is shown would be done, and was not

	// Of status; nil: the rest is not known.
	heard      map[responder.Place]time.Time
	account    string
	template   string // digest of this version's template
	keyVersion string // of the key in force
}

// regionJSON is a region as `--format json` gives it.
type regionJSON struct {
	Region   string `json:"region"`
	State    string `json:"state,omitempty"`   // CloudFormation's word; none: no forwarder
	Did      string `json:"did,omitempty"`     // created, recreated, updated, unchanged, removed, none, failed, underway, notbegun
	DryRun   bool   `json:"dry_run,omitempty"` // Did would be done
	Note     string `json:"note,omitempty"`
	Cause    string `json:"cause,omitempty"`
	Via      string `json:"via,omitempty"`
	Template string `json:"template,omitempty"` // current, outdated, or unknown
	Key      string `json:"key,omitempty"`      // likewise
	Heard    string `json:"heard,omitempty"`    // RFC 3339; none: never
	Dark     bool   `json:"dark,omitempty"`
	Stack    string `json:"stack,omitempty"` // its ARN
	Changed  string `json:"changed,omitempty"`
}

// show shows all regions.
func (v fleetView) show(results []forwarders.Result) error {
	if v.format == "json" {
		for _, r := range results {
			if err := v.printJSON(v.object(r)); err != nil {
				return err
			}
		}
		return nil
	}
	return v.table(results)
}

func (v fleetView) object(r forwarders.Result) regionJSON {
	o := regionJSON{
		Region: r.Region, State: string(r.Stack.State), Did: string(r.Did), DryRun: v.dry, Note: r.Note,
		Via: r.Stack.Parameters["Via"], Stack: r.Stack.ID, Changed: inRFC3339(r.Stack.Changed),
	}
	if r.Err != nil {
		o.Cause = r.Err.Error()
	}
	if v.heard != nil {
		if r.Did != forwarders.Failed {
			o.Did = ""
		}
		o.Heard, o.Dark = inRFC3339(v.heardOf(r)), v.dark(r)
		o.Template, o.Key = v.origin(r)
	}
	return o
}

func inRFC3339(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// table shows a line a region, and below it what does not fit into one.
func (v fleetView) table(results []forwarders.Result) error {
	p := v.paint()
	var b strings.Builder
	status := v.heard != nil
	title := "WHAT HAPPENED"
	if status {
		title = "HEARD"
	} else if v.dry {
		title = "WOULD BE"
	}
	fmt.Fprintf(&b, "%s\n", p.bold(fmt.Sprintf("%-15s %-24s %s", "REGION", "STATE", title)))
	for _, r := range results {
		last := v.did(p, r)
		if status {
			last = v.voice(p, r)
		}
		fmt.Fprintf(&b, "%-15s %s %s\n", r.Region, v.state(p, r), last)
		if r.Err != nil {
			fmt.Fprintf(&b, "  %s\n", p.red(line(r.Err.Error(), 500)))
		}
		if r.Note != "" {
			fmt.Fprintf(&b, "  %s\n", p.faint(line(r.Note, 300)))
		}
		if note := v.drift(r); note != "" {
			fmt.Fprintf(&b, "  %s\n", p.yellow(note))
		}
	}
	fmt.Fprintln(&b, v.sum(results))
	_, err := io.WriteString(v.stdout, b.String())
	return err
}

// stateWidth holds all states but the rarest.
const stateWidth = 24

func (v fleetView) state(p paint, r forwarders.Result) string {
	state := cmp.Or(string(r.Stack.State), "-")
	text := fmt.Sprintf("%-*s", stateWidth, state)
	switch {
	case !r.Stack.Exists():
		return p.faint(text)
	case r.Stack.Complete():
		return p.green(text)
	case r.Stack.Busy():
		return p.yellow(text)
	}
	return p.red(text)
}

// didWords are what is shown of what was done, and of what would be.
var didWords = map[forwarders.Did]struct{ done, planned string }{
	forwarders.Created:   {"created", "created"},
	forwarders.Recreated: {"created again", "deleted and created again"},
	forwarders.Updated:   {"updated", "updated"},
	forwarders.Unchanged: {"unchanged", "unchanged"},
	forwarders.Removed:   {"removed", "removed"},
	forwarders.None:      {"none", "none"},
	forwarders.Failed:    {"failed", "unknown"},
	forwarders.UnderWay:  {"under way", "under way"},
	forwarders.NotBegun:  {"not begun", "not begun"},
}

func (v fleetView) did(p paint, r forwarders.Result) string {
	words := didWords[r.Did]
	text := words.done
	if v.dry {
		text = words.planned
	}
	switch r.Did {
	case forwarders.Failed:
		return p.red(text)
	case forwarders.UnderWay, forwarders.NotBegun:
		return p.yellow(text)
	case forwarders.None, forwarders.Unchanged:
		return p.faint(text)
	}
	return p.green(text)
}

// heardOf is when a region was last heard; zero: never.
func (v fleetView) heardOf(r forwarders.Result) time.Time {
	return v.heard[responder.Place{Account: v.account, Region: r.Region}]
}

// dark reports whether a region should be heard and is not.
func (v fleetView) dark(r forwarders.Result) bool {
	heard := v.heardOf(r)
	if heard.IsZero() {
		return r.Stack.Exists() && v.silent(r.Stack.Changed)
	}
	return v.silent(heard)
}

// silent reports whether a moment is so long ago that a canary is missing.
func (v fleetView) silent(since time.Time) bool { return v.now.Sub(since) >= responder.DarkAfter }

// voice says when a region was last heard.
func (v fleetView) voice(p paint, r forwarders.Result) string {
	heard := v.heardOf(r)
	switch {
	case !heard.IsZero() && v.dark(r):
		return p.red(v.darkSince(heard))
	case !heard.IsZero():
		return p.green("heard " + v.ago(heard))
	case r.Did == forwarders.Failed && !r.Stack.Exists():
		return p.red("could not be looked at")
	case !r.Stack.Exists():
		return p.faint("no forwarder")
	case v.dark(r):
		return p.red("never heard (deployed " + v.ago(r.Stack.Changed) + ")")
	}
	return p.yellow("never heard (deployed " + v.ago(r.Stack.Changed) + ")")
}

func (v fleetView) darkSince(heard time.Time) string {
	return fmt.Sprintf("dark since %s (%s)", heard.UTC().Format("2006-01-02 15:04 UTC"), v.ago(heard))
}

// ago is a time before now in words.
func (v fleetView) ago(t time.Time) string {
	switch d := v.now.Sub(t); {
	case d < time.Minute:
		return "just now"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days ago", int(d.Hours()/24))
	}
}

// origin says whether a forwarder is of this version's template, and of the key
// in force: current, outdated, unknown (deployed by other means), or "".
func (v fleetView) origin(r forwarders.Result) (template, key string) {
	if v.heard == nil || !r.Stack.Complete() {
		return "", ""
	}
	judge := func(has, want string) string {
		switch has {
		case want:
			return "current"
		case "":
			return "unknown"
		}
		return "outdated"
	}
	template = judge(r.Stack.Template, v.template)
	if r.Stack.Parameters["Via"] == forwarders.ViaAPI {
		key = judge(r.Stack.KeyVersion, v.keyVersion)
	}
	return template, key
}

// drift says in what a forwarder is behind.
func (v fleetView) drift(r forwarders.Result) string {
	template, key := v.origin(r)
	var behind []string
	switch template {
	case "outdated":
		behind = append(behind, "made from another version's template")
	case "unknown":
		behind = append(behind, "not deployed by this command")
	}
	if key == "outdated" {
		behind = append(behind, "has not got the present key")
	}
	if len(behind) == 0 {
		return ""
	}
	return strings.Join(behind, "; ") + ": `responder regions deploy` brings it up to date"
}

// sum is the line below the table.
func (v fleetView) sum(results []forwarders.Result) string {
	n := map[string]int{}
	for _, r := range results {
		n[v.class(r)]++
	}
	var parts []string
	for _, class := range slices.Sorted(maps.Keys(n)) {
		parts = append(parts, fmt.Sprintf("%d %s", n[class], class))
	}
	return fmt.Sprintf("%s: %s", count(len(results), "region"), strings.Join(parts, ", "))
}

// class is what the line below the table counts a region as.
func (v fleetView) class(r forwarders.Result) string {
	switch {
	case v.heard == nil && v.dry:
		return didWords[r.Did].planned
	case v.heard == nil:
		return didWords[r.Did].done
	case r.Did == forwarders.Failed:
		return "failed"
	case v.dark(r):
		return "dark"
	case !v.heardOf(r).IsZero():
		return "heard"
	case r.Stack.Exists():
		return "not heard yet"
	}
	return "without a forwarder"
}

// troubles counts regions that somebody has to see to.
func (v fleetView) troubles(results []forwarders.Result) (failed, dark int) {
	for _, r := range results {
		switch v.class(r) {
		case "failed":
			failed++
		case "dark":
			dark++
		}
	}
	return failed, dark
}
