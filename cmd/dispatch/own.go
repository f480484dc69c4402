package main

import (
	"fmt"
	"slices"
	"strings"
)

// ownResources gives patterns of the ARNs of what the stack is made of, in the
// accounts of its own roles. Whatever CloudFormation names begins with the
// stack's name. Roles and functions are named one by one: another that merely
// begins so could be anybody's, and would be safe from repairs; and functions that
// flows may invoke begin with responder-action, where a stack may be named responder.
func ownResources(stack string, ownRoles []string) []string {
	var accounts []string
	for _, role := range ownRoles {
		if parts := strings.SplitN(role, ":", 6); len(parts) == 6 && !slices.Contains(accounts, parts[4]) {
			accounts = append(accounts, parts[4])
		}
	}
	var own []string
	for _, account := range accounts {
		for _, form := range []string{
			"arn:*:sqs:*:%[1]s:%[2]s-*", "arn:*:sns:*:%[1]s:%[2]s-*", "arn:*:dynamodb:*:%[1]s:table/%[2]s-*",
			"arn:*:lambda:*:%[1]s:function:%[2]s-ingest", "arn:*:lambda:*:%[1]s:function:%[2]s-detect",
			"arn:*:lambda:*:%[1]s:function:%[2]s-dispatch", "arn:*:lambda:*:%[1]s:function:%[2]s-approve", "arn:*:secretsmanager:*:%[1]s:secret:%[2]s-*", "arn:*:secretsmanager:*:%[1]s:secret:%[2]s/*",
			"arn:*:events:*:%[1]s:rule/%[2]s-*", "arn:*:events:*:%[1]s:rule/*/%[2]s-*", "arn:*:events:*:%[1]s:event-bus/%[2]s",
			"arn:*:logs:*:%[1]s:log-group:/aws/lambda/%[2]s-*", "arn:*:cloudwatch:*:%[1]s:alarm:%[2]s-*", "arn:*:cloudformation:*:%[1]s:stack/%[2]s/*",
			"arn:*:iam::%[1]s:role/%[2]s-ingest-*", "arn:*:iam::%[1]s:role/%[2]s-detect-*", "arn:*:iam::%[1]s:role/%[2]s-dispatch-*",
			"arn:*:iam::%[1]s:role/%[2]s-operator-*", "arn:*:iam::%[1]s:role/%[2]s-approve-*",
		} {
			own = append(own, fmt.Sprintf(form, account, stack))
		}
	}
	return own
}
