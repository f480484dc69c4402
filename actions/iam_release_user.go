package actions

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/skycrafters/responder"
)

// iamReleaseUser takes a user out of quarantine.
type iamReleaseUser struct{ users }

var _ repair = (*iamReleaseUser)(nil)

var releaseActions = []string{"iam:GetUser", "iam:GetUserPolicy", "iam:DeleteUserPolicy"}

// Spec implements responder.Action.
func (a *iamReleaseUser) Spec() responder.Spec {
	return responder.Spec{
		Name:   "IAMReleaseUser",
		Kind:   responder.Repair,
		Doc:    "Takes an IAM user of the event's account out of the quarantine that IAMQuarantineUser put it in: deletes the inline policy " + quarantineName + ".",
		Params: userParams(),
		Result: map[string]string{
			"user":     "the user's name",
			"released": "true if this attempt deleted the policy",
			"already":  "true if there was no such policy, or no such user any more",
			"policy":   "the policy's name",
		},
		Permissions: []responder.Permission{{Actions: releaseActions, Resources: []string{userARN}}},
		Inverse:     "IAMQuarantineUser.",
		Undo:        []string{"IAMQuarantineUser"},
	}
}

// Do implements responder.Action. It can be repeated.
func (a *iamReleaseUser) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	found, err := a.find(ctx, a, call)
	switch {
	case err != nil:
		return nil, err
	case found.user == nil:
		return found.gone()
	}
	_, err = found.api.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: &found.name, PolicyName: aws.String(quarantineName)})
	switch {
	case hasCode(err, "NoSuchEntity"):
		return responder.Result{"user": found.name, "policy": quarantineName, "already": true}, nil
	case err != nil:
		return nil, awsError("iam:DeleteUserPolicy", err, mutates)
	}
	return responder.Result{"user": found.name, "policy": quarantineName, "released": true}, nil
}

// Verify implements responder.Verifier: done if there is no policy of that name.
func (a *iamReleaseUser) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	found, err := a.quarantine(ctx, a, call)
	return verdict(found.policy == "", err)
}

// Survey implements responder.Surveyor.
func (a *iamReleaseUser) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	found, err := a.quarantine(ctx, a, call)
	if err != nil {
		return responder.Survey{}, err
	}
	survey := found.survey(call)
	if found.is() {
		survey.Undo = found.undo("IAMQuarantineUser")
	}
	return survey, nil
}

// Needs implements responder.Narrower.
func (a *iamReleaseUser) Needs(call responder.Call) []responder.Permission {
	return a.needs(call, releaseActions...)
}

// Describe implements responder.Describer.
func (a *iamReleaseUser) Describe(call responder.Call) string {
	return "release user " + inline(plain(call.Params["user"])) + " from quarantine"
}
