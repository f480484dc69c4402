package actions

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/skycrafters/responder"
)

// users is what the actions on IAM users have in common.
type users struct{ *access }

// at gives the user that a call of an action is about, and a client for it.
func (u users) at(ctx context.Context, by responder.Action, call responder.Call) (userTarget, IAMAPI, error) {
	target, err := userParam(call)
	if err != nil {
		return userTarget{}, nil, err
	}
	api, err := client(ctx, u.access, u.aws.IAM, by, call, "")
	return target, api, err
}

// findUser gives the user of that name, nil if there is none.
func findUser(ctx context.Context, api IAMAPI, name string) (*types.User, error) {
	out, err := api.GetUser(ctx, &iam.GetUserInput{UserName: &name})
	switch {
	case hasCode(err, "NoSuchEntity"):
		return nil, nil
	case err != nil:
		return nil, awsError("iam:GetUser", err, reads)
	case out.User == nil:
		return nil, transientf("iam:GetUser: the answer holds no user")
	}
	return out.User, nil
}

// isAnother tells a user of the same name who is not the one that is meant.
func (t userTarget) isAnother(user *types.User) bool {
	return t.id != "" && aws.ToString(user.UserId) != t.id
}
