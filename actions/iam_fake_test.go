package actions_test

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"

	"github.com/skycrafters/responder/actions"
)

// fakeIAM is IAM with one user: pages of one item, and a user who can be
// deleted only with nothing left.
type fakeIAM struct {
	user      *types.User // nil: there is none
	has       map[string][]string
	virtual   []string           // virtual MFA devices that exist
	off       map[string]bool    // access keys that are inactive
	policies  map[string]string  // texts of policies that were put, by name
	role      *types.Role        // nil: there is none
	fails     map[string][]error // by operation, one after the other
	calls     []string
	onCall    func(op string)
	pageCalls int
}

var _ actions.IAMAPI = (*fakeIAM)(nil)

const bobID = "AIDAEXAMPLE000000BOB"

func newFakeIAM() *fakeIAM {
	return &fakeIAM{
		user: &types.User{
			UserName: aws.String("bob"), UserId: aws.String(bobID), CreateDate: aws.Time(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)),
			PermissionsBoundary: &types.AttachedPermissionsBoundary{PermissionsBoundaryArn: aws.String("arn:aws:iam::aws:policy/Boundary")},
		},
		has: map[string][]string{
			"password": {"yes"}, "access_keys": {"AKIA1", "AKIA2"},
			"mfa_devices":          {"arn:aws:iam::111122223333:mfa/bob", "GAHT12345678", "arn:aws:iam::111122223333:u2f/user/bob/k"},
			"signing_certificates": {"C1", "C2"}, "ssh_keys": {"S1", "S2"}, "service_credentials": {"V1", "V2", "V3"},
			"groups": {"g1", "g2"}, "inline_policies": {"p1", "p2"}, "attached_policies": {"arn:p/1", "arn:p/2"},
			"permissions_boundary": {"arn:aws:iam::aws:policy/Boundary"},
		},
		virtual: []string{"arn:aws:iam::111122223333:mfa/bob"},
		fails:   map[string][]error{},
	}
}

func awsErr(code string) error {
	return &smithy.OperationError{ServiceID: "IAM", OperationName: "x", Err: &smithy.GenericAPIError{Code: code, Message: "why " + code, Fault: smithy.FaultClient}}
}

func (f *fakeIAM) call(op string) error {
	f.calls = append(f.calls, op)
	if f.onCall != nil {
		f.onCall(op)
	}
	if queue := f.fails[op]; len(queue) > 0 {
		f.fails[op] = queue[1:]
		if queue[0] != nil {
			return queue[0]
		}
	}
	return nil
}

func (f *fakeIAM) onUser(op string, name *string) error {
	if err := f.call(op); err != nil {
		return err
	}
	if f.user == nil || aws.ToString(name) != aws.ToString(f.user.UserName) {
		return awsErr("NoSuchEntity")
	}
	return nil
}

// page gives one item and where the next begins.
func (f *fakeIAM) page(op, kind string, name, marker *string) (item []string, next *string, more bool, err error) {
	if err := f.onUser(op, name); err != nil {
		return nil, nil, false, err
	}
	f.pageCalls++
	at := 0
	if marker != nil {
		if at, err = strconv.Atoi(*marker); err != nil {
			return nil, nil, false, awsErr("ValidationError")
		}
	}
	all := f.has[kind]
	if at >= len(all) {
		return nil, nil, false, nil
	}
	if at+1 < len(all) {
		return all[at : at+1], aws.String(strconv.Itoa(at + 1)), true, nil
	}
	return all[at : at+1], nil, false, nil
}

func (f *fakeIAM) drop(op, kind string, name *string, id string) error {
	if err := f.onUser(op, name); err != nil {
		return err
	}
	i := slices.Index(f.has[kind], id)
	if i < 0 {
		return awsErr("NoSuchEntity")
	}
	f.has[kind] = slices.Delete(slices.Clone(f.has[kind]), i, i+1)
	return nil
}

func (f *fakeIAM) GetUser(_ context.Context, in *iam.GetUserInput, _ ...func(*iam.Options)) (*iam.GetUserOutput, error) {
	if err := f.onUser("GetUser", in.UserName); err != nil {
		return nil, err
	}
	return &iam.GetUserOutput{User: f.user}, nil
}

func (f *fakeIAM) DeleteUser(_ context.Context, in *iam.DeleteUserInput, _ ...func(*iam.Options)) (*iam.DeleteUserOutput, error) {
	if err := f.onUser("DeleteUser", in.UserName); err != nil {
		return nil, err
	}
	for _, left := range f.has {
		if len(left) > 0 {
			return nil, awsErr("DeleteConflict")
		}
	}
	f.user = nil
	return &iam.DeleteUserOutput{}, nil
}

func (f *fakeIAM) DeleteLoginProfile(_ context.Context, in *iam.DeleteLoginProfileInput, _ ...func(*iam.Options)) (*iam.DeleteLoginProfileOutput, error) {
	return nil, f.drop("DeleteLoginProfile", "password", in.UserName, "yes")
}

func (f *fakeIAM) ListAccessKeys(_ context.Context, in *iam.ListAccessKeysInput, _ ...func(*iam.Options)) (*iam.ListAccessKeysOutput, error) {
	items, marker, more, err := f.page("ListAccessKeys", "access_keys", in.UserName, in.Marker)
	out := &iam.ListAccessKeysOutput{Marker: marker, IsTruncated: more}
	for _, id := range items {
		out.AccessKeyMetadata = append(out.AccessKeyMetadata, types.AccessKeyMetadata{AccessKeyId: &id, Status: f.status(id)})
	}
	return out, err
}

func (f *fakeIAM) status(key string) types.StatusType {
	if f.off[key] {
		return types.StatusTypeInactive
	}
	return types.StatusTypeActive
}

func (f *fakeIAM) DeleteAccessKey(_ context.Context, in *iam.DeleteAccessKeyInput, _ ...func(*iam.Options)) (*iam.DeleteAccessKeyOutput, error) {
	return nil, f.drop("DeleteAccessKey", "access_keys", in.UserName, *in.AccessKeyId)
}

func (f *fakeIAM) ListMFADevices(_ context.Context, in *iam.ListMFADevicesInput, _ ...func(*iam.Options)) (*iam.ListMFADevicesOutput, error) {
	items, marker, more, err := f.page("ListMFADevices", "mfa_devices", in.UserName, in.Marker)
	out := &iam.ListMFADevicesOutput{Marker: marker, IsTruncated: more}
	for _, id := range items {
		out.MFADevices = append(out.MFADevices, types.MFADevice{SerialNumber: &id})
	}
	return out, err
}

func (f *fakeIAM) DeactivateMFADevice(_ context.Context, in *iam.DeactivateMFADeviceInput, _ ...func(*iam.Options)) (*iam.DeactivateMFADeviceOutput, error) {
	return nil, f.drop("DeactivateMFADevice", "mfa_devices", in.UserName, *in.SerialNumber)
}

func (f *fakeIAM) DeleteVirtualMFADevice(_ context.Context, in *iam.DeleteVirtualMFADeviceInput, _ ...func(*iam.Options)) (*iam.DeleteVirtualMFADeviceOutput, error) {
	if err := f.call("DeleteVirtualMFADevice"); err != nil {
		return nil, err
	}
	i := slices.Index(f.virtual, *in.SerialNumber)
	switch {
	case i < 0:
		return nil, awsErr("NoSuchEntity")
	case slices.Contains(f.has["mfa_devices"], *in.SerialNumber):
		return nil, awsErr("DeleteConflict")
	}
	f.virtual = slices.Delete(f.virtual, i, i+1)
	return nil, nil
}

func (f *fakeIAM) ListSigningCertificates(_ context.Context, in *iam.ListSigningCertificatesInput, _ ...func(*iam.Options)) (*iam.ListSigningCertificatesOutput, error) {
	items, marker, more, err := f.page("ListSigningCertificates", "signing_certificates", in.UserName, in.Marker)
	out := &iam.ListSigningCertificatesOutput{Marker: marker, IsTruncated: more}
	for _, id := range items {
		out.Certificates = append(out.Certificates, types.SigningCertificate{CertificateId: &id})
	}
	return out, err
}

func (f *fakeIAM) DeleteSigningCertificate(_ context.Context, in *iam.DeleteSigningCertificateInput, _ ...func(*iam.Options)) (*iam.DeleteSigningCertificateOutput, error) {
	return nil, f.drop("DeleteSigningCertificate", "signing_certificates", in.UserName, *in.CertificateId)
}

func (f *fakeIAM) ListSSHPublicKeys(_ context.Context, in *iam.ListSSHPublicKeysInput, _ ...func(*iam.Options)) (*iam.ListSSHPublicKeysOutput, error) {
	items, marker, more, err := f.page("ListSSHPublicKeys", "ssh_keys", in.UserName, in.Marker)
	out := &iam.ListSSHPublicKeysOutput{Marker: marker, IsTruncated: more}
	for _, id := range items {
		out.SSHPublicKeys = append(out.SSHPublicKeys, types.SSHPublicKeyMetadata{SSHPublicKeyId: &id})
	}
	return out, err
}

func (f *fakeIAM) DeleteSSHPublicKey(_ context.Context, in *iam.DeleteSSHPublicKeyInput, _ ...func(*iam.Options)) (*iam.DeleteSSHPublicKeyOutput, error) {
	return nil, f.drop("DeleteSSHPublicKey", "ssh_keys", in.UserName, *in.SSHPublicKeyId)
}

func (f *fakeIAM) ListServiceSpecificCredentials(_ context.Context, in *iam.ListServiceSpecificCredentialsInput, _ ...func(*iam.Options)) (*iam.ListServiceSpecificCredentialsOutput, error) {
	items, marker, more, err := f.page("ListServiceSpecificCredentials", "service_credentials", in.UserName, in.Marker)
	out := &iam.ListServiceSpecificCredentialsOutput{Marker: marker, IsTruncated: more}
	for _, id := range items {
		out.ServiceSpecificCredentials = append(out.ServiceSpecificCredentials, types.ServiceSpecificCredentialMetadata{ServiceSpecificCredentialId: &id})
	}
	return out, err
}

func (f *fakeIAM) DeleteServiceSpecificCredential(_ context.Context, in *iam.DeleteServiceSpecificCredentialInput, _ ...func(*iam.Options)) (*iam.DeleteServiceSpecificCredentialOutput, error) {
	return nil, f.drop("DeleteServiceSpecificCredential", "service_credentials", in.UserName, *in.ServiceSpecificCredentialId)
}

func (f *fakeIAM) ListGroupsForUser(_ context.Context, in *iam.ListGroupsForUserInput, _ ...func(*iam.Options)) (*iam.ListGroupsForUserOutput, error) {
	items, marker, more, err := f.page("ListGroupsForUser", "groups", in.UserName, in.Marker)
	out := &iam.ListGroupsForUserOutput{Marker: marker, IsTruncated: more}
	for _, id := range items {
		out.Groups = append(out.Groups, types.Group{GroupName: &id})
	}
	return out, err
}

func (f *fakeIAM) RemoveUserFromGroup(_ context.Context, in *iam.RemoveUserFromGroupInput, _ ...func(*iam.Options)) (*iam.RemoveUserFromGroupOutput, error) {
	return nil, f.drop("RemoveUserFromGroup", "groups", in.UserName, *in.GroupName)
}

func (f *fakeIAM) ListUserPolicies(_ context.Context, in *iam.ListUserPoliciesInput, _ ...func(*iam.Options)) (*iam.ListUserPoliciesOutput, error) {
	items, marker, more, err := f.page("ListUserPolicies", "inline_policies", in.UserName, in.Marker)
	return &iam.ListUserPoliciesOutput{Marker: marker, IsTruncated: more, PolicyNames: items}, err
}

func (f *fakeIAM) DeleteUserPolicy(_ context.Context, in *iam.DeleteUserPolicyInput, _ ...func(*iam.Options)) (*iam.DeleteUserPolicyOutput, error) {
	if _, ok := f.policies[*in.PolicyName]; ok {
		if err := f.onUser("DeleteUserPolicy", in.UserName); err != nil {
			return nil, err
		}
		delete(f.policies, *in.PolicyName)
		return nil, nil
	}
	return nil, f.drop("DeleteUserPolicy", "inline_policies", in.UserName, *in.PolicyName)
}

func (f *fakeIAM) ListAttachedUserPolicies(_ context.Context, in *iam.ListAttachedUserPoliciesInput, _ ...func(*iam.Options)) (*iam.ListAttachedUserPoliciesOutput, error) {
	items, marker, more, err := f.page("ListAttachedUserPolicies", "attached_policies", in.UserName, in.Marker)
	out := &iam.ListAttachedUserPoliciesOutput{Marker: marker, IsTruncated: more}
	for _, id := range items {
		out.AttachedPolicies = append(out.AttachedPolicies, types.AttachedPolicy{PolicyArn: &id})
	}
	return out, err
}

func (f *fakeIAM) DetachUserPolicy(_ context.Context, in *iam.DetachUserPolicyInput, _ ...func(*iam.Options)) (*iam.DetachUserPolicyOutput, error) {
	return nil, f.drop("DetachUserPolicy", "attached_policies", in.UserName, *in.PolicyArn)
}

func (f *fakeIAM) DeleteUserPermissionsBoundary(_ context.Context, in *iam.DeleteUserPermissionsBoundaryInput, _ ...func(*iam.Options)) (*iam.DeleteUserPermissionsBoundaryOutput, error) {
	err := f.drop("DeleteUserPermissionsBoundary", "permissions_boundary", in.UserName, "arn:aws:iam::aws:policy/Boundary")
	if err == nil {
		f.user.PermissionsBoundary = nil
	}
	return nil, err
}

// mutations are the calls that change something.
func (f *fakeIAM) mutations() []string {
	return slices.DeleteFunc(slices.Clone(f.calls), func(op string) bool {
		return strings.HasPrefix(op, "List") || strings.HasPrefix(op, "Get")
	})
}

// fakeSTS says whose credentials these are, and gives those of roles.
type fakeSTS struct {
	account   string
	partition string // "" is aws
	err       error
	calls     int

	refusals []error // of AssumeRole, one after the other; nil is none
	assumed  []*sts.AssumeRoleInput
	expires  time.Time
}

func (f *fakeSTS) GetCallerIdentity(context.Context, *sts.GetCallerIdentityInput, ...func(*sts.Options)) (*sts.GetCallerIdentityOutput, error) {
	f.calls++
	arn := "arn:" + cmp.Or(f.partition, "aws") + ":sts::" + f.account + ":assumed-role/responder-dispatch-eu-west-1/responder-dispatch"
	return &sts.GetCallerIdentityOutput{Account: &f.account, Arn: &arn}, f.err
}

func (f *fakeSTS) AssumeRole(_ context.Context, in *sts.AssumeRoleInput, _ ...func(*sts.Options)) (*sts.AssumeRoleOutput, error) {
	f.assumed = append(f.assumed, in)
	if n := len(f.assumed); n <= len(f.refusals) && f.refusals[n-1] != nil {
		return nil, f.refusals[n-1]
	}
	key := "ASIA" + strconv.Itoa(len(f.assumed))
	return &sts.AssumeRoleOutput{Credentials: &ststypes.Credentials{
		AccessKeyId: &key, SecretAccessKey: aws.String("secret"), SessionToken: aws.String("token"), Expiration: &f.expires,
	}}, nil
}
