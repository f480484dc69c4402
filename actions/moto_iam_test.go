package actions_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/skycrafters/responder"
)

// TestMotoIAMRepairs does and undoes each repair on a user and a role of an
// emulator, whose world it reads back by the SDK alone.
func TestMotoIAMRepairs(t *testing.T) {
	cfg, catalogue, account := moto(t)
	api, ctx := iam.NewFromConfig(cfg), t.Context()
	name := "u" + time.Now().Format("150405.000000000")

	user := must[*iam.CreateUserOutput](t)(api.CreateUser(ctx, &iam.CreateUserInput{UserName: &name, Path: aws.String("/people/")})).User
	must[*iam.CreateLoginProfileOutput](t)(api.CreateLoginProfile(ctx, &iam.CreateLoginProfileInput{UserName: &name, Password: aws.String("Passw0rd!Passw0rd!")}))
	var keys []any
	for range 2 {
		key := must[*iam.CreateAccessKeyOutput](t)(api.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &name})).AccessKey
		keys = append(keys, *key.AccessKeyId)
	}
	role := must[*iam.CreateRoleOutput](t)(api.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &name, Path: aws.String("/teams/"),
		AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[]}`), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("red")}}})).Role

	gone := func(err error) bool {
		var none *types.NoSuchEntityException
		if err != nil && !errors.As(err, &none) {
			t.Fatal(err)
		}
		return err != nil
	}
	world := func() any {
		status := map[string]string{}
		for _, key := range must[*iam.ListAccessKeysOutput](t)(api.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: &name})).AccessKeyMetadata {
			status[*key.AccessKeyId] = string(key.Status)
		}
		_, profile := api.GetLoginProfile(ctx, &iam.GetLoginProfileInput{UserName: &name})
		texts := map[string]string{}
		for _, policy := range must[*iam.ListUserPoliciesOutput](t)(api.ListUserPolicies(ctx, &iam.ListUserPoliciesInput{UserName: &name})).PolicyNames {
			texts[policy] = *must[*iam.GetUserPolicyOutput](t)(api.GetUserPolicy(ctx, &iam.GetUserPolicyInput{UserName: &name, PolicyName: &policy})).PolicyDocument
		}
		for _, policy := range must[*iam.ListRolePoliciesOutput](t)(api.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: &name})).PolicyNames {
			texts[policy] = *must[*iam.GetRolePolicyOutput](t)(api.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &name, PolicyName: &policy})).PolicyDocument
		}
		return []any{status, gone(profile), texts}
	}
	ofUser := func(more ...any) map[string]any {
		params := map[string]any{"user": name, "id": *user.UserId}
		if len(more) > 0 {
			params["keys"] = more
		}
		return params
	}
	ofRole := map[string]any{"role": name, "id": *role.RoleId}

	for _, step := range []struct {
		repair string
		params map[string]any
		arn    *string
		keep   bool // for the next step, done once more
	}{
		{"IAMDisableAccessKeys", ofUser(keys[0]), user.Arn, true},
		{"IAMDisableAccessKeys", ofUser(), user.Arn, false},
		{"IAMEnableAccessKeys", ofUser(keys...), user.Arn, false},
		{"IAMQuarantineUser", ofUser(), user.Arn, true},
		{"IAMReleaseUser", ofUser(), user.Arn, false},
		{"IAMRevokeRoleSessions", ofRole, role.Arn, true},
		{"IAMRevokeRoleSessions", map[string]any{"role": name, "before": "2026-11-22T00:00:00Z"}, role.Arn, false},
		{"IAMAllowRoleSessions", ofRole, role.Arn, false},
		{"IAMRemoveConsoleAccess", ofUser(), user.Arn, false},
		{"IAMDeleteAccessKeys", ofUser(keys[0]), user.Arn, false},
		{"IAMDeleteAccessKeys", ofUser(), user.Arn, false},
	} {
		call := repairCall(step.params)
		call.Account = account
		found, _ := doAndUndo(t, catalogue, step.repair, call, world)
		if len(found.Targets) != 1 || found.Targets[0].ARN != *step.arn || found.Targets[0].Account != account {
			t.Errorf("%s: targets %v, want %s", step.repair, found.Targets, *step.arn)
		}
		if step.keep {
			must[responder.Result](t)(catalogue[step.repair].Do(ctx, call))
		}
	}
	left := world().([]any)
	if len(left[0].(map[string]string)) > 0 || left[1] != true {
		t.Errorf("keys and password are left: %v", left)
	}

	// What nobody has any more.
	missing := repairCall(map[string]any{"user": name + "-gone"})
	missing.Account = account
	if result, err := catalogue["IAMQuarantineUser"].Do(ctx, missing); err != nil || result["already"] != true {
		t.Errorf("a user who is gone: %v, %v", result, err)
	}
	if found, err := survey(t, catalogue["IAMDeleteUser"], missing); err != nil || len(found.Targets) > 0 {
		t.Errorf("a user who is gone: %v, %v", found, err)
	}
}
