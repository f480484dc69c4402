package actions

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/skycrafters/responder"
)

// iamUserExists asks whether an IAM user is still there.
type iamUserExists struct{ users }

var (
	_ responder.Action   = (*iamUserExists)(nil)
	_ responder.Narrower = (*iamUserExists)(nil)
)

// Spec implements responder.Action.
func (a *iamUserExists) Spec() responder.Spec {
	return responder.Spec{
		Name: "IAMUserExists",
		Kind: responder.Check,
		Doc:  "Goes on if the IAM user still exists in the event's account.",
		Params: []responder.Param{
			{Name: "user", Type: responder.TextParam, Required: true, Doc: "The user's name."},
			{Name: "id", Type: responder.TextParam, Doc: "The user's unique id (AIDA…); if given, a new user of the same name does not count."},
		},
		Result: map[string]string{
			"user":    "the user's name",
			"id":      "the user's unique id",
			"created": "when the user was created, in RFC 3339",
		},
		Permissions: []responder.Permission{{Actions: []string{"iam:GetUser"}, Resources: []string{userARN}}},
	}
}

// Needs implements responder.Narrower.
func (a *iamUserExists) Needs(call responder.Call) []responder.Permission {
	return a.needs(call, "iam:GetUser")
}

// Do implements responder.Action.
func (a *iamUserExists) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	target, api, err := a.at(ctx, a, call)
	if err != nil {
		return nil, err
	}
	user, err := findUser(ctx, api, target.name)
	switch {
	case err != nil:
		return nil, err
	case user == nil:
		return nil, stopf("user %s no longer exists", target.name)
	case target.isAnother(user):
		return nil, stopf("user %s no longer exists; a new user has its name", target.name)
	}
	result := responder.Result{"user": target.name, "id": aws.ToString(user.UserId)}
	if user.CreateDate != nil {
		result["created"] = user.CreateDate.UTC().Format(time.RFC3339)
	}
	return result, nil
}
