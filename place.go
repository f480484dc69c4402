package responder

import (
	"fmt"
	"regexp"
	"time"
)

// Place is where events come from: one region of one account.
type Place struct{ Account, Region string }

// DarkAfter is how long a place is unheard before it counts as dark: two of its
// canaries, which sing every 15 minutes, are missing then, and a third has had
// ten minutes to arrive.
const DarkAfter = 40 * time.Minute

// What account ids and names of regions look like: "us-gov-west-1" is the
// longest form there is, and the bound leaves room for more.
var (
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
	regionForm  = regexp.MustCompile(`^[a-z]{2,8}(-[a-z]{1,16}){1,3}-[0-9]{1,2}$`)
)

// Check refuses what cannot be a place on AWS.
func (p Place) Check() error {
	if !accountForm.MatchString(p.Account) {
		return fmt.Errorf("place: %.40q is no account: 12 digits are wanted", p.Account)
	}
	if !regionForm.MatchString(p.Region) {
		return fmt.Errorf("place: %.40q is no region such as us-east-1", p.Region)
	}
	return nil
}

// String gives "ACCOUNT/REGION".
func (p Place) String() string { return p.Account + "/" + p.Region }

// Dark gives the places of a Heartbeats.Beats that are unheard for DarkAfter or
// longer, and when each was heard last.
func Dark(beats map[Place]time.Time, now time.Time) map[Place]time.Time {
	dark := map[Place]time.Time{}
	for place, heard := range beats {
		if now.Sub(heard) >= DarkAfter {
			dark[place] = heard
		}
	}
	return dark
}
