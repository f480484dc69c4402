package main

import (
	"path"
	"slices"
	"strings"
	"testing"
)

func TestOwnResources(t *testing.T) {
	own := ownResources("watch", []string{"arn:aws:iam::111122223333:role/watch-dispatch-eu-west-1", "arn:aws:iam::111122223333:role/watch-ingest-eu-west-1", "nonsense"})
	if !slices.Contains(own, "arn:*:sqs:*:111122223333:watch-*") || !slices.Contains(own, "arn:*:iam::111122223333:role/watch-dispatch-*") {
		t.Errorf("%v", own)
	}
	seen := map[string]bool{}
	for _, pattern := range own {
		if seen[pattern] || !strings.Contains(pattern, "111122223333") || strings.Contains(pattern, "%!") {
			t.Errorf("%s", pattern)
		}
		seen[pattern] = true
	}
	own = ownResources("responder", []string{"arn:aws:iam::111122223333:role/responder-dispatch-eu-west-1"})
	for _, function := range []string{"ingest", "detect", "dispatch", "approve"} {
		if !slices.Contains(own, "arn:*:lambda:*:111122223333:function:responder-"+function) {
			t.Errorf("%s is not our own: %v", function, own)
		}
	}
	for _, pattern := range own { // what flows hand over to
		if fits, err := path.Match(pattern, "arn:aws:lambda:eu-west-1:111122223333:function:responder-action-contain"); fits || err != nil {
			t.Errorf("%s fits what is not our own, %v", pattern, err)
		}
	}
	if got := ownResources("watch", nil); len(got) != 0 {
		t.Errorf("of nobody's account: %v", got)
	}
}
