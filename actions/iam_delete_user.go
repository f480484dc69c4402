package actions

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/skycrafters/responder"
)

const (
	userARN  = "arn:${AWS::Partition}:iam::${AWS::AccountId}:user/*"
	groupARN = "arn:${AWS::Partition}:iam::${AWS::AccountId}:group/*"
	mfaARN   = "arn:${AWS::Partition}:iam::${AWS::AccountId}:mfa/*"
)

// iamDeleteUser deletes an IAM user with everything the user has.
type iamDeleteUser struct{ users }

var _ repair = (*iamDeleteUser)(nil)

// Spec implements responder.Action.
func (a *iamDeleteUser) Spec() responder.Spec {
	return responder.Spec{
		Name: "IAMDeleteUser",
		Kind: responder.Repair,
		Doc: "Deletes an IAM user of the event's account completely: password, access keys, MFA devices, certificates, SSH keys and " +
			"service credentials first, then groups, policies and the permissions boundary, then the user.",
		Params: userParams(),
		Result: map[string]string{
			"user":    "the user's name",
			"id":      "the user's unique id, if there was a user",
			"already": "true if there was no such user any more",
			"removed": "what this attempt took from the user: kind → ids or names",
		},
		Permissions: []responder.Permission{
			{Actions: deleteUserActions, Resources: []string{userARN}},
			{Actions: []string{"iam:RemoveUserFromGroup"}, Resources: []string{groupARN}},
			{Actions: []string{"iam:DeleteVirtualMFADevice"}, Resources: []string{mfaARN}},
		},
		Inverse: "Nothing: a user of the same name is another user.",
	}
}

// deleteUserActions are the IAM actions on the user.
var deleteUserActions = []string{
	"iam:GetUser", "iam:DeleteUser",
	"iam:GetLoginProfile", "iam:DeleteLoginProfile",
	"iam:ListAccessKeys", "iam:DeleteAccessKey",
	"iam:ListMFADevices", "iam:DeactivateMFADevice",
	"iam:ListSigningCertificates", "iam:DeleteSigningCertificate",
	"iam:ListSSHPublicKeys", "iam:DeleteSSHPublicKey",
	"iam:ListServiceSpecificCredentials", "iam:DeleteServiceSpecificCredential",
	"iam:ListGroupsForUser",
	"iam:ListUserPolicies", "iam:DeleteUserPolicy",
	"iam:ListAttachedUserPolicies", "iam:DetachUserPolicy",
	"iam:DeleteUserPermissionsBoundary",
}

// Do implements responder.Action. It can be repeated: what is gone stays gone,
// and no user at all is a success. It makes about 15 calls, and one or two more
// for each thing the user has.
//
// The credentials go first, all that can go even if one cannot: they are what
// an attacker holds. Only without credentials does the user lose policies and,
// last of all, the permissions boundary, which may be what holds the user back.
func (a *iamDeleteUser) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	target, api, err := a.at(ctx, a, call)
	if err != nil {
		return nil, err
	}
	result := responder.Result{"user": target.name}
	user, err := findUser(ctx, api, target.name)
	switch {
	case err != nil:
		return nil, err
	case user == nil:
		result["already"] = true
		return result, nil
	case target.isAnother(user):
		return nil, errAnotherUser(target)
	}
	target.id = aws.ToString(user.UserId) // from here on it is this user or none
	result["id"] = target.id

	removed := map[string]any{}
	if err := removeAll(ctx, credentialsOf(api, target.name), removed); err != nil {
		return nil, err
	}
	if err := removeAll(ctx, permissionsOf(api, target.name, user), removed); err != nil {
		return nil, err
	}
	if err := deleteUser(ctx, api, target); err != nil {
		return nil, err
	}
	result["removed"] = removed
	return result, nil
}

// deleteUser deletes the user itself, after a last look at who has the name now.
func deleteUser(ctx context.Context, api IAMAPI, target userTarget) error {
	user, err := findUser(ctx, api, target.name)
	switch {
	case err != nil:
		return err
	case user == nil:
		return nil
	case target.isAnother(user):
		return errAnotherUser(target)
	}
	_, err = api.DeleteUser(ctx, &iam.DeleteUserInput{UserName: &target.name})
	if err != nil && !hasCode(err, "NoSuchEntity") {
		return awsError("iam:DeleteUser", err, mutates)
	}
	return nil
}

func errAnotherUser(target userTarget) error {
	return permanentf("user %s is not the one that was meant: a new user has its name, and is left alone", target.name)
}

// Verify implements responder.Verifier: done if no user has the name and, where
// it is given, the id.
func (a *iamDeleteUser) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	target, api, err := a.at(ctx, a, call)
	if err != nil {
		return responder.VerdictUnknown, err
	}
	user, err := findUser(ctx, api, target.name)
	switch {
	case err != nil:
		return responder.VerdictUnknown, err
	case user == nil, target.isAnother(user):
		return responder.VerdictDone, nil
	}
	return responder.VerdictNotDone, nil
}

// Survey implements responder.Surveyor. It tells of everything that the user has
// and will not have again, so that people can make another like it.
func (a *iamDeleteUser) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	found, err := a.find(ctx, a, call)
	if err != nil || found.user == nil {
		return responder.Survey{}, err
	}
	survey := found.survey(call)
	for _, kind := range append(credentialsOf(found.api, found.name), permissionsOf(found.api, found.name, found.user)...) {
		if kind.kind == "password" {
			kind.listOp, kind.list = "iam:GetLoginProfile", func(ctx context.Context) ([]string, error) {
				_, err := found.api.GetLoginProfile(ctx, &iam.GetLoginProfileInput{UserName: &found.name})
				return []string{"login profile"}, err
			}
		}
		ids, err := kind.list(ctx)
		switch {
		case hasCode(err, "NoSuchEntity"): // no password, or the user is gone meanwhile
		case err != nil:
			return responder.Survey{}, awsError(kind.listOp, err, reads)
		case len(ids) > 0:
			survey.Found[kind.kind] = ids
			survey.Lasting = append(survey.Lasting, "the user's "+strings.ReplaceAll(kind.kind, "_", " ")+": "+listed(ids))
		}
	}
	survey.Lasting = append(survey.Lasting, "the user, whose unique id is "+aws.ToString(found.user.UserId))
	return survey, nil
}

// Needs implements responder.Narrower. What groups and MFA devices the user has
// is not known before it is looked.
func (a *iamDeleteUser) Needs(call responder.Call) []responder.Permission {
	needs := a.needs(call, deleteUserActions...)
	if needs == nil {
		return nil
	}
	return append(needs, a.Spec().Permissions[1:]...)
}
