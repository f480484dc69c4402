package actions

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// STSAPI is what identity asks of STS. The call needs no permission.
type STSAPI interface {
	GetCallerIdentity(context.Context, *sts.GetCallerIdentityInput, ...func(*sts.Options)) (*sts.GetCallerIdentityOutput, error)
}

// identity knows whose credentials these are. User names are the same in many
// accounts, and an instance of another account looks like one that is gone: so
// an action asks AWS about an event only with credentials of its account.
// Safe for concurrent use; it asks STS once.
type identity struct {
	aws AWS

	mu      sync.Mutex
	account string
}

// belongsTo is nil if the credentials are of the event's account, *Permanent if
// they are not or the event names no account.
func (i *identity) belongsTo(ctx context.Context, account string) error {
	if account == "" {
		return permanentf("the event names no account, so it is not known where to act")
	}
	own, err := i.get(ctx)
	if err != nil {
		return err
	}
	if own != account {
		return permanentf("the event is of account %s, but the credentials are of account %s", cut(inline(account), 32), own)
	}
	return nil
}

func (i *identity) get(ctx context.Context) (string, error) {
	i.mu.Lock()
	known := i.account
	i.mu.Unlock()
	if known != "" {
		return known, nil
	}
	if i.aws.STS == nil {
		return "", errNoAWS
	}
	cfg, err := i.aws.own(ctx, "")
	if err != nil {
		return "", err
	}
	out, err := i.aws.STS(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", awsError("sts:GetCallerIdentity", err, reads)
	}
	account := aws.ToString(out.Account)
	if account == "" {
		return "", transientf("sts:GetCallerIdentity: the answer names no account")
	}
	i.mu.Lock()
	i.account = account
	i.mu.Unlock()
	return account, nil
}
