package actions

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Members says through which role checks and repairs act, and in which accounts.
// The zero value: with Responder's own credentials, in their account alone.
type Members struct {
	Role       string   // name of the role, the same in every account; "": none
	Accounts   []string // that may be acted in; the home account only if it is among them
	ExternalID string   // that the role asks for, "" if for none; it is no secret
}

// The forms that IAM and STS give these; an external id could be longer.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
var (
	accountID  = regexp.MustCompile(`^[0-9]{12}$`)
	externalID = regexp.MustCompile(`^[A-Za-z0-9_+=,.@:/-]{2,256}$`)
)

// ParseMembers reads what a configuration says: the role's name, the accounts
// comma-separated, the external id. All empty is the zero value.
func ParseMembers(role, accounts, external string) (Members, error) {
	m := Members{Role: strings.TrimSpace(role), ExternalID: strings.TrimSpace(external)}
	for account := range strings.SplitSeq(accounts, ",") {
		if account = strings.TrimSpace(account); account != "" {
			m.Accounts = append(m.Accounts, account)
		}
	}
	switch {
	case m.Role == "" && (len(m.Accounts) > 0 || m.ExternalID != ""):
		return Members{}, fmt.Errorf("there are member accounts or an external id, and no member role to act through")
	case m.Role == "":
		return Members{}, nil
	case !roleName.MatchString(m.Role):
		return Members{}, fmt.Errorf("the member role %s (its name is wanted, without path or ARN)", malformed(m.Role))
	case len(m.Accounts) == 0:
		return Members{}, fmt.Errorf("there is a member role, and no account where it may be taken")
	case m.ExternalID != "" && !externalID.MatchString(m.ExternalID):
		return Members{}, fmt.Errorf("the external id %s", malformed(m.ExternalID))
	}
	for _, account := range m.Accounts {
		if !accountID.MatchString(account) {
			return Members{}, fmt.Errorf("the member account %s (twelve digits are wanted)", malformed(account))
		}
	}
	return m, nil
}

// Roles gives the ARNs of the role in each account. What they cause is
// Responder's own doing.
func (m Members) Roles(partition string) []string {
	if m.Role == "" {
		return nil
	}
	var all []string
	for _, account := range m.Accounts {
		all = append(all, m.arn(partition, account))
	}
	return all
}

func (m Members) arn(partition, account string) string {
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", partition, account, m.Role)
}

// allow is nil if an account may be acted in, else *Permanent.
func (m Members) allow(account string) error {
	switch {
	case account == "":
		return errNoAccount
	case !slices.Contains(m.Accounts, account):
		return permanentf("account %s is not among the member accounts that may be acted in", cut(inline(account), 32))
	}
	return nil
}

var errNoAccount = permanentf("the event names no account, so it is not known where to act")
