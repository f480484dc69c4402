package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// placeJSON is a place as `--format json` gives it.
type placeJSON struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Heard   string `json:"heard"`
	Dark    bool   `json:"dark,omitempty"`
	Did     string `json:"did,omitempty"`     // forgotten
	DryRun  bool   `json:"dry_run,omitempty"` // Did would be done
}

// placesOf gives the places that were heard and are chosen, sorted.
func placesOf(heard map[responder.Place]time.Time, chosen func(responder.Place) bool) []responder.Place {
	var places []responder.Place
	for place := range heard {
		if chosen(place) {
			places = append(places, place)
		}
	}
	slices.SortFunc(places, func(a, b responder.Place) int { return cmp.Compare(a.String(), b.String()) })
	return places
}

// others are the places that are heard from other accounts.
func (v fleetView) others() []responder.Place {
	return placesOf(v.heard, func(p responder.Place) bool { return p.Account != v.account })
}

// showOthers shows the places that are heard from other accounts.
func (v fleetView) showOthers() error {
	others := v.others()
	if len(others) == 0 {
		return nil
	}
	p := v.paint()
	return v.places("\n"+p.bold("Heard from other accounts")+"\n", others, placeJSON{}, func(heard time.Time) string {
		if v.silent(heard) {
			return p.red(v.darkSince(heard))
		}
		return p.green("heard " + v.ago(heard))
	})
}

// forgotten shows places that are forgotten.
func (v fleetView) forgotten(places []responder.Place) error {
	did := "forgotten"
	if v.dry {
		did = "would be forgotten"
	}
	return v.places("", places, placeJSON{Did: "forgotten", DryRun: v.dry}, func(heard time.Time) string {
		if v.silent(heard) {
			return did + ", " + v.darkSince(heard)
		}
		return did + ", heard " + v.ago(heard) + ": known again with its next canary, if it has a forwarder still"
	})
}

// places shows a line a place: its fields over those of all, or, below a title,
// what say makes of when it was heard.
func (v fleetView) places(title string, places []responder.Place, all placeJSON, say func(heard time.Time) string) error {
	var b strings.Builder
	b.WriteString(title)
	for _, place := range places {
		heard := v.heard[place]
		if v.format == "json" {
			all.Account, all.Region, all.Heard, all.Dark = place.Account, place.Region, inRFC3339(heard), v.silent(heard)
			if err := v.printJSON(all); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(&b, "%s %-15s %s\n", place.Account, place.Region, say(heard))
	}
	if v.format == "json" {
		return nil
	}
	_, err := io.WriteString(v.stdout, b.String())
	return err
}

// darkOthers says which other accounts' places are dark and what to do, or "".
func (v fleetView) darkOthers(stackName string) string {
	dark := placesOf(v.heard, func(p responder.Place) bool { return p.Account != v.account && v.silent(v.heard[p]) })
	if len(dark) == 0 {
		return ""
	}
	account := dark[0].Account
	if dark[len(dark)-1].Account != account {
		account = "ID"
	}
	return fmt.Sprintf("%d dark in other accounts (mend their forwarders; those that are gone for good: responder regions forget --stack %s --account %s)", len(dark), stackName, account)
}
