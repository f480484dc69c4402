package actions

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/skycrafters/responder"
)

// SSMAPI is what the actions on runbooks ask of Systems Manager.
type SSMAPI interface {
	DescribeDocument(context.Context, *ssm.DescribeDocumentInput, ...func(*ssm.Options)) (*ssm.DescribeDocumentOutput, error)
	StartAutomationExecution(context.Context, *ssm.StartAutomationExecutionInput, ...func(*ssm.Options)) (*ssm.StartAutomationExecutionOutput, error)
	DescribeAutomationExecutions(context.Context, *ssm.DescribeAutomationExecutionsInput, ...func(*ssm.Options)) (*ssm.DescribeAutomationExecutionsOutput, error)
	GetAutomationExecution(context.Context, *ssm.GetAutomationExecutionInput, ...func(*ssm.Options)) (*ssm.GetAutomationExecutionOutput, error)
}

// ssmCalls is a client of just the calls that are made; see ec2Calls.
type ssmCalls struct {
	describeDocument   func(context.Context, *ssm.DescribeDocumentInput, ...func(*ssm.Options)) (*ssm.DescribeDocumentOutput, error)
	startExecution     func(context.Context, *ssm.StartAutomationExecutionInput, ...func(*ssm.Options)) (*ssm.StartAutomationExecutionOutput, error)
	describeExecutions func(context.Context, *ssm.DescribeAutomationExecutionsInput, ...func(*ssm.Options)) (*ssm.DescribeAutomationExecutionsOutput, error)
	getExecution       func(context.Context, *ssm.GetAutomationExecutionInput, ...func(*ssm.Options)) (*ssm.GetAutomationExecutionOutput, error)
}

// DescribeDocument implements SSMAPI.
func (c ssmCalls) DescribeDocument(ctx context.Context, in *ssm.DescribeDocumentInput, options ...func(*ssm.Options)) (*ssm.DescribeDocumentOutput, error) {
	return c.describeDocument(ctx, in, options...)
}

// StartAutomationExecution implements SSMAPI.
func (c ssmCalls) StartAutomationExecution(ctx context.Context, in *ssm.StartAutomationExecutionInput, options ...func(*ssm.Options)) (*ssm.StartAutomationExecutionOutput, error) {
	return c.startExecution(ctx, in, options...)
}

// DescribeAutomationExecutions implements SSMAPI.
func (c ssmCalls) DescribeAutomationExecutions(ctx context.Context, in *ssm.DescribeAutomationExecutionsInput, options ...func(*ssm.Options)) (*ssm.DescribeAutomationExecutionsOutput, error) {
	return c.describeExecutions(ctx, in, options...)
}

// GetAutomationExecution implements SSMAPI.
func (c ssmCalls) GetAutomationExecution(ctx context.Context, in *ssm.GetAutomationExecutionInput, options ...func(*ssm.Options)) (*ssm.GetAutomationExecutionOutput, error) {
	return c.getExecution(ctx, in, options...)
}

const (
	automationExecutionARN = "arn:${AWS::Partition}:ssm:*:${AWS::AccountId}:automation-execution/*"

	// automationTag begins the key of the tag by which the execution of a step is
	// found. It is in the key, for executions can be asked for by keys alone.
	// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_AutomationExecutionFilter.html
	automationTag = "responder-"
)

var executionID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// automations is what the actions on executions of runbooks have in common.
type automations struct{ *access }

// placeParams are the parameters that say where an execution is.
func placeParams() []responder.Param {
	return []responder.Param{
		{Name: "account", Type: responder.TextParam, Static: true, Doc: "The account that the runbook runs in; the event's if not given."},
		{Name: "region", Type: responder.TextParam, Static: true, Doc: "The region that the runbook runs in; the event's if not given."},
	}
}

// place gives the call as one about where its execution is.
func (automations) place(call responder.Call) (responder.Call, error) {
	for param, at := range map[string]struct {
		form *regexp.Regexp
		set  *string
	}{"account": {accountID, &call.Account}, "region": {regionName, &call.Region}} {
		if _, given := call.Params[param]; !given {
			continue
		}
		said, err := textTarget(call, param, at.form)
		if err != nil {
			return call, err
		}
		*at.set = said
	}
	if call.Account == "" {
		return call, errNoAccount
	}
	_, err := regionTarget(call)
	return call, err
}

// at gives a client for where the execution of a call is.
func (a automations) at(ctx context.Context, by responder.Action, call responder.Call) (responder.Call, SSMAPI, error) {
	there, err := a.place(call)
	if err != nil {
		return call, nil, err
	}
	api, err := client(ctx, a.access, a.aws.SSM, by, there, there.Region)
	return there, api, err
}

// stepHash is a step's key as 32 hexadecimal digits.
func stepHash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}

// clientToken is a step's key as the UUID that Systems Manager wants of a token:
// of the version that is for one's own use.
func clientToken(key string) string {
	h := []byte(stepHash(key))
	h[12], h[16] = '8', '8'
	return fmt.Sprintf("%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:])
}

// execution is an execution of a runbook.
type execution struct {
	id     string
	status types.AutomationExecutionStatus
	why    string // it failed, "" if it does not say
}

// ended says how an execution ended: well, or with an error that says how; both
// false and nil while it has not.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-statuses.html
func (e execution) ended() (well bool, err error) {
	switch e.status {
	case types.AutomationExecutionStatusSuccess, types.AutomationExecutionStatusCompletedWithSuccess:
		return true, nil
	case types.AutomationExecutionStatusFailed, types.AutomationExecutionStatusTimedout, types.AutomationExecutionStatusCancelled,
		types.AutomationExecutionStatusRejected, types.AutomationExecutionStatusCompletedWithFailure, types.AutomationExecutionStatusExited,
		types.AutomationExecutionStatusChangeCalendarOverrideRejected:
		return false, permanentf("%s", strings.TrimSuffix(fmt.Sprintf("execution %s has ended as %s: %s", e.id, e.status, cut(inline(e.why), maxAWSMessage)), ": "))
	}
	return false, nil
}

// ofStep looks for the execution that a step has started. One that was started a
// moment ago may not be seen yet; started anew by the same token, it is the same.
func ofStep(ctx context.Context, api SSMAPI, key string) (execution, bool, error) {
	pages := ssm.NewDescribeAutomationExecutionsPaginator(api, &ssm.DescribeAutomationExecutionsInput{Filters: []types.AutomationExecutionFilter{
		{Key: types.AutomationExecutionFilterKeyTagKey, Values: []string{automationTag + stepHash(key)}}}})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return execution{}, false, awsError("ssm:DescribeAutomationExecutions", err, reads)
		}
		for _, e := range page.AutomationExecutionMetadataList {
			return execution{aws.ToString(e.AutomationExecutionId), e.AutomationExecutionStatus, aws.ToString(e.FailureMessage)}, true, nil
		}
	}
	return execution{}, false, nil
}

// document is the runbook that a call names.
type document struct {
	said string // as the author says it: a name, or the ARN of one that is shared
	arn  string // for permissions and guards
}

var (
	documentName = regexp.MustCompile(`^[A-Za-z0-9_.-]{3,128}$`)
	documentARN  = regexp.MustCompile(`^arn:aws[a-z-]*:ssm:[a-z0-9-]+:([0-9]{12})?:document/[A-Za-z0-9_.-]{3,128}$`)
	documentOwn  = regexp.MustCompile(`(?i)^(aws|amazon|amzn)`) // names that AWS keeps for itself
	documentAny  = regexp.MustCompile(documentName.String() + "|" + documentARN.String())
	versionForm  = regexp.MustCompile(`^(\$LATEST|\$DEFAULT|[1-9][0-9]*)$`)
)

// documentOf reads the parameters `document` and `version`. Documents of AWS are
// of no account.
func documentOf(there responder.Call) (document, *string, error) {
	said, err := textTarget(there, "document", documentAny)
	if err != nil {
		return document{}, nil, err
	}
	d := document{said: said, arn: said}
	if !strings.HasPrefix(said, "arn:") {
		owner := there.Account
		if documentOwn.MatchString(said) {
			owner = ""
		}
		d.arn = "arn:" + partition(there.Region) + ":ssm:" + there.Region + ":" + owner + ":document/" + said
	}
	if _, given := there.Params["version"]; !given {
		return d, nil, nil
	}
	version, err := textTarget(there, "version", versionForm)
	return d, &version, err
}

// passedRole is the role that a runbook takes.
var passedRole = regexp.MustCompile(`^(arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,576}|[A-Za-z0-9_+=,.@-]{1,64})$`)

// roleOf reads the parameter `role`: the ARN of the role, "" if there is none.
func roleOf(there responder.Call) (string, error) {
	if _, given := there.Params["role"]; !given {
		return "", nil
	}
	said, err := textTarget(there, "role", passedRole)
	if err != nil {
		return "", err
	}
	prefix := "arn:" + partition(there.Region) + ":iam::" + there.Account + ":role/"
	if !strings.HasPrefix(said, "arn:") {
		return prefix + said, nil
	}
	if !strings.HasPrefix(said, prefix) {
		return "", permanentf("the role %s is not of account %s, where the runbook runs", inline(said), cmp.Or(there.Account, "?"))
	}
	return said, nil
}
