package actions

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// STSAPI is what is asked of STS: who one is, which needs no permission, and to
// take the member role.
type STSAPI interface {
	GetCallerIdentity(context.Context, *sts.GetCallerIdentityInput, ...func(*sts.Options)) (*sts.GetCallerIdentityOutput, error)
	AssumeRole(context.Context, *sts.AssumeRoleInput, ...func(*sts.Options)) (*sts.AssumeRoleOutput, error)
}

// identity knows whose Responder's own credentials are. User names are the same
// in many accounts, and an instance of another account looks like one that is
// gone: so an action asks AWS about an event only with credentials of its
// account. Safe for concurrent use; it asks STS once.
type identity struct {
	aws AWS

	mu    sync.Mutex
	known caller
}

// caller is who credentials belong to.
type caller struct {
	account   string
	partition string // aws, aws-cn, aws-us-gov
}

// belongsTo is nil if the credentials are of the event's account, *Permanent if
// they are not or the event names no account.
func (i *identity) belongsTo(ctx context.Context, account string) error {
	if account == "" {
		return errNoAccount
	}
	own, err := i.get(ctx)
	if err != nil {
		return err
	}
	if own.account != account {
		return permanentf("the event is of account %s, but the credentials are of account %s", cut(inline(account), 32), own.account)
	}
	return nil
}

// get asks once, until there is an answer.
func (i *identity) get(ctx context.Context) (caller, error) {
	i.mu.Lock()
	known := i.known
	i.mu.Unlock()
	if known != (caller{}) {
		return known, nil
	}
	if i.aws.STS == nil {
		return caller{}, errNoAWS
	}
	cfg, err := i.aws.own(ctx, "")
	if err != nil {
		return caller{}, err
	}
	out, err := i.aws.STS(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return caller{}, awsError("sts:GetCallerIdentity", err, reads)
	}
	who, err := arn.Parse(aws.ToString(out.Arn))
	if err != nil || aws.ToString(out.Account) == "" {
		return caller{}, transientf("sts:GetCallerIdentity: the answer names no account")
	}
	known = caller{account: aws.ToString(out.Account), partition: who.Partition}
	i.mu.Lock()
	i.known = known
	i.mu.Unlock()
	return known, nil
}
