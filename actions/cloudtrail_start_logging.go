package actions

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/skycrafters/responder"
)

// cloudTrailStartLogging has a trail record again that somebody stopped.
type cloudTrailStartLogging struct{ *access }

var _ repair = (*cloudTrailStartLogging)(nil)

const trailARN = "arn:${AWS::Partition}:cloudtrail:*:${AWS::AccountId}:trail/"

var trailActions = []string{"cloudtrail:GetTrail", "cloudtrail:GetTrailStatus", "cloudtrail:ListTags", "cloudtrail:StartLogging"}

// Spec implements responder.Action.
func (a *cloudTrailStartLogging) Spec() responder.Spec {
	return responder.Spec{
		Name: "CloudTrailStartLogging",
		Kind: responder.Repair,
		Doc:  "Starts a trail of the event's account that was stopped. A trail that was deleted, or whose selectors or bucket were changed, it does not bring back.",
		Params: []responder.Param{
			{Name: "trail", Type: responder.TextParam, Required: true, Doc: "The trail's name, looked for in the event's region, or its ARN."},
		},
		Result: map[string]string{
			"trail":   "the trail's ARN",
			"already": "true if the trail was logging",
		},
		Permissions: []responder.Permission{{Actions: trailActions, Resources: []string{trailARN + "*"}}},
		Inverse:     "Nothing: no repair stops a trail.",
	}
}

// trailTarget is the trail that a step is about.
type trailTarget struct {
	name   string
	said   string // the name or the ARN, as the step says it
	region string // where to ask for it
}

// The forms of a trail. https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_StartLogging.html
var (
	trailName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,126}[A-Za-z0-9]$`)
	trailLike = regexp.MustCompile(`^arn:aws[a-z-]*:cloudtrail:[a-z0-9-]+:[0-9]{12}:trail/[A-Za-z0-9][A-Za-z0-9._-]{1,126}[A-Za-z0-9]$`)
	trailForm = regexp.MustCompile(trailName.String() + "|" + trailLike.String())
)

// trailParam reads the parameter `trail`. The ARN of another account's trail is
// *Permanent: in a member account an organization's trail is not to be started.
func trailParam(call responder.Call) (trailTarget, error) {
	trail, err := textTarget(call, "trail", trailForm)
	if err != nil {
		return trailTarget{}, err
	}
	if trailName.MatchString(trail) {
		region, err := regionTarget(call)
		return trailTarget{trail, trail, region}, err
	}
	named, err := arn.Parse(trail)
	switch {
	case err != nil || !regionName.MatchString(named.Region):
		return trailTarget{}, permanentf("no target: trail %s", malformed(trail))
	case named.AccountID != call.Account:
		return trailTarget{}, permanentf("the trail is of account %s, but the event of account %s", named.AccountID, cut(inline(call.Account), 32))
	}
	return trailTarget{strings.TrimPrefix(named.Resource, "trail/"), trail, named.Region}, nil
}

// foundTrail is the trail that a call is about, as CloudTrail knows it now.
type foundTrail struct {
	name   string
	arn    arn.ARN      // its region is the trail's home region, where alone it can be started
	trail  *types.Trail // nil: there is none
	status *cloudtrail.GetTrailStatusOutput
	api    CloudTrailAPI // in the home region
}

// logging reports whether the trail is there and records.
func (f foundTrail) logging() bool { return f.trail != nil && aws.ToBool(f.status.IsLogging) }

// find looks for the trail that a call is about, and at it in its home region: a
// trail of many regions is seen in all of them.
func (a *cloudTrailStartLogging) find(ctx context.Context, call responder.Call) (foundTrail, error) {
	target, err := trailParam(call)
	if err != nil {
		return foundTrail{}, err
	}
	api, err := client(ctx, a.access, a.aws.CloudTrail, a, call, target.region)
	if err != nil {
		return foundTrail{}, err
	}
	out, err := api.GetTrail(ctx, &cloudtrail.GetTrailInput{Name: &target.said})
	switch {
	case hasCode(err, "TrailNotFoundException"):
		return foundTrail{name: target.name}, nil
	case err != nil:
		return foundTrail{}, awsError("cloudtrail:GetTrail", err, reads)
	case out.Trail == nil:
		return foundTrail{}, transientf("cloudtrail:GetTrail: the answer holds no trail")
	}
	found := foundTrail{name: target.name, trail: out.Trail, api: api}
	found.arn, err = arn.Parse(aws.ToString(out.Trail.TrailARN))
	switch {
	case err != nil || !regionName.MatchString(found.arn.Region):
		return foundTrail{}, transientf("cloudtrail:GetTrail: the answer holds no ARN of a trail")
	case found.arn.AccountID != call.Account:
		return foundTrail{}, permanentf("trail %s is of account %s: it can be started there alone", target.name, found.arn.AccountID)
	}
	if found.arn.Region != target.region {
		if found.api, err = client(ctx, a.access, a.aws.CloudTrail, a, call, found.arn.Region); err != nil {
			return foundTrail{}, err
		}
	}
	found.status, err = found.api.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: out.Trail.TrailARN})
	switch {
	case hasCode(err, "TrailNotFoundException"): // gone meanwhile
		return foundTrail{name: target.name}, nil
	case err != nil:
		return foundTrail{}, awsError("cloudtrail:GetTrailStatus", err, reads)
	}
	return found, nil
}

// Do implements responder.Action. It can be repeated.
func (a *cloudTrailStartLogging) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	found, err := a.find(ctx, call)
	switch {
	case err != nil:
		return nil, err
	case found.trail == nil:
		return nil, permanentf("there is no trail %s (any more): it cannot be started", found.name)
	case found.logging():
		return responder.Result{"trail": found.arn.String(), "already": true}, nil
	}
	if _, err := found.api.StartLogging(ctx, &cloudtrail.StartLoggingInput{Name: found.trail.TrailARN}); err != nil {
		return nil, awsError("cloudtrail:StartLogging", err, mutates)
	}
	return responder.Result{"trail": found.arn.String()}, nil
}

// Verify implements responder.Verifier: done if the trail is logging.
func (a *cloudTrailStartLogging) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	found, err := a.find(ctx, call)
	return verdict(found.logging(), err)
}

// Survey implements responder.Surveyor.
func (a *cloudTrailStartLogging) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	found, err := a.find(ctx, call)
	if err != nil || found.trail == nil {
		return responder.Survey{}, err
	}
	tags, err := found.api.ListTags(ctx, &cloudtrail.ListTagsInput{ResourceIdList: []string{found.arn.String()}})
	if err != nil {
		return responder.Survey{}, awsError("cloudtrail:ListTags", err, reads)
	}
	target := responder.Target{ARN: found.arn.String(), Account: call.Account, Region: found.arn.Region}
	for _, resource := range tags.ResourceTagList {
		for _, tag := range resource.TagsList {
			if target.Tags == nil {
				target.Tags = map[string]string{}
			}
			target.Tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
		}
	}
	survey := responder.Survey{Targets: []responder.Target{target}, Found: map[string]any{
		"logging":      found.logging(),
		"multi_region": aws.ToBool(found.trail.IsMultiRegionTrail),
		"bucket":       aws.ToString(found.trail.S3BucketName),
	}}
	if stopped := found.status.StopLoggingTime; stopped != nil && !found.logging() {
		survey.Found["stopped"] = stopped.UTC().Format(time.RFC3339)
	}
	if failed := aws.ToString(found.status.LatestDeliveryError); failed != "" {
		survey.Found["delivery_error"] = cut(inline(failed), maxAWSMessage)
	}
	if !found.logging() {
		survey.Lasting = []string{"that the trail logs: no repair stops it"}
	}
	return survey, nil
}

// Needs implements responder.Narrower. The region is not narrowed: it is the
// trail's home region that counts, which is not known before it is looked.
func (a *cloudTrailStartLogging) Needs(call responder.Call) []responder.Permission {
	target, err := trailParam(call)
	if err != nil {
		return nil // Do refuses it
	}
	return []responder.Permission{{Actions: trailActions, Resources: []string{trailARN + target.name}}}
}

// Describe implements responder.Describer.
func (a *cloudTrailStartLogging) Describe(call responder.Call) string {
	return "start trail " + inline(plain(call.Params["trail"]))
}
