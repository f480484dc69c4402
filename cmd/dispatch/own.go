package main

import (
	"slices"
	"strings"
)

// ownResources gives patterns of the ARNs of what the stack and its forwarders are
// made of, in the accounts of the stack's own roles. All that has a name is named
// whole: another that merely begins so could be anybody's, and would be safe from
// repairs. What is left to * is what AWS adds to names, and the region.
func ownResources(stack string, ownRoles []string) []string {
	var accounts []string
	for _, role := range ownRoles {
		if parts := strings.SplitN(role, ":", 6); len(parts) == 6 && !slices.Contains(accounts, parts[4]) {
			accounts = append(accounts, parts[4])
		}
	}
	var own []string
	add := func(account string, forms string, names ...string) {
		for _, form := range strings.Fields(forms) {
			for _, name := range names {
				own = append(own, strings.NewReplacer("ACCOUNT", account, "STACK", stack, "NAME", name).Replace(form))
			}
		}
	}
	functions := []string{"ingest", "detect", "dispatch", "approve"}
	for _, account := range accounts {
		add(account, "arn:*:sqs:*:ACCOUNT:STACK-NAME", "events", "events-dead", "findings", "findings-dead", "forwarder-dead")
		add(account, "arn:*:sns:*:ACCOUNT:STACK-NAME", "email", "alarms")
		add(account, "arn:*:dynamodb:*:ACCOUNT:table/STACK-NAME-*", "RunsTable", "CountersTable")
		add(account, "arn:*:lambda:*:ACCOUNT:function:STACK-NAME arn:*:logs:*:ACCOUNT:log-group:/aws/lambda/STACK-NAME arn:*:logs:*:ACCOUNT:log-group:/aws/lambda/STACK-NAME:*", functions...)
		add(account, "arn:*:secretsmanager:*:ACCOUNT:secret:STACK-NAME-??????", "api-key")
		add(account, "arn:*:events:*:ACCOUNT:rule/STACK-NAME", "sweep", "forwarded", "canary")
		add(account, "arn:*:iam::ACCOUNT:role/STACK-NAME-??-*-?", append(functions, "home", "operator", "forwarder")...)
		add(account, "arn:*:cloudwatch:*:ACCOUNT:alarm:STACK-NAME", alarms()...)
		add(account, "arn:*:secretsmanager:*:ACCOUNT:secret:STACK/* arn:*:events:*:ACCOUNT:rule/STACK/STACK-forwarded arn:*:events:*:ACCOUNT:event-bus/STACK "+
			"arn:*:cloudformation:*:ACCOUNT:stack/STACK/* arn:*:cloudformation:*:ACCOUNT:stack/STACK-forwarder/*", "")
	}
	return own
}

// alarms names those of the stack and of its forwarders.
func alarms() []string {
	return []string{
		"events-dead-letters", "findings-dead-letters", "events-oldest", "findings-oldest", "events-dead-oldest", "findings-dead-oldest",
		"ingest-errors", "ingest-throttles", "detect-errors", "detect-throttles", "dispatch-errors", "dispatch-throttles", "approve-errors", "approve-throttles",
		"api-5xx", "failed-runs", "breaker", "repairs-stopped", "rule-errors", "silence", "dark-forwarders", "sweep", "forwarder-dead-letters",
	}
}
