package actions

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/skycrafters/responder"
)

// iamDeleteAccessKeys deletes a user's access keys.
type iamDeleteAccessKeys struct{ accessKeys }

var _ repair = (*iamDeleteAccessKeys)(nil)

// Spec implements responder.Action.
func (a *iamDeleteAccessKeys) Spec() responder.Spec {
	return responder.Spec{
		Name: "IAMDeleteAccessKeys",
		Kind: responder.Repair,
		Doc:  "Deletes access keys of an IAM user of the event's account, all or those that are named. IAMDisableAccessKeys does as much against who holds them, and can be undone.",
		Params: keyParams(responder.Param{
			Doc: "The keys' ids (AKIA…); all keys of the user if not given."}),
		Result: map[string]string{
			"user":    "the user's name",
			"deleted": "ids of the keys that this attempt deleted",
			"already": "true if there was no such user any more",
			"missing": "ids that were named, but are no keys of the user (any more)",
		},
		Permissions: []responder.Permission{{
			Actions: keyActions("iam:DeleteAccessKey"), Resources: []string{userARN},
		}},
		Inverse: "Nothing: a deleted key never comes back, the user needs a new one.",
	}
}

// Do implements responder.Action. It can be repeated.
func (a *iamDeleteAccessKeys) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	found, err := a.find(ctx, a, call)
	switch {
	case err != nil:
		return nil, err
	case found.user == nil:
		return found.gone()
	}
	deleted, err := each(ctx, found.ids, func(ctx context.Context, id string) error {
		_, err := found.api.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: &found.name, AccessKeyId: &id})
		if err != nil && !hasCode(err, "NoSuchEntity") {
			return awsError("iam:DeleteAccessKey", err, mutates)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	result := responder.Result{"user": found.name}
	put(result, "deleted", deleted)
	put(result, "missing", found.missing())
	return result, nil
}

// Verify implements responder.Verifier: done if none of the keys is there.
func (a *iamDeleteAccessKeys) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	found, err := a.find(ctx, a, call)
	return verdict(len(found.ids) == 0, err)
}

// Survey implements responder.Surveyor.
func (a *iamDeleteAccessKeys) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	found, err := a.find(ctx, a, call)
	if err != nil {
		return responder.Survey{}, err
	}
	survey := found.survey(call)
	for _, id := range found.ids {
		survey.Lasting = append(survey.Lasting, "access key "+id)
	}
	return survey, nil
}

// Needs implements responder.Narrower.
func (a *iamDeleteAccessKeys) Needs(call responder.Call) []responder.Permission {
	return a.needs(call, keyActions("iam:DeleteAccessKey")...)
}

// Describe implements responder.Describer.
func (a *iamDeleteAccessKeys) Describe(call responder.Call) string {
	return "delete " + describedKeys(call)
}
