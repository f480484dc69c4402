package actions

import (
	"context"
	"encoding/json"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/skycrafters/responder"
)

// iamRevokeRoleSessions denies the sessions that a role has given out.
type iamRevokeRoleSessions struct{ roles }

var _ repair = (*iamRevokeRoleSessions)(nil)

var revokeActions = []string{"iam:GetRole", "iam:GetRolePolicy", "iam:PutRolePolicy"}

// revocationAhead is how far in the future `before` may be, which would deny
// sessions that are yet to begin: no more than clocks differ.
const revocationAhead = 5 * time.Minute

// Spec implements responder.Action.
func (a *iamRevokeRoleSessions) Spec() responder.Spec {
	return responder.Spec{
		Name: "IAMRevokeRoleSessions",
		Kind: responder.Repair,
		Doc: "Denies everything to all sessions of an IAM role of the event's account that were issued until now, by an inline policy of the name " + revocationName + ", " +
			"as the console's \"revoke active sessions\" does. Whoever may assume the role can do so anew; services that use it (instances, functions) are denied until their credentials are renewed.",
		Params: append(roleParams(), responder.Param{
			Name: "before", Type: responder.TextParam, Doc: "The moment before which sessions must have been issued to be denied, in RFC 3339; now if not given, and then never earlier than an earlier revocation says."}),
		Result: map[string]string{
			"role":    "the role's name",
			"before":  "the moment before which sessions are denied, in RFC 3339",
			"policy":  "the policy's name",
			"already": "true if sessions were denied so before, or there was no such role any more",
		},
		Permissions: []responder.Permission{{Actions: revokeActions, Resources: []string{roleARN}}},
		Inverse:     "IAMAllowRoleSessions takes the policy away, or the earlier revocation is put back; sessions that have not expired are good again.",
		Undo:        []string{"IAMAllowRoleSessions", "IAMRevokeRoleSessions"},
	}
}

// Do implements responder.Action. It can be repeated.
func (a *iamRevokeRoleSessions) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	before, exact, err := revokeParam(call)
	if err != nil {
		return nil, err
	}
	found, err := a.find(ctx, a, call)
	switch {
	case err != nil:
		return nil, err
	case found.role == nil:
		return found.gone()
	}
	if !exact {
		before = latest(call.Now.UTC().Truncate(time.Millisecond), before, found.before)
	}
	result := responder.Result{"role": found.name, "before": before.UTC().Format(revocationTime), "policy": revocationName}
	if found.before.Equal(before) {
		result["already"] = true
		return result, nil
	}
	_, err = found.api.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: &found.name, PolicyName: aws.String(revocationName), PolicyDocument: aws.String(revocation(before))})
	switch {
	case hasCode(err, "NoSuchEntity"): // the role is gone meanwhile
		return responder.Result{"role": found.name, "already": true}, nil
	case err != nil:
		return nil, awsError("iam:PutRolePolicy", err, mutates)
	}
	return result, nil
}

// revokeParam gives the moment of the parameter `before`, which is to be kept
// exactly; without it the least that a revocation must reach: the event's time.
func revokeParam(call responder.Call) (before time.Time, exact bool, err error) {
	value, given := call.Params["before"]
	if !given {
		return eventTime(call), false, nil
	}
	text, _ := value.(string)
	before, err = time.Parse(time.RFC3339, text)
	switch {
	case err != nil:
		return time.Time{}, false, permanentf("before is no time in RFC 3339")
	case before.After(call.Now.Add(revocationAhead)):
		return time.Time{}, false, permanentf("before is in the future: sessions that have not begun are not revoked")
	}
	return before.UTC().Truncate(time.Millisecond), true, nil
}

// eventTime gives when the event happened, zero if it does not say or says that
// it is yet to happen.
func eventTime(call responder.Call) time.Time {
	var event struct {
		Time time.Time `json:"time"`
	}
	if json.Unmarshal(call.Finding.Event, &event) != nil || event.Time.After(call.Now) {
		return time.Time{}
	}
	return event.Time.UTC().Truncate(time.Millisecond)
}

func latest(times ...time.Time) time.Time {
	var last time.Time
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// Verify implements responder.Verifier: done if sessions from before the moment
// are denied, or the role is gone. Where the step names no moment, that is the
// event's time: the session that it tells of is denied then.
func (a *iamRevokeRoleSessions) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	before, exact, err := revokeParam(call)
	if err != nil {
		return responder.VerdictUnknown, err
	}
	found, err := a.find(ctx, a, call)
	switch {
	case err != nil || found.role == nil:
		return verdict(true, err)
	case exact:
		return verdict(found.before.Equal(before), nil)
	}
	return verdict(!found.before.IsZero() && !found.before.Before(before), nil)
}

// Survey implements responder.Surveyor.
func (a *iamRevokeRoleSessions) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	if _, _, err := revokeParam(call); err != nil {
		return responder.Survey{}, err
	}
	found, err := a.find(ctx, a, call)
	if err != nil {
		return responder.Survey{}, err
	}
	survey := found.survey(call)
	switch {
	case found.role == nil:
	case found.before.IsZero():
		survey.Undo = found.undo("IAMAllowRoleSessions", nil)
	default:
		survey.Undo = found.undo("IAMRevokeRoleSessions", map[string]any{"before": found.before.UTC().Format(revocationTime)})
	}
	return survey, nil
}

// Needs implements responder.Narrower.
func (a *iamRevokeRoleSessions) Needs(call responder.Call) []responder.Permission {
	return a.needs(call, revokeActions...)
}

// Describe implements responder.Describer.
func (a *iamRevokeRoleSessions) Describe(call responder.Call) string {
	return "revoke the sessions of role " + inline(plain(call.Params["role"]))
}
