package actions_test

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
)

// TestSSMAutomationParameters: what a runbook is given, and what of it guards are
// told that it touches.
func TestSSMAutomationParameters(t *testing.T) {
	const home = "arn:aws:ec2:eu-west-3:" + account
	for name, tt := range map[string]struct {
		more    map[string]any
		touches []string
	}{
		"ids of EC2": {map[string]any{"parameters": []any{"A=" + one, "A=sg-0123456789abcdef0", "B=snap-0123456789abcdef0", "C=eni-01234567,vol-01234567", "D=ami-01234567"}},
			[]string{home + ":instance/" + one, home + ":security-group/sg-0123456789abcdef0", "arn:aws:ec2:eu-west-3::snapshot/snap-0123456789abcdef0",
				home + ":network-interface/eni-01234567", home + ":volume/vol-01234567", "arn:aws:ec2:eu-west-3::image/ami-01234567"}},
		"ARNs":               {map[string]any{"parameters": []any{"P=arn:aws:iam::" + account + ":user/bob", "B=arn:aws:s3:::the-shop"}}, []string{"arn:aws:s3:::the-shop", "arn:aws:iam::" + account + ":user/bob"}},
		"one text":           {map[string]any{"parameters": "InstanceId=" + one}, []string{home + ":instance/" + one}},
		"names say nothing":  {map[string]any{"parameters": []any{"PrincipalName=bob", "PrincipalType=IAM user"}[:1]}, nil},
		"so the author does": {map[string]any{"parameters": []any{"PrincipalName=bob"}, "touches": []any{"arn:aws:iam::" + account + ":user/bob"}}, []string{"arn:aws:iam::" + account + ":user/bob"}},
		"said twice":         {map[string]any{"touches": home + ":instance/" + one}, []string{home + ":instance/" + one}},
		"settings are not":   {map[string]any{"parameters": nil, "settings": []any{"Keep=arn:aws:iam::" + account + ":role/emergency", "Instances=" + one}}, nil},
		"nothing":            {map[string]any{"parameters": nil, "settings": nil, "role": nil}, nil},
	} {
		s := newWireSSM(t)
		found, err := survey(t, s.catalogue(actions.Members{})["SSMAutomation"], runbookCall(tt.more))
		if err != nil || len(found.Targets) == 0 {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var touches []string
		for _, target := range found.Targets[1:] {
			touches = append(touches, target.ARN)
			if target.Account != account || !target.TagsUnknown || target.Static {
				t.Errorf("%s: %+v", name, target)
			}
		}
		if !slices.Equal(touches, tt.touches) {
			t.Errorf("%s: touches %v, want %v", name, touches, tt.touches)
		}
	}
}

// TestSSMAutomationPlace: where it runs, the author says, and else the event.
func TestSSMAutomationPlace(t *testing.T) {
	const evict = "responder-action-evict"
	for name, tt := range map[string]struct {
		more                          map[string]any
		region, document, owner, role string
	}{
		"the event's":     {nil, "eu-west-3", "arn:aws:ssm:eu-west-3::document/" + contain, account, "arn:aws:iam::" + account + ":role/responder-action-containment"},
		"another region":  {map[string]any{"region": "us-east-1"}, "us-east-1", "arn:aws:ssm:us-east-1::document/" + contain, account, "arn:aws:iam::" + account + ":role/responder-action-containment"},
		"one's own":       {map[string]any{"document": evict, "version": "2"}, "eu-west-3", "arn:aws:ssm:eu-west-3:" + account + ":document/" + evict, account, "arn:aws:iam::" + account + ":role/responder-action-containment"},
		"one that shares": {map[string]any{"document": sharedRunbook}, "eu-west-3", sharedRunbook, "999988887777", "arn:aws:iam::" + account + ":role/responder-action-containment"},
		"a role by ARN":   {map[string]any{"role": "arn:aws:iam::" + account + ":role/teams/red"}, "eu-west-3", "arn:aws:ssm:eu-west-3::document/" + contain, account, "arn:aws:iam::" + account + ":role/teams/red"},
		"no role":         {map[string]any{"role": nil}, "eu-west-3", "arn:aws:ssm:eu-west-3::document/" + contain, account, ""},
	} {
		s := newWireSSM(t)
		repair := s.catalogue(actions.Members{})["SSMAutomation"]
		call := runbookCall(tt.more)
		found, err := survey(t, repair, call)
		if err != nil || found.Targets[0].ARN != tt.document || found.Targets[0].Account != tt.owner || !found.Targets[0].Static {
			t.Errorf("%s: found %+v, %v", name, found, err)
			continue
		}
		must[responder.Result](t)(repair.Do(t.Context(), call))
		role := ""
		if given := s.started[0].Parameters["AutomationAssumeRole"]; given != nil {
			role = given[0]
		}
		if slices.ContainsFunc(s.regions, func(r string) bool { return r != tt.region }) || role != tt.role {
			t.Errorf("%s: asked in %v, as %q", name, s.regions, role)
		}
		used := append(s.calls, "ssm:AddTagsToResource")
		for _, p := range repair.(responder.Narrower).Needs(call) {
			if p.Actions[0] == "iam:PassRole" && (p.Resources[0] != tt.role || p.Condition["StringEquals"]["iam:PassedToService"] != "ssm.amazonaws.com") {
				t.Errorf("%s: needs %v", name, p)
			}
			if p.Actions[0] == "ssm:StartAutomationExecution" && !reflect.DeepEqual(p.Resources, []string{tt.document, "arn:${AWS::Partition}:ssm:" + tt.region + ":${AWS::AccountId}:automation-execution/*"}) {
				t.Errorf("%s: needs %v", name, p)
			}
			used = append(used, p.Actions...)
		}
		if slices.Contains(used, "iam:PassRole") != (tt.role != "") {
			t.Errorf("%s: needs %v", name, used)
		}
	}
}

// TestSSMAutomationRefuses: what would let an event say more than a value.
func TestSSMAutomationRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		more map[string]any
		says string
	}{
		"a role among parameters":    {map[string]any{"parameters": []any{"AutomationAssumeRole=arn:aws:iam::" + account + ":role/admin"}}, "AutomationAssumeRole stands among parameters: write it as `role`"},
		"a role among settings":      {map[string]any{"settings": []any{"AutomationAssumeRole=admin"}}, "AutomationAssumeRole stands among settings"},
		"a role of another account":  {map[string]any{"role": "arn:aws:iam::999988887777:role/admin"}, "the role arn:aws:iam::999988887777:role/admin is not of account " + account},
		"no pair":                    {map[string]any{"parameters": []any{one}}, "NAME=value is wanted"},
		"no value":                   {map[string]any{"parameters": []any{"InstanceId="}}, "no target: InstanceId of parameters"},
		"a name from nowhere":        {map[string]any{"parameters": []any{"a b=c"}}, "NAME=value is wanted"},
		"the Parameter Store":        {map[string]any{"parameters": []any{"InstanceId={{ssm:password}}"}}, "malformed"},
		"said in both":               {map[string]any{"settings": []any{"InstanceId=" + one}}, "InstanceId stands among parameters and among settings"},
		"a setting that is no text":  {map[string]any{"settings": []any{"Action=a\x00b"}}, "malformed"},
		"a document that is none":    {map[string]any{"document": "../x"}, "no target: document"},
		"a version that is none":     {map[string]any{"version": "latest"}, "no target: version"},
		"an account that is none":    {map[string]any{"account": "1234"}, "no target: account"},
		"a region that is none":      {map[string]any{"region": "evil.example.com/"}, "no target: region"},
		"touches what is no ARN":     {map[string]any{"touches": []any{"bob"}}, "no target: touches"},
		"too many values":            {map[string]any{"parameters": manyPairs("A=i-%08x", 51)}, "more than 50 values"},
		"too many names":             {map[string]any{"parameters": manyPairs("A%d=b", 201)}, "holds 201 names"},
		"a value that is very long":  {map[string]any{"parameters": []any{"A=" + strings.Repeat("b", 513)}}, "malformed"},
		"a list that is only spaces": {map[string]any{"parameters": []any{" "}}, "NAME=value is wanted"},
	} {
		s := newWireSSM(t)
		repair := s.catalogue(actions.Members{})["SSMAutomation"]
		_, doing := repair.Do(t.Context(), runbookCall(tt.more))
		_, looking := survey(t, repair, runbookCall(tt.more))
		verdict, verifying := verify(t, repair, runbookCall(tt.more))
		for _, err := range []error{doing, looking, verifying} {
			if !isPermanent(err) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if needs := repair.(responder.Narrower).Needs(runbookCall(tt.more)); verdict != responder.VerdictUnknown || len(needs) > 0 || len(s.calls) > 0 {
			t.Errorf("%s: verified as %v, needs %v, asked %v", name, verdict, needs, s.calls)
		}
	}
	s := newWireSSM(t)
	catalogue := s.catalogue(actions.Members{})
	refusesHostile(t, catalogue, "SSMAutomation", runbookCall(nil), []string{"document", "parameters", "settings", "role", "touches", "account", "region", "version"}, func() int { return len(s.calls) })
	for what, value := range hostile {
		text, ok := value.(string)
		if !ok || strings.Trim(text, "abcdefghijklmnopqrstuvwxyz./") == "" && text != "" {
			continue // a path is a value like another
		}
		if _, err := catalogue["SSMAutomation"].Do(t.Context(), runbookCall(map[string]any{"parameters": []any{"InstanceId=" + text}})); what != "long" && !isPermanent(err) || len(s.calls) > 0 {
			t.Errorf("a value that is %s: %v", what, err)
		}
	}
}

func manyPairs(form string, n int) (all []any) {
	for i := range n {
		all = append(all, fmt.Sprintf(form, i))
	}
	return all
}

// fakeSSM is a Systems Manager that has every runbook and starts nothing twice.
type fakeSSM struct{}

func (fakeSSM) DescribeDocument(context.Context, *ssm.DescribeDocumentInput, ...func(*ssm.Options)) (*ssm.DescribeDocumentOutput, error) {
	return nil, awsErr("AccessDeniedException")
}

func (fakeSSM) StartAutomationExecution(context.Context, *ssm.StartAutomationExecutionInput, ...func(*ssm.Options)) (*ssm.StartAutomationExecutionOutput, error) {
	return &ssm.StartAutomationExecutionOutput{AutomationExecutionId: aws.String("x")}, nil
}

func (fakeSSM) DescribeAutomationExecutions(context.Context, *ssm.DescribeAutomationExecutionsInput, ...func(*ssm.Options)) (*ssm.DescribeAutomationExecutionsOutput, error) {
	return &ssm.DescribeAutomationExecutionsOutput{}, nil
}

func (fakeSSM) GetAutomationExecution(context.Context, *ssm.GetAutomationExecutionInput, ...func(*ssm.Options)) (*ssm.GetAutomationExecutionOutput, error) {
	return nil, awsErr("AccessDeniedException")
}

// TestSSMAutomationThroughTheMemberRole: the session may start this runbook, hand
// over this role to Systems Manager, and nothing else, where the runbook runs.
func TestSSMAutomationThroughTheMemberRole(t *testing.T) {
	const policy = `{"Version":"2012-10-17","Statement":[` +
		`{"Effect":"Allow","Action":"ssm:DescribeDocument","Resource":"arn:aws:ssm:eu-west-3::document/AWSSupport-ContainEC2Instance"},` +
		`{"Effect":"Allow","Action":"ssm:StartAutomationExecution","Resource":["arn:aws:ssm:eu-west-3::document/AWSSupport-ContainEC2Instance","arn:aws:ssm:eu-west-3:ACCOUNT:automation-execution/*"]},` +
		`{"Effect":"Allow","Action":"ssm:AddTagsToResource","Resource":"arn:aws:ssm:eu-west-3:ACCOUNT:automation-execution/*"},` +
		`{"Effect":"Allow","Action":"ssm:DescribeAutomationExecutions","Resource":"*"},` +
		`{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::ACCOUNT:role/responder-action-containment","Condition":{"StringEquals":{"iam:PassedToService":"ssm.amazonaws.com"}}}]}`
	for said, acts := range map[string]string{"": member, account: account} { // of the event, and at home
		role := &fakeSTS{account: account, expires: now.Add(15 * time.Minute)}
		catalogue := actions.New(actions.Deps{
			Members: actions.Members{Role: "responder-member", Accounts: []string{account, member}}, Now: func() time.Time { return now },
			AWS: actions.AWS{STS: func(aws.Config) actions.STSAPI { return role }, SSM: func(aws.Config) actions.SSMAPI { return fakeSSM{} }},
		})
		call := runbookCall(nil)
		call.Account = member
		if said != "" {
			call.Params["account"] = said
		}
		if _, err := catalogue["SSMAutomation"].Do(t.Context(), call); err != nil {
			t.Fatal(err)
		}
		if in := role.assumed[0]; *in.RoleArn != "arn:aws:iam::"+acts+":role/responder-member" || *in.Policy != strings.ReplaceAll(policy, "ACCOUNT", acts) {
			t.Errorf("%s\n%s", *in.RoleArn, *in.Policy)
		}
	}
}

// TestHandedOverAtHome: for an event of a member account, programs at home are
// asked with what is there at home, as Responder itself or by the member role;
// what is in an account that is not listed is asked by nobody.
func TestHandedOverAtHome(t *testing.T) {
	for name, tt := range map[string]struct {
		members actions.Members
		says    string
	}{
		"as itself":          {actions.Members{}, ""},
		"by the member role": {actions.Members{Role: "responder-member", Accounts: []string{account, member}}, ""},
		"home is not listed": {actions.Members{Role: "responder-member", Accounts: []string{member}}, account + " is not among the member accounts"},
	} {
		f, role := &fakeHands{answer: "{}", started: map[string]string{}}, &fakeSTS{account: account, expires: now.Add(15 * time.Minute)}
		catalogue := actions.New(actions.Deps{Members: tt.members, Now: func() time.Time { return now }, AWS: actions.AWS{
			STS:    func(aws.Config) actions.STSAPI { return role },
			Lambda: func(aws.Config) actions.LambdaAPI { return f },
			SFN:    func(aws.Config) actions.SFNAPI { return fakeSFN{f} },
		}})
		for action, params := range map[string]map[string]any{"InvokeLambda": {"function": functionOf}, "StartExecution": {"stateMachine": machineOf}} {
			call := repairCall(maps.Clone(params))
			call.Account = member
			found, err := survey(t, catalogue[action], call)
			if tt.says != "" {
				if !isPermanent(err) || !strings.Contains(err.Error(), tt.says) || len(f.calls) > 0 {
					t.Errorf("%s: %s: %v, asked %v", name, action, err, f.calls)
				}
				continue
			}
			if err != nil || found.Targets[0].Account != account || !found.Targets[0].Static {
				t.Errorf("%s: %s: found %+v, %v", name, action, found, err)
			}
			if _, err := catalogue[action].Do(t.Context(), call); err != nil {
				t.Errorf("%s: %s: %v", name, action, err)
			}
		}
		for _, in := range role.assumed {
			if *in.RoleArn != "arn:aws:iam::"+account+":role/responder-member" {
				t.Errorf("%s: took %s", name, *in.RoleArn)
			}
		}
	}
}
