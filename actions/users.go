package actions

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/skycrafters/responder"
)

// users is what the actions on IAM users have in common.
type users struct {
	open func(ctx context.Context) (IAMAPI, error)
	own  *identity
}

// at gives the user a call is about and a client for the event's account.
func (u users) at(ctx context.Context, call responder.Call) (userTarget, IAMAPI, error) {
	target, err := userParam(call)
	if err != nil {
		return userTarget{}, nil, err
	}
	if u.open == nil {
		return userTarget{}, nil, errNoAWS
	}
	if err := u.own.belongsTo(ctx, call.Account); err != nil {
		return userTarget{}, nil, err
	}
	api, err := u.open(ctx)
	if err != nil {
		return userTarget{}, nil, transientf("open IAM: %w", err)
	}
	return target, api, nil
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
