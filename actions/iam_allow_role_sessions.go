package actions

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/skycrafters/responder"
)

// iamAllowRoleSessions takes a revocation of a role's sessions back.
type iamAllowRoleSessions struct{ roles }

var _ repair = (*iamAllowRoleSessions)(nil)

var allowActions = []string{"iam:GetRole", "iam:GetRolePolicy", "iam:DeleteRolePolicy"}

// Spec implements responder.Action.
func (a *iamAllowRoleSessions) Spec() responder.Spec {
	return responder.Spec{
		Name:   "IAMAllowRoleSessions",
		Kind:   responder.Repair,
		Doc:    "Takes back what IAMRevokeRoleSessions did to an IAM role of the event's account: deletes the inline policy " + revocationName + ".",
		Params: roleParams(),
		Result: map[string]string{
			"role":    "the role's name",
			"allowed": "true if this attempt deleted the policy",
			"policy":  "the policy's name",
			"already": "true if there was no such policy, or no such role any more",
		},
		Permissions: []responder.Permission{{Actions: allowActions, Resources: []string{roleARN}}},
		Inverse:     "IAMRevokeRoleSessions, with the moment that the revocation had.",
		Undo:        []string{"IAMRevokeRoleSessions"},
	}
}

// Do implements responder.Action. It can be repeated.
func (a *iamAllowRoleSessions) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	found, err := a.find(ctx, a, call)
	switch {
	case err != nil:
		return nil, err
	case found.role == nil:
		return found.gone()
	}
	result := responder.Result{"role": found.name, "policy": revocationName}
	if found.policy == "" {
		result["already"] = true
		return result, nil
	}
	_, err = found.api.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &found.name, PolicyName: aws.String(revocationName)})
	switch {
	case hasCode(err, "NoSuchEntity"):
		result["already"] = true
	case err != nil:
		return nil, awsError("iam:DeleteRolePolicy", err, mutates)
	default:
		result["allowed"] = true
	}
	return result, nil
}

// Verify implements responder.Verifier: done if there is no policy of that name.
func (a *iamAllowRoleSessions) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	found, err := a.find(ctx, a, call)
	return verdict(found.policy == "", err)
}

// Survey implements responder.Surveyor.
func (a *iamAllowRoleSessions) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	found, err := a.find(ctx, a, call)
	if err != nil {
		return responder.Survey{}, err
	}
	survey := found.survey(call)
	if !found.before.IsZero() {
		survey.Undo = found.undo("IAMRevokeRoleSessions", map[string]any{"before": found.before.UTC().Format(revocationTime)})
	}
	return survey, nil
}

// Needs implements responder.Narrower.
func (a *iamAllowRoleSessions) Needs(call responder.Call) []responder.Permission {
	return a.needs(call, allowActions...)
}

// Describe implements responder.Describer.
func (a *iamAllowRoleSessions) Describe(call responder.Call) string {
	return "allow the sessions of role " + inline(plain(call.Params["role"])) + " again"
}
