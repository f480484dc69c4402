package actions

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/skycrafters/responder"
)

// iamQuarantineUser denies a user everything.
type iamQuarantineUser struct{ users }

var _ repair = (*iamQuarantineUser)(nil)

var quarantineActions = []string{"iam:GetUser", "iam:GetUserPolicy", "iam:PutUserPolicy"}

// Spec implements responder.Action.
func (a *iamQuarantineUser) Spec() responder.Spec {
	return responder.Spec{
		Name: "IAMQuarantineUser",
		Kind: responder.Repair,
		Doc: "Denies an IAM user of the event's account everything, by an inline policy of the name " + quarantineName + "; keys and password stay, and are good for nothing. " +
			"Roles that the user has assumed stay usable until their sessions end (IAMRevokeRoleSessions ends them).",
		Params: userParams(),
		Result: map[string]string{
			"user":        "the user's name",
			"quarantined": "true if this attempt put the policy in place",
			"already":     "true if the policy was in place, or there was no such user any more",
			"policy":      "the policy's name",
		},
		Permissions: []responder.Permission{{Actions: quarantineActions, Resources: []string{userARN}}},
		Inverse:     "IAMReleaseUser takes the policy away.",
		Undo:        []string{"IAMReleaseUser"},
	}
}

// Do implements responder.Action. It can be repeated.
func (a *iamQuarantineUser) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	found, err := a.quarantine(ctx, a, call)
	switch {
	case err != nil:
		return nil, err
	case found.user == nil:
		return found.gone()
	}
	result := responder.Result{"user": found.name, "policy": quarantineName}
	if found.is() {
		result["already"] = true
		return result, nil
	}
	_, err = found.api.PutUserPolicy(ctx, &iam.PutUserPolicyInput{
		UserName: &found.name, PolicyName: aws.String(quarantineName), PolicyDocument: aws.String(quarantinePolicy)})
	switch {
	case hasCode(err, "NoSuchEntity"): // the user is gone meanwhile
		return responder.Result{"user": found.name, "already": true}, nil
	case err != nil:
		return nil, awsError("iam:PutUserPolicy", err, mutates)
	}
	result["quarantined"] = true
	return result, nil
}

// Verify implements responder.Verifier: done if the policy is in place, as it
// must be, or the user is gone.
func (a *iamQuarantineUser) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	found, err := a.quarantine(ctx, a, call)
	return verdict(found.user == nil || found.is(), err)
}

// Survey implements responder.Surveyor.
func (a *iamQuarantineUser) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	found, err := a.quarantine(ctx, a, call)
	if err != nil {
		return responder.Survey{}, err
	}
	survey := found.survey(call)
	if found.user != nil && !found.is() {
		survey.Undo = found.undo("IAMReleaseUser")
	}
	return survey, nil
}

// Needs implements responder.Narrower.
func (a *iamQuarantineUser) Needs(call responder.Call) []responder.Permission {
	return a.needs(call, quarantineActions...)
}

// Describe implements responder.Describer.
func (a *iamQuarantineUser) Describe(call responder.Call) string {
	return "deny user " + inline(plain(call.Params["user"])) + " everything"
}
