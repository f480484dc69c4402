package benchmarks

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/skycrafters/responder/detect"
)

// rulesOf loads a set of rules that stands in one text.
func rulesOf(t testing.TB, text string) *detect.Rules {
	t.Helper()
	rules, problems := detect.Load(fstest.MapFS{"rules.yml": {Data: []byte(text)}}, "rules.yml", nil)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return rules
}

// equalities are n rules none of which sees anything in an event of AWS.
func equalities(n int) string {
	var b strings.Builder
	b.WriteString("rules:\n")
	for i := range n {
		fmt.Fprintf(&b, "  Equal%d: action == \"service%d:Call%d\" && ok\n", i, i%40, i)
	}
	return b.String()
}

// calls are n rules as most of Sigma and of public packs are: calls of a service,
// one of them or several, that are not among the events.
func calls(n int) string {
	var b strings.Builder
	b.WriteString("rules:\n")
	for i := range n {
		fmt.Fprintf(&b, "  Calls%d: event.detail.eventSource == \"service%d.amazonaws.com\" && event.detail.eventName in [\"Call%d\", \"Other%d\"]\n", i, i%40, i, i)
	}
	return b.String()
}

// seeing are n rules, three of which see something in every event.
func seeing(n int) string {
	return equalities(n-3) + "  Sees1: event.source startsWith \"aws.\"\n  Sees2: event.detail.eventVersion != nil\n  Sees3: event.detail.readOnly in [true, false]\n"
}

// realistic are n rules of the shapes that Sigma and public packs use, about
// calls that do happen and calls that do not.
func realistic(n int) string {
	var b strings.Builder
	b.WriteString("lists:\n  networks: [")
	for i := range 10_000 {
		fmt.Fprintf(&b, "%d.%d.%d.0/%d, ", 1+i%220, i/220%250, i%250, 20+i%9)
	}
	b.WriteString("]\nrules:\n")
	calls := strings.Fields("kms:Decrypt ec2:DescribeRouteTables iam:GetUser ssm:DeleteParameter ssm:PutParameter sts:AssumeRole secretsmanager:GetSecretValue ec2:RunInstances iam:CreateUser cloudtrail:StopLogging " +
		"cloudtrail:DeleteTrail ec2:AuthorizeSecurityGroupIngress s3:GetBucketAcl s3:PutBucketPolicy rds:DescribeDBInstances lambda:CreateFunction guardduty:DeleteDetector iam:AttachUserPolicy iam:CreateAccessKey s3:DeleteBucket")
	for i := range n {
		service, call, _ := strings.Cut(calls[i%len(calls)], ":")
		if i/25%5 > 0 { // most rules are about calls that are rare
			call = fmt.Sprintf("%sRare%d", call, i)
		}
		rule := ""
		switch i % 25 {
		default:
			rule = fmt.Sprintf(`event.detail.eventSource == "%s.amazonaws.com" && event.detail.eventName == "%s" && req.name%d == "x"`, service, call, i%50)
		case 1, 2, 3, 4:
			rule = fmt.Sprintf(`event.detail.eventSource == "%s.amazonaws.com" && event.detail.eventName in ["%s", "Delete%d", "Put%d", "Update%d"] && actor.type == "Root"`, service, call, i, i, i)
		case 5:
			rule = fmt.Sprintf(`action startsWith "%s:Delete%d" && ok`, service, i)
		case 6:
			rule = fmt.Sprintf(`glob(action, ["%s:Put*%d", "%s:Delete?ther%d*"])`, service, i, service, i)
		case 7:
			rule = fmt.Sprintf(`event.detail.userAgent contains "tool%d"`, i)
		case 8:
			rule = fmt.Sprintf(`event.detail.userAgent matches "^(curl|python-requests)/%d\\."`, i)
		case 9:
			rule = fmt.Sprintf(`event.detail.userAgent matches "(?i)kali-%d"`, i)
		case 10:
			rule = fmt.Sprintf(`lower(event.detail.userAgent) contains "parrot%d"`, i)
		case 11:
			rule = fmt.Sprintf(`action == "%s:%s" && not (actor.arn contains "terraform" || event.detail.userAgent startsWith "aws-internal" || ip == nil)  && req.x%d != nil`, service, call, i)
		case 12:
			rule = fmt.Sprintf(`action == "%s:%s" && actor.type != "AWSService" && not (actor.name in ["deploy%d", "ci"]) && denied`, service, call, i)
		case 13:
			rule = fmt.Sprintf(`action == "ec2:%s" && any(req.ipPermissions.items, any(.ipRanges.items, .cidrIp == "0.0.0.0/0") && .fromPort <= %d)`, call, i)
		case 14:
			rule = fmt.Sprintf(`action == "ec2:%s" && any(resp.instancesSet.items, glob(.instanceType, ["p%d.*", "*.24xlarge"]))`, call, i)
		case 15:
			rule = fmt.Sprintf(`action == "%s:%s" && ip_in(ip, lists.networks)`, service, call)
		case 16:
			rule = fmt.Sprintf(`denied && actor.name == "user%d"`, i)
		case 17:
			rule = fmt.Sprintf(`event.detail.errorCode == "Client.Error%d" || event.detail.errorMessage contains "quota %d"`, i, i)
		case 18:
			rule = fmt.Sprintf(`req.roleArn endsWith ":role/admin%d" && ok`, i)
		case 19:
			rule = fmt.Sprintf(`action == "s3:PutBucketPolicy" && grants_public(req.bucketPolicy) && req.bucketName == "b%d"`, i)
		}
		fmt.Fprintf(&b, "  Rule%d:\n    when: '%s'\n", i, rule)
	}
	return b.String()
}

// sigma are the 57 rules of Sigma for CloudTrail.
func sigma(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile("testdata/sigma.yml")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
