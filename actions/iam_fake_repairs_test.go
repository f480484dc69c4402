package actions_test

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// What fakeIAM knows of keys that are off, of policies' texts and of a role.

const (
	key1     = "AKIAEXAMPLE0000000K1"
	key2     = "AKIAEXAMPLE0000000K2"
	roleID   = "AROAEXAMPLE000000OPS"
	opsARN   = "arn:aws:iam::111122223333:role/teams/ops"
	bobARN   = "arn:aws:iam::111122223333:user/people/bob"
	password = "login profile"
)

// newFakeTeam is a fakeIAM of bob, who has two keys, and of the role ops.
func newFakeTeam() *fakeIAM {
	f := newFakeIAM()
	f.user.Arn = aws.String(bobARN)
	f.user.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String("blue")}}
	f.has["access_keys"] = []string{key1, key2}
	f.policies = map[string]string{}
	f.off = map[string]bool{}
	f.role = &types.Role{RoleName: aws.String("ops"), RoleId: aws.String(roleID), Arn: aws.String(opsARN),
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("red")}}}
	return f
}

// world is all that repairs can change.
func (f *fakeIAM) world() any {
	has := map[string][]string{}
	for kind, ids := range f.has {
		has[kind] = slices.Sorted(slices.Values(ids))
	}
	off := maps.Clone(f.off)
	maps.DeleteFunc(off, func(_ string, off bool) bool { return !off })
	return []any{f.user != nil, f.role != nil, has, off, maps.Clone(f.policies)}
}

func (f *fakeIAM) onRole(op string, name *string) error {
	if err := f.call(op); err != nil {
		return err
	}
	if f.role == nil || aws.ToString(name) != aws.ToString(f.role.RoleName) {
		return awsErr("NoSuchEntity")
	}
	return nil
}

func (f *fakeIAM) UpdateAccessKey(_ context.Context, in *iam.UpdateAccessKeyInput, _ ...func(*iam.Options)) (*iam.UpdateAccessKeyOutput, error) {
	if err := f.onUser("UpdateAccessKey", in.UserName); err != nil {
		return nil, err
	}
	if !slices.Contains(f.has["access_keys"], *in.AccessKeyId) {
		return nil, awsErr("NoSuchEntity")
	}
	f.off[*in.AccessKeyId] = in.Status == types.StatusTypeInactive
	return &iam.UpdateAccessKeyOutput{}, nil
}

func (f *fakeIAM) GetLoginProfile(_ context.Context, in *iam.GetLoginProfileInput, _ ...func(*iam.Options)) (*iam.GetLoginProfileOutput, error) {
	if err := f.onUser("GetLoginProfile", in.UserName); err != nil {
		return nil, err
	}
	if len(f.has["password"]) == 0 {
		return nil, awsErr("NoSuchEntity")
	}
	return &iam.GetLoginProfileOutput{LoginProfile: &types.LoginProfile{UserName: in.UserName, CreateDate: aws.Time(time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC))}}, nil
}

// policy gives a policy as IAM does, URL-encoded.
func (f *fakeIAM) policy(name *string) (*string, error) {
	text, ok := f.policies[*name]
	if !ok {
		return nil, awsErr("NoSuchEntity")
	}
	return aws.String(url.PathEscape(text)), nil
}

func (f *fakeIAM) GetUserPolicy(_ context.Context, in *iam.GetUserPolicyInput, _ ...func(*iam.Options)) (*iam.GetUserPolicyOutput, error) {
	if err := f.onUser("GetUserPolicy", in.UserName); err != nil {
		return nil, err
	}
	text, err := f.policy(in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &iam.GetUserPolicyOutput{PolicyDocument: text}, nil
}

func (f *fakeIAM) PutUserPolicy(_ context.Context, in *iam.PutUserPolicyInput, _ ...func(*iam.Options)) (*iam.PutUserPolicyOutput, error) {
	if err := f.onUser("PutUserPolicy", in.UserName); err != nil {
		return nil, err
	}
	f.policies[*in.PolicyName] = *in.PolicyDocument
	return &iam.PutUserPolicyOutput{}, nil
}

func (f *fakeIAM) GetRole(_ context.Context, in *iam.GetRoleInput, _ ...func(*iam.Options)) (*iam.GetRoleOutput, error) {
	if err := f.onRole("GetRole", in.RoleName); err != nil {
		return nil, err
	}
	return &iam.GetRoleOutput{Role: f.role}, nil
}

func (f *fakeIAM) GetRolePolicy(_ context.Context, in *iam.GetRolePolicyInput, _ ...func(*iam.Options)) (*iam.GetRolePolicyOutput, error) {
	if err := f.onRole("GetRolePolicy", in.RoleName); err != nil {
		return nil, err
	}
	text, err := f.policy(in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &iam.GetRolePolicyOutput{PolicyDocument: text}, nil
}

func (f *fakeIAM) PutRolePolicy(_ context.Context, in *iam.PutRolePolicyInput, _ ...func(*iam.Options)) (*iam.PutRolePolicyOutput, error) {
	if err := f.onRole("PutRolePolicy", in.RoleName); err != nil {
		return nil, err
	}
	f.policies[*in.PolicyName] = *in.PolicyDocument
	return &iam.PutRolePolicyOutput{}, nil
}

func (f *fakeIAM) DeleteRolePolicy(_ context.Context, in *iam.DeleteRolePolicyInput, _ ...func(*iam.Options)) (*iam.DeleteRolePolicyOutput, error) {
	if err := f.onRole("DeleteRolePolicy", in.RoleName); err != nil {
		return nil, err
	}
	if _, ok := f.policies[*in.PolicyName]; !ok {
		return nil, awsErr("NoSuchEntity")
	}
	delete(f.policies, *in.PolicyName)
	return &iam.DeleteRolePolicyOutput{}, nil
}
