package responder_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

func TestPlaceCheck(t *testing.T) {
	for _, region := range []string{"us-east-1", "ap-southeast-7", "us-gov-west-1", "cn-northwest-1", "eusc-de-east-1", "us-isob-east-1", "mx-central-1"} {
		if err := (responder.Place{Account: "012345670123", Region: region}).Check(); err != nil {
			t.Errorf("%s: %v", region, err)
		}
	}
	for _, bad := range []responder.Place{
		{}, {"012345670123", ""}, {"", "us-east-1"}, {"12345670123", "us-east-1"}, {"0123456701234", "us-east-1"}, {"01234567012x", "us-east-1"},
		{"012345670123", "us-east"}, {"012345670123", "us-east-1\n"}, {"012345670123", "US-EAST-1"}, {"012345670123", "us-east-1/x"}, {"012345670123", "us_east_1"},
		{"012345670123", "us-east-123"}, {"012345670123", "a-very-long-name-of-nothing-1"}, {"٠١٢٣٤٥٦٧٨٩٠١", "us-east-1"},
	} {
		if bad.Check() == nil {
			t.Errorf("%q is taken for a place", bad)
		}
	}
}

func TestDark(t *testing.T) {
	now := time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)
	place := func(region string) responder.Place { return responder.Place{Account: "012345670123", Region: region} }
	dark := responder.Dark(map[responder.Place]time.Time{
		place("us-east-1"): now, place("us-east-2"): now.Add(time.Second - responder.DarkAfter),
		place("us-west-1"): now.Add(-responder.DarkAfter), place("us-west-2"): now.Add(-240 * time.Hour), place("eu-west-1"): now.Add(time.Hour),
	}, now)
	want := map[responder.Place]time.Time{place("us-west-1"): now.Add(-responder.DarkAfter), place("us-west-2"): now.Add(-240 * time.Hour)}
	if !maps.Equal(dark, want) {
		t.Errorf("dark are %v, want %v", slices.Collect(maps.Keys(dark)), slices.Collect(maps.Keys(want)))
	}
}
