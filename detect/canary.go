package detect

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/lang"
)

// hear notes the beat of a canary. heard is false for any other event, which is
// evaluated.
//
// A canary is EventBridge's own event for a schedule, as the forwarder's rule
// sends it, with nothing put in:
//
//	{"source": "aws.events", "detail-type": "Scheduled Event", "account": A, "region": R,
//	 "time": T, "resources": ["arn:aws:events:R:A:rule/NAME"], "detail": {}, …}
//
// Through EventBridge only AWS can send that source. Over the API anybody can
// whose key may speak for the account: what that could do is to keep a place
// from turning dark, or to name one that is none of ours. A time in the future
// counts as now, so that no canary sings ahead.
func (d *Detector) hear(ctx context.Context, g glance) (heard bool, err error) {
	if d.Canary == "" || d.Heartbeats == nil || !g.canary {
		return false, nil
	}
	place, at, ok := canary(*g.event, d.Canary)
	if !ok {
		return false, nil
	}
	now := time.Now
	if d.Now != nil {
		now = d.Now
	}
	if present := now(); at.After(present) {
		at = present
	}
	if err := d.Heartbeats.Beat(ctx, place, at); err != nil {
		return true, fmt.Errorf("canary: %w", err)
	}
	return true, nil
}

// likeCanary is true of what canary has to look at.
func likeCanary() *lang.Program {
	program, problems := lang.Compile(lang.Plain(`event.source == "aws.events" && event["detail-type"] == "Scheduled Event"`), lang.Scope{Names: lang.EventNames()})
	if program == nil {
		panic(problems) // the expression stands above
	}
	return program
}

// canary reads an event of the schedule of that name: where it is, and when it sang.
func canary(event responder.Event, name string) (place responder.Place, at time.Time, ok bool) {
	body := event.Body
	detail, isObject := body["detail"].(map[string]any)
	if body["source"] != "aws.events" || body["detail-type"] != "Scheduled Event" || !isObject || len(detail) > 0 {
		return responder.Place{}, time.Time{}, false
	}
	place = responder.Place{Account: event.Account(), Region: event.Region()}
	resources, _ := body["resources"].([]any)
	if place.Check() != nil || len(resources) != 1 {
		return responder.Place{}, time.Time{}, false
	}
	arn, _ := resources[0].(string)
	parts := strings.SplitN(arn, ":", 3)
	if len(parts) != 3 || parts[0] != "arn" || !strings.HasPrefix(parts[1], "aws") || parts[2] != "events:"+place.Region+":"+place.Account+":rule/"+name {
		return responder.Place{}, time.Time{}, false
	}
	at, ok = event.Time()
	return place, at, ok
}
