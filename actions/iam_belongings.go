package actions

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// IAMAPI is what the actions on users and roles ask of IAM: to look, to delete,
// for each kind of thing a user can have, to list and to remove it, and what a
// user or a role is held back by.
type IAMAPI interface {
	GetUser(context.Context, *iam.GetUserInput, ...func(*iam.Options)) (*iam.GetUserOutput, error)
	DeleteUser(context.Context, *iam.DeleteUserInput, ...func(*iam.Options)) (*iam.DeleteUserOutput, error)

	credentialsAPI
	permissionsAPI
	accessKeysAPI
	loginProfileAPI
	quarantineAPI
	rolesAPI
}

type credentialsAPI interface {
	DeleteLoginProfile(context.Context, *iam.DeleteLoginProfileInput, ...func(*iam.Options)) (*iam.DeleteLoginProfileOutput, error)
	ListAccessKeys(context.Context, *iam.ListAccessKeysInput, ...func(*iam.Options)) (*iam.ListAccessKeysOutput, error)
	DeleteAccessKey(context.Context, *iam.DeleteAccessKeyInput, ...func(*iam.Options)) (*iam.DeleteAccessKeyOutput, error)
	ListMFADevices(context.Context, *iam.ListMFADevicesInput, ...func(*iam.Options)) (*iam.ListMFADevicesOutput, error)
	DeactivateMFADevice(context.Context, *iam.DeactivateMFADeviceInput, ...func(*iam.Options)) (*iam.DeactivateMFADeviceOutput, error)
	DeleteVirtualMFADevice(context.Context, *iam.DeleteVirtualMFADeviceInput, ...func(*iam.Options)) (*iam.DeleteVirtualMFADeviceOutput, error)
	ListSigningCertificates(context.Context, *iam.ListSigningCertificatesInput, ...func(*iam.Options)) (*iam.ListSigningCertificatesOutput, error)
	DeleteSigningCertificate(context.Context, *iam.DeleteSigningCertificateInput, ...func(*iam.Options)) (*iam.DeleteSigningCertificateOutput, error)
	ListSSHPublicKeys(context.Context, *iam.ListSSHPublicKeysInput, ...func(*iam.Options)) (*iam.ListSSHPublicKeysOutput, error)
	DeleteSSHPublicKey(context.Context, *iam.DeleteSSHPublicKeyInput, ...func(*iam.Options)) (*iam.DeleteSSHPublicKeyOutput, error)
	ListServiceSpecificCredentials(context.Context, *iam.ListServiceSpecificCredentialsInput, ...func(*iam.Options)) (*iam.ListServiceSpecificCredentialsOutput, error)
	DeleteServiceSpecificCredential(context.Context, *iam.DeleteServiceSpecificCredentialInput, ...func(*iam.Options)) (*iam.DeleteServiceSpecificCredentialOutput, error)
}

type permissionsAPI interface {
	ListGroupsForUser(context.Context, *iam.ListGroupsForUserInput, ...func(*iam.Options)) (*iam.ListGroupsForUserOutput, error)
	RemoveUserFromGroup(context.Context, *iam.RemoveUserFromGroupInput, ...func(*iam.Options)) (*iam.RemoveUserFromGroupOutput, error)
	ListUserPolicies(context.Context, *iam.ListUserPoliciesInput, ...func(*iam.Options)) (*iam.ListUserPoliciesOutput, error)
	DeleteUserPolicy(context.Context, *iam.DeleteUserPolicyInput, ...func(*iam.Options)) (*iam.DeleteUserPolicyOutput, error)
	ListAttachedUserPolicies(context.Context, *iam.ListAttachedUserPoliciesInput, ...func(*iam.Options)) (*iam.ListAttachedUserPoliciesOutput, error)
	DetachUserPolicy(context.Context, *iam.DetachUserPolicyInput, ...func(*iam.Options)) (*iam.DetachUserPolicyOutput, error)
	DeleteUserPermissionsBoundary(context.Context, *iam.DeleteUserPermissionsBoundaryInput, ...func(*iam.Options)) (*iam.DeleteUserPermissionsBoundaryOutput, error)
}

// belongings is one kind of thing a user can have. IAM refuses to delete a user
// who has any. https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteUser.html
type belongings struct {
	kind   string // in the result
	listOp string // IAM actions, for errors
	dropOp string
	list   func(ctx context.Context) ([]string, error) // all pages
	drop   func(ctx context.Context, id string) error
}

// removeAll removes everything of the given kinds and notes it in removed. A
// kind that cannot be removed does not keep it from the others, an unknown
// outcome or the end of ctx does. What is gone already is fine.
func removeAll(ctx context.Context, kinds []belongings, removed map[string]any) error {
	var worst error
	for _, b := range kinds {
		ids, err := b.remove(ctx)
		if len(ids) > 0 {
			removed[b.kind] = ids
		}
		worst = graver(worst, err)
		if gravity(worst) == gravityUnknown || ctx.Err() != nil {
			break
		}
	}
	return worst
}

// remove gives what it has removed, also if an error ended it.
func (b belongings) remove(ctx context.Context) (removed []string, err error) {
	ids, err := b.list(ctx)
	switch {
	case hasCode(err, "NoSuchEntity"): // the user is gone
		return nil, nil
	case err != nil:
		return nil, awsError(b.listOp, err, reads)
	}
	for _, id := range ids {
		switch err := b.drop(ctx, id); {
		case hasCode(err, "NoSuchEntity"):
		case err != nil:
			return removed, awsError(b.dropOp, err, mutates)
		default:
			removed = append(removed, id)
		}
	}
	return removed, nil
}

// credentialsOf lists the kinds of credentials, those that work from anywhere first.
func credentialsOf(api credentialsAPI, user string) []belongings {
	return []belongings{
		{
			kind: "password", dropOp: "iam:DeleteLoginProfile",
			list: one("login profile"),
			drop: func(ctx context.Context, _ string) error {
				_, err := api.DeleteLoginProfile(ctx, &iam.DeleteLoginProfileInput{UserName: &user})
				return err
			},
		},
		{
			kind: "access_keys", listOp: "iam:ListAccessKeys", dropOp: "iam:DeleteAccessKey",
			list: func(ctx context.Context) ([]string, error) {
				pages := iam.NewListAccessKeysPaginator(api, &iam.ListAccessKeysInput{UserName: &user})
				return collect(ctx, pages, func(page *iam.ListAccessKeysOutput) []string {
					return idsOf(page.AccessKeyMetadata, func(k types.AccessKeyMetadata) *string { return k.AccessKeyId })
				})
			},
			drop: func(ctx context.Context, id string) error {
				_, err := api.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: &user, AccessKeyId: &id})
				return err
			},
		},
		{
			kind: "mfa_devices", listOp: "iam:ListMFADevices", dropOp: "iam:DeactivateMFADevice",
			list: func(ctx context.Context) ([]string, error) {
				pages := iam.NewListMFADevicesPaginator(api, &iam.ListMFADevicesInput{UserName: &user})
				return collect(ctx, pages, func(page *iam.ListMFADevicesOutput) []string {
					return idsOf(page.MFADevices, func(d types.MFADevice) *string { return d.SerialNumber })
				})
			},
			drop: func(ctx context.Context, serial string) error { return dropMFADevice(ctx, api, user, serial) },
		},
		{
			kind: "signing_certificates", listOp: "iam:ListSigningCertificates", dropOp: "iam:DeleteSigningCertificate",
			list: func(ctx context.Context) ([]string, error) {
				pages := iam.NewListSigningCertificatesPaginator(api, &iam.ListSigningCertificatesInput{UserName: &user})
				return collect(ctx, pages, func(page *iam.ListSigningCertificatesOutput) []string {
					return idsOf(page.Certificates, func(c types.SigningCertificate) *string { return c.CertificateId })
				})
			},
			drop: func(ctx context.Context, id string) error {
				_, err := api.DeleteSigningCertificate(ctx, &iam.DeleteSigningCertificateInput{UserName: &user, CertificateId: &id})
				return err
			},
		},
		{
			kind: "ssh_keys", listOp: "iam:ListSSHPublicKeys", dropOp: "iam:DeleteSSHPublicKey",
			list: func(ctx context.Context) ([]string, error) {
				pages := iam.NewListSSHPublicKeysPaginator(api, &iam.ListSSHPublicKeysInput{UserName: &user})
				return collect(ctx, pages, func(page *iam.ListSSHPublicKeysOutput) []string {
					return idsOf(page.SSHPublicKeys, func(k types.SSHPublicKeyMetadata) *string { return k.SSHPublicKeyId })
				})
			},
			drop: func(ctx context.Context, id string) error {
				_, err := api.DeleteSSHPublicKey(ctx, &iam.DeleteSSHPublicKeyInput{UserName: &user, SSHPublicKeyId: &id})
				return err
			},
		},
		{
			kind: "service_credentials", listOp: "iam:ListServiceSpecificCredentials", dropOp: "iam:DeleteServiceSpecificCredential",
			list: func(ctx context.Context) ([]string, error) {
				pages := &serviceCredentialPages{api: api, user: user}
				return collect(ctx, pages, func(page *iam.ListServiceSpecificCredentialsOutput) []string {
					return idsOf(page.ServiceSpecificCredentials, func(c types.ServiceSpecificCredentialMetadata) *string { return c.ServiceSpecificCredentialId })
				})
			},
			drop: func(ctx context.Context, id string) error {
				_, err := api.DeleteServiceSpecificCredential(ctx, &iam.DeleteServiceSpecificCredentialInput{UserName: &user, ServiceSpecificCredentialId: &id})
				return err
			},
		},
	}
}

// permissionsOf lists the kinds of permissions, the boundary last.
func permissionsOf(api permissionsAPI, user string, found *types.User) []belongings {
	kinds := []belongings{
		{
			kind: "groups", listOp: "iam:ListGroupsForUser", dropOp: "iam:RemoveUserFromGroup",
			list: func(ctx context.Context) ([]string, error) {
				pages := iam.NewListGroupsForUserPaginator(api, &iam.ListGroupsForUserInput{UserName: &user})
				return collect(ctx, pages, func(page *iam.ListGroupsForUserOutput) []string {
					return idsOf(page.Groups, func(g types.Group) *string { return g.GroupName })
				})
			},
			drop: func(ctx context.Context, name string) error {
				_, err := api.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{UserName: &user, GroupName: &name})
				return err
			},
		},
		{
			kind: "attached_policies", listOp: "iam:ListAttachedUserPolicies", dropOp: "iam:DetachUserPolicy",
			list: func(ctx context.Context) ([]string, error) {
				pages := iam.NewListAttachedUserPoliciesPaginator(api, &iam.ListAttachedUserPoliciesInput{UserName: &user})
				return collect(ctx, pages, func(page *iam.ListAttachedUserPoliciesOutput) []string {
					return idsOf(page.AttachedPolicies, func(p types.AttachedPolicy) *string { return p.PolicyArn })
				})
			},
			drop: func(ctx context.Context, arn string) error {
				_, err := api.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: &user, PolicyArn: &arn})
				return err
			},
		},
		{
			kind: "inline_policies", listOp: "iam:ListUserPolicies", dropOp: "iam:DeleteUserPolicy",
			list: func(ctx context.Context) ([]string, error) {
				pages := iam.NewListUserPoliciesPaginator(api, &iam.ListUserPoliciesInput{UserName: &user})
				return collect(ctx, pages, func(page *iam.ListUserPoliciesOutput) []string { return page.PolicyNames })
			},
			drop: func(ctx context.Context, name string) error {
				_, err := api.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: &user, PolicyName: &name})
				return err
			},
		},
	}
	if found.PermissionsBoundary == nil {
		return kinds
	}
	return append(kinds, belongings{
		kind: "permissions_boundary", dropOp: "iam:DeleteUserPermissionsBoundary",
		list: one(aws.ToString(found.PermissionsBoundary.PermissionsBoundaryArn)),
		drop: func(ctx context.Context, _ string) error {
			_, err := api.DeleteUserPermissionsBoundary(ctx, &iam.DeleteUserPermissionsBoundaryInput{UserName: &user})
			return err
		},
	})
}

// dropMFADevice takes a device from the user and deletes it if it is virtual.
// Killed between the two, it leaves an unassigned device behind, which keeps
// nobody from anything.
func dropMFADevice(ctx context.Context, api credentialsAPI, user, serial string) error {
	_, err := api.DeactivateMFADevice(ctx, &iam.DeactivateMFADeviceInput{UserName: &user, SerialNumber: &serial})
	if err != nil && !hasCode(err, "NoSuchEntity") {
		return err
	}
	if !strings.Contains(serial, ":mfa/") {
		return nil
	}
	if _, err := api.DeleteVirtualMFADevice(ctx, &iam.DeleteVirtualMFADeviceInput{SerialNumber: &serial}); err != nil {
		return &awsFailure{"iam:DeleteVirtualMFADevice", err}
	}
	return nil
}

// one is the list of the only thing of its kind, which is tried without looking.
func one(id string) func(context.Context) ([]string, error) {
	return func(context.Context) ([]string, error) { return []string{id}, nil }
}

// pages is what the SDK's paginators have in common.
type pages[P any] interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*iam.Options)) (P, error)
}

// collect gives the ids of all pages.
func collect[P any](ctx context.Context, pages pages[P], ids func(P) []string) ([]string, error) {
	var all []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, ids(page)...)
	}
	return all, nil
}

// idsOf gives the ids of a page's items; one without an id cannot be removed.
func idsOf[T any](items []T, id func(T) *string) []string {
	var ids []string
	for _, item := range items {
		if id := id(item); id != nil {
			ids = append(ids, *id)
		}
	}
	return ids
}

// serviceCredentialPages pages through what the SDK has no paginator for.
type serviceCredentialPages struct {
	api    credentialsAPI
	user   string
	marker *string
	ended  bool
}

// HasMorePages implements pages.
func (p *serviceCredentialPages) HasMorePages() bool { return !p.ended }

// NextPage implements pages.
func (p *serviceCredentialPages) NextPage(ctx context.Context, options ...func(*iam.Options)) (*iam.ListServiceSpecificCredentialsOutput, error) {
	page, err := p.api.ListServiceSpecificCredentials(ctx, &iam.ListServiceSpecificCredentialsInput{UserName: &p.user, Marker: p.marker}, options...)
	if err != nil {
		return nil, err
	}
	p.marker = page.Marker
	p.ended = !page.IsTruncated || page.Marker == nil
	return page, nil
}
