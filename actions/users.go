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

// userARNs are the ARNs that a user of a name can have: with a path or without.
// Names are unique in an account, whatever the path.
func userARNs(name string) []string {
	const users = "arn:${AWS::Partition}:iam::${AWS::AccountId}:user/"
	return []string{users + name, users + "*/" + name}
}

// needs gives the permission of a call about one user: actions on that user.
func (u users) needs(call responder.Call, actions ...string) []responder.Permission {
	target, err := userParam(call)
	if err != nil {
		return nil // Do refuses it
	}
	return []responder.Permission{{Actions: actions, Resources: userARNs(target.name)}}
}

// foundUser is the user that a call is about, as IAM knows it now.
type foundUser struct {
	userTarget
	user    *types.User // nil: there is none any more, or another has its name
	another bool        // a new user has the name of the one that is meant
	api     IAMAPI
}

// find looks for the user that a call of an action is about.
func (u users) find(ctx context.Context, by responder.Action, call responder.Call) (foundUser, error) {
	target, api, err := u.at(ctx, by, call)
	if err != nil {
		return foundUser{}, err
	}
	found := foundUser{userTarget: target, api: api}
	found.user, err = findUser(ctx, api, target.name)
	if err == nil && found.user != nil && target.isAnother(found.user) {
		found.user, found.another = nil, true
	}
	return found, err
}

// gone gives what Do does where the user is not there: a success, unless a new
// user has the name, who is left alone.
func (f foundUser) gone() (responder.Result, error) {
	if f.another {
		return nil, errAnotherUser(f.userTarget)
	}
	return responder.Result{"user": f.name, "already": true}, nil
}

// params are the parameters that mean this user and no other.
func (f foundUser) params() map[string]any {
	return map[string]any{"user": f.name, "id": aws.ToString(f.user.UserId)}
}

// survey begins a survey: of the user, or of nothing where there is none.
func (f foundUser) survey(call responder.Call) responder.Survey {
	if f.user == nil {
		return responder.Survey{}
	}
	return responder.Survey{
		Targets: []responder.Target{{ARN: aws.ToString(f.user.Arn), Account: call.Account, Tags: iamTags(f.user.Tags)}},
		Found:   map[string]any{},
	}
}

// iamTags gives tags as a map, nil if there are none.
func iamTags(tags []types.Tag) map[string]string {
	if len(tags) == 0 {
		return nil
	}
	named := map[string]string{}
	for _, tag := range tags {
		named[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return named
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

// userParams are the parameters that name a user.
func userParams() []responder.Param {
	return []responder.Param{
		{Name: "user", Type: responder.TextParam, Required: true, Doc: "The user's name."},
		{Name: "id", Type: responder.TextParam, Doc: "The user's unique id (AIDA…); if given, a new user of the same name is left alone."},
	}
}
