package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// fits reports whether a pattern, in which * is any text and ? a character, fits an
// ARN.
func fits(pattern, arn string) bool {
	form := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile("^" + form + "$").MatchString(arn)
}

func isOwn(own []string, arn string) bool {
	return slices.ContainsFunc(own, func(pattern string) bool { return fits(pattern, arn) })
}

// TestOwnResources: what the templates name is the stack's own, and nothing that
// merely begins so.
func TestOwnResources(t *testing.T) {
	const account, region = "111122223333", "eu-west-1"
	own := ownResources("watch", []string{"arn:aws:iam::" + account + ":role/watch-dispatch-" + region, "arn:aws:iam::" + account + ":role/watch-ingest-" + region, "nonsense"})
	seen := map[string]bool{}
	for _, pattern := range own {
		if seen[pattern] || !strings.Contains(pattern, account) || strings.Contains(pattern, "STACK") || strings.Contains(pattern, "NAME") {
			t.Errorf("%s", pattern)
		}
		seen[pattern] = true
	}
	forms := map[string]string{
		"QueueName": "arn:aws:sqs:REGION:ACCOUNT:NAME", "TopicName": "arn:aws:sns:REGION:ACCOUNT:NAME", "FunctionName": "arn:aws:lambda:REGION:ACCOUNT:function:NAME",
		"RoleName": "arn:aws:iam::ACCOUNT:role/NAME", "AlarmName": "arn:aws:cloudwatch:REGION:ACCOUNT:alarm:NAME", "LogGroupName": "arn:aws:logs:REGION:ACCOUNT:log-group:NAME",
	}
	named := regexp.MustCompile(`(?m)^ +(\w+Name): !Sub (/?[\w/${}:-]+)`)
	count := 0
	for _, file := range []string{"../../template.yaml", "../../forwarder.yaml"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range named.FindAllStringSubmatch(string(data), -1) {
			form, ok := forms[match[1]]
			if !ok {
				continue
			}
			count++
			name := strings.NewReplacer("${AWS::StackName}", "watch", "${Name}", "watch", "${AWS::Region}", region).Replace(match[2])
			arn := func(name string) string {
				return strings.NewReplacer("REGION", region, "ACCOUNT", account, "NAME", name).Replace(form)
			}
			if !isOwn(own, arn(name)) {
				t.Errorf("%s of %s is not our own", arn(name), file)
			}
			for _, other := range []string{arn(name + "-x"), arn(strings.Replace(name, "watch", "watch-team", 1)), strings.Replace(arn(name), account, "444455556666", 1)} {
				if isOwn(own, other) && (match[1] != "RoleName" || other != arn(name+"-x")) { // the regions are not told: roles may end otherwise
					t.Errorf("%s is taken for our own", other)
				}
			}
		}
	}
	if count < 40 {
		t.Errorf("only %d names were found in the templates", count)
	}
	for arn, want := range map[string]bool{
		"arn:aws:dynamodb:eu-west-1:111122223333:table/watch-RunsTable-1ABC":                true,
		"arn:aws:dynamodb:eu-west-1:111122223333:table/watch-list":                          false,
		"arn:aws:secretsmanager:eu-west-1:111122223333:secret:watch-api-key-a1B2c3":         true,
		"arn:aws:secretsmanager:eu-west-1:111122223333:secret:watch/slack-a1B2c3":           true,
		"arn:aws:secretsmanager:eu-west-1:111122223333:secret:watch-api-keys-of-ours-a1B2c": false,
		"arn:aws:events:eu-west-1:111122223333:rule/watch/watch-forwarded":                  true,
		"arn:aws:events:eu-west-1:111122223333:rule/watch-sweep":                            true,
		"arn:aws:events:eu-west-1:111122223333:rule/watch-cat":                              false,
		"arn:aws:events:eu-west-1:111122223333:event-bus/watch":                             true,
		"arn:aws:cloudformation:us-east-2:111122223333:stack/watch-forwarder/0-1":           true,
		"arn:aws:cloudformation:us-east-2:111122223333:stack/watch-team/0-1":                false,
		"arn:aws:iam::111122223333:role/watch-dispatch-us-gov-west-1":                       true,
		"arn:aws:iam::111122223333:role/watch-dispatch-team":                                false,
		"arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/watch-ingest:*":          true,
		"arn:aws:lambda:eu-west-1:111122223333:function:watch-action-contain":               false, // what flows hand over to
	} {
		if got := isOwn(own, arn); got != want {
			t.Errorf("%s is our own: %v", arn, got)
		}
	}
	if got := ownResources("watch", nil); len(got) != 0 {
		t.Errorf("of nobody's account: %v", got)
	}
}
