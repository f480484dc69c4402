package actions

import (
	"context"
	"maps"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/skycrafters/responder"
)

// ssmAutomation starts a runbook of Systems Manager.
type ssmAutomation struct{ automations }

var _ repair = (*ssmAutomation)(nil)

// Spec implements responder.Action.
func (a *ssmAutomation) Spec() responder.Spec {
	const own = "arn:${AWS::Partition}:ssm:*:${AWS::AccountId}:document/responder-action-*"
	const ofAWS = "arn:${AWS::Partition}:ssm:*::document/AWS*"
	return responder.Spec{
		Name: "SSMAutomation",
		Kind: responder.Repair,
		Doc:  "Starts a runbook of Systems Manager Automation, AWS's own or one of yours, once a step, in the event's account and region or where the flow says, and does not wait for its end.",
		Params: append([]responder.Param{
			{Name: "document", Type: responder.TextParam, Required: true, Static: true,
				Doc: "The runbook's name, or the ARN of one that another account shares. One that is not AWS's and whose name does not begin with responder-action- needs a permission of its own."},
			{Name: "version", Type: responder.TextParam, Static: true, Doc: "Its version: a number, `$LATEST` or `$DEFAULT`; that if not given."},
			{Name: "parameters", Type: responder.ListParam, Pairs: true,
				Doc: "What the runbook is to act on, `NAME=value` each; a name that comes again adds a value. Values are ids, names and ARNs: letters, digits and `_+=,.@:/-`."},
			{Name: "settings", Type: responder.ListParam, Static: true, Pairs: true,
				Doc: "Its other parameters, `NAME=value` each, of any text, written out. Guards do not take what they name for something that is touched."},
			{Name: "role", Type: responder.TextParam, Static: true,
				Doc: "The role that the runbook takes, its AutomationAssumeRole: a name or an ARN, of the account that it runs in. One whose name does not begin with responder-action- needs a permission of its own. Without it, a runbook that names no role itself may do only what Responder may."},
			{Name: "touches", Type: responder.ListParam,
				Doc: "ARNs of what the runbook will touch, where `parameters` do not say it by ARNs or by ids of EC2: guards are asked about them."},
		}, placeParams()...),
		Result: map[string]string{
			"execution": "the execution's id",
			"document":  "the runbook",
			"already":   "true if an earlier attempt had started it",
		},
		Permissions: []responder.Permission{
			{Actions: []string{"ssm:DescribeDocument"}, Resources: []string{ofAWS, own}},
			{Actions: []string{"ssm:StartAutomationExecution"}, Resources: []string{ofAWS, own, automationExecutionARN}},
			{Actions: []string{"ssm:AddTagsToResource"}, Resources: []string{automationExecutionARN}},
			{Actions: []string{"ssm:DescribeAutomationExecutions"}, Resources: []string{"*"}},
			passing("arn:${AWS::Partition}:iam::${AWS::AccountId}:role/responder-action-*"),
		},
		Inverse: "Nothing that Responder knows of: what the runbook does is its own. AWS's containment runbooks can be run anew to release what they have contained.",
	}
}

// passing is the permission to hand a role to Systems Manager, and to it alone.
func passing(role string) responder.Permission {
	return responder.Permission{Actions: []string{"iam:PassRole"}, Resources: []string{role},
		Condition: map[string]map[string]string{"StringEquals": {"iam:PassedToService": "ssm.amazonaws.com"}}}
}

// runbook is what a call asks to be run.
type runbook struct {
	document
	version    *string
	role       string // ARN, "" for none
	parameters map[string][]string
	touches    []responder.Target
}

// read gives what a call asks to be run. It touches nothing.
func (a *ssmAutomation) read(call responder.Call) (runbook, error) {
	there, err := a.place(call)
	if err != nil {
		return runbook{}, err
	}
	var r runbook
	if r.document, r.version, err = documentOf(there); err != nil {
		return runbook{}, err
	}
	if r.role, err = roleOf(there); err != nil {
		return runbook{}, err
	}
	acted, err := pairsParam(there, "parameters", valueForm)
	if err != nil {
		return runbook{}, err
	}
	settings, err := pairsParam(there, "settings", settingForm)
	if err != nil {
		return runbook{}, err
	}
	for name := range settings {
		if acted[name] != nil {
			return runbook{}, permanentf("%s stands among parameters and among settings", name)
		}
	}
	if r.touches, err = touched(there, acted); err != nil {
		return runbook{}, err
	}
	r.parameters = map[string][]string{}
	maps.Copy(r.parameters, acted)
	maps.Copy(r.parameters, settings)
	if r.role != "" {
		r.parameters[assumeRole] = []string{r.role}
	}
	return r, nil
}

// Do implements responder.Action. It can be repeated: the token is the same, and
// an execution that there is already is looked for first.
func (a *ssmAutomation) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	r, err := a.read(call)
	if err != nil {
		return nil, err
	}
	_, api, err := a.at(ctx, a, call)
	if err != nil {
		return nil, err
	}
	switch known, there, err := ofStep(ctx, api, call.Key); {
	case err != nil:
		return nil, err
	case there:
		if _, err := known.ended(); err != nil {
			return nil, permanentf("%w; the run, made again, starts another", err)
		}
		return responder.Result{"execution": known.id, "document": r.said, "already": true}, nil
	}
	out, err := api.StartAutomationExecution(ctx, &ssm.StartAutomationExecutionInput{
		DocumentName: &r.said, DocumentVersion: r.version, Parameters: r.parameters, ClientToken: aws.String(clientToken(call.Key)),
		Tags: []types.Tag{{Key: aws.String(automationTag + stepHash(call.Key)), Value: aws.String(sessionName(call.Key))}},
	})
	if err != nil {
		return nil, awsError("ssm:StartAutomationExecution", err, mutates)
	}
	return responder.Result{"execution": aws.ToString(out.AutomationExecutionId), "document": r.said}, nil
}

// Verify implements responder.Verifier: done if the step has an execution that
// has not failed. One that has is not started anew: Do says how it ended.
func (a *ssmAutomation) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	if _, err := a.read(call); err != nil {
		return responder.VerdictUnknown, err
	}
	_, api, err := a.at(ctx, a, call)
	if err != nil {
		return responder.VerdictUnknown, err
	}
	known, there, err := ofStep(ctx, api, call.Key)
	if err != nil {
		return responder.VerdictUnknown, err
	}
	_, failed := known.ended()
	return verdict(there && failed == nil, nil)
}

// Survey implements responder.Surveyor.
func (a *ssmAutomation) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	r, err := a.read(call)
	if err != nil {
		return responder.Survey{}, err
	}
	there, api, err := a.at(ctx, a, call)
	if err != nil {
		return responder.Survey{}, err
	}
	out, err := api.DescribeDocument(ctx, &ssm.DescribeDocumentInput{Name: &r.said, DocumentVersion: r.version})
	switch {
	case hasCode(err, "InvalidDocument"):
		return responder.Survey{}, permanentf("there is no runbook %s", r.arn)
	case err != nil:
		return responder.Survey{}, awsError("ssm:DescribeDocument", err, reads)
	case out.Document == nil:
		return responder.Survey{}, transientf("ssm:DescribeDocument: the answer holds no document")
	case out.Document.DocumentType != types.DocumentTypeAutomation:
		return responder.Survey{}, permanentf("%s is no runbook, but a document of type %s", r.arn, out.Document.DocumentType)
	}
	program := responder.Target{ARN: r.arn, Account: there.Account, Region: there.Region, Static: true}
	if named, err := arn.Parse(r.arn); err == nil && named.AccountID != "" {
		program.Account = named.AccountID // whoever shares it
	}
	for _, tag := range out.Document.Tags {
		if program.Tags == nil {
			program.Tags = map[string]string{}
		}
		program.Tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return responder.Survey{
		Targets: append([]responder.Target{program}, r.touches...),
		Found:   map[string]any{"document": r.said, "version": aws.ToString(out.Document.DocumentVersion)},
		Lasting: []string{"whatever the runbook does"},
	}, nil
}

// Needs implements responder.Narrower.
func (a *ssmAutomation) Needs(call responder.Call) []responder.Permission {
	r, err := a.read(call)
	if err != nil {
		return nil // Do refuses it
	}
	there, _ := a.place(call)
	executions := "arn:${AWS::Partition}:ssm:" + there.Region + ":${AWS::AccountId}:automation-execution/*"
	needs := []responder.Permission{
		{Actions: []string{"ssm:DescribeDocument"}, Resources: []string{r.arn}},
		{Actions: []string{"ssm:StartAutomationExecution"}, Resources: []string{r.arn, executions}},
		{Actions: []string{"ssm:AddTagsToResource"}, Resources: []string{executions}},
		{Actions: []string{"ssm:DescribeAutomationExecutions"}, Resources: []string{"*"}},
	}
	if r.role != "" {
		needs = append(needs, passing(r.role))
	}
	return needs
}

// Describe implements responder.Describer.
func (a *ssmAutomation) Describe(call responder.Call) string {
	said := "run " + inline(plain(call.Params["document"]))
	var with []string
	for _, param := range []string{"parameters", "settings"} {
		if text := inline(plain(call.Params[param])); text != "" {
			with = append(with, text)
		}
	}
	if len(with) > 0 {
		said += " with " + strings.Join(with, ", ")
	}
	if role := inline(plain(call.Params["role"])); role != "" {
		said += " as " + role
	}
	return said
}
