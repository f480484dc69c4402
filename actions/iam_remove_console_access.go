package actions

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/skycrafters/responder"
)

type loginProfileAPI interface {
	GetLoginProfile(context.Context, *iam.GetLoginProfileInput, ...func(*iam.Options)) (*iam.GetLoginProfileOutput, error)
}

// iamRemoveConsoleAccess takes a user's password.
type iamRemoveConsoleAccess struct{ users }

var _ repair = (*iamRemoveConsoleAccess)(nil)

var consoleActions = []string{"iam:GetUser", "iam:GetLoginProfile", "iam:DeleteLoginProfile"}

// Spec implements responder.Action.
func (a *iamRemoveConsoleAccess) Spec() responder.Spec {
	return responder.Spec{
		Name: "IAMRemoveConsoleAccess",
		Kind: responder.Repair,
		Doc: "Deletes the password of an IAM user of the event's account, so that nobody can sign in to the console with it. MFA devices and access keys stay; " +
			"who is signed in stays so until the session ends (IAMQuarantineUser stops them, too).",
		Params: userParams(),
		Result: map[string]string{
			"user":    "the user's name",
			"removed": "true if this attempt deleted the password",
			"already": "true if there was no password, or no such user any more",
		},
		Permissions: []responder.Permission{{Actions: consoleActions, Resources: []string{userARN}}},
		Inverse:     "Nothing: nobody knows the password that was; give the user a new one.",
	}
}

// Do implements responder.Action. It can be repeated.
func (a *iamRemoveConsoleAccess) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	found, err := a.find(ctx, a, call)
	switch {
	case err != nil:
		return nil, err
	case found.user == nil:
		return found.gone()
	}
	_, err = found.api.DeleteLoginProfile(ctx, &iam.DeleteLoginProfileInput{UserName: &found.name})
	switch {
	case hasCode(err, "NoSuchEntity"):
		return responder.Result{"user": found.name, "already": true}, nil
	case err != nil:
		return nil, awsError("iam:DeleteLoginProfile", err, mutates)
	}
	return responder.Result{"user": found.name, "removed": true}, nil
}

// Verify implements responder.Verifier: done if the user has no password.
func (a *iamRemoveConsoleAccess) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	found, err := a.find(ctx, a, call)
	if err != nil || found.user == nil {
		return verdict(true, err)
	}
	profile, err := loginProfile(ctx, found.api, found.name)
	return verdict(profile == nil, err)
}

// Survey implements responder.Surveyor.
func (a *iamRemoveConsoleAccess) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	found, err := a.find(ctx, a, call)
	if err != nil || found.user == nil {
		return responder.Survey{}, err
	}
	profile, err := loginProfile(ctx, found.api, found.name)
	if err != nil {
		return responder.Survey{}, err
	}
	survey := found.survey(call)
	survey.Found["password"] = profile != nil
	if profile != nil {
		survey.Lasting = []string{"the user's password"}
		if profile.CreateDate != nil {
			survey.Found["password_created"] = profile.CreateDate.UTC().Format(time.RFC3339)
		}
	}
	return survey, nil
}

// Needs implements responder.Narrower.
func (a *iamRemoveConsoleAccess) Needs(call responder.Call) []responder.Permission {
	return a.needs(call, consoleActions...)
}

// Describe implements responder.Describer.
func (a *iamRemoveConsoleAccess) Describe(call responder.Call) string {
	return "delete the password of user " + inline(plain(call.Params["user"]))
}

// loginProfile gives what IAM knows of a user's password, nil if there is none.
func loginProfile(ctx context.Context, api loginProfileAPI, user string) (*types.LoginProfile, error) {
	out, err := api.GetLoginProfile(ctx, &iam.GetLoginProfileInput{UserName: &user})
	switch {
	case hasCode(err, "NoSuchEntity"):
		return nil, nil
	case err != nil:
		return nil, awsError("iam:GetLoginProfile", err, reads)
	case out.LoginProfile == nil:
		return nil, transientf("iam:GetLoginProfile: the answer holds no login profile")
	}
	return out.LoginProfile, nil
}
