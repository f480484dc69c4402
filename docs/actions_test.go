package docs

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/skycrafters/responder"
)

// TestActions holds actions.md to the actions' own declarations.
func TestActions(t *testing.T) {
	var b strings.Builder
	b.WriteString(`<!-- Made from the code by: go test ./docs -update -->

# Actions

What the steps of a flow ([flows.md](flows.md)) and the checks and repairs of a rule ([rules.md](rules.md#checks-and-repairs)) can do.
An action is a *notice* (it tells), a *check* (it reads, and can say no) or a *repair* (it changes something).

`)
	all := catalogue()
	kinds := []responder.Kind{responder.Notice, responder.Check, responder.Repair}
	names := slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		if k := slices.Index(kinds, all[a].Spec().Kind) - slices.Index(kinds, all[b].Spec().Kind); k != 0 {
			return k
		}
		return strings.Compare(a, b)
	})
	var rows [][]string
	for _, name := range names {
		spec := all[name].Spec()
		rows = append(rows, []string{"[" + name + "](#" + strings.ToLower(name) + ")", string(spec.Kind), spec.Doc})
	}
	b.WriteString(table([]string{"action", "kind", "what it does"}, rows))
	b.WriteString(`
Waiting is no action: a flow says ` + "`wait: 10m`" + `.

Parameters that are *static* are written out by the flow's author: ` + "`{{ }}`" + ` in them is refused, so that no event can choose an address.
*Secret* ones hold a reference, ` + "`env:NAME` or `secret:NAME`" + `, that is looked up at the moment of acting; an address in plain text is taken
with a warning, and never shown. In a flow, defaults of all parameters can stand under ` + "`actions:`" + `.

Checks and repairs ask AWS only in the account of the event, or in that of a program which the flow's author names (InvokeLambda, StartExecution, SSMAutomation), through a role there that may do what the step needs
([deploying](deploying.md#repairs-in-other-accounts)), or locally as who runs Responder; with credentials of another account they fail. A target that is missing, empty or
malformed fails the step for good; it never means "all".

What a notice would send for an event, ` + "`responder preview FLOW --event FILE`" + ` shows: to whom, what people would read and the exact body, with ` + "`--html FILE`" + ` an
e-mail's HTML. It sends nothing and looks up no secret.

The permissions are what ` + "`responder policy`" + ` collects for the flows that are enabled. Those of a repair count where its flow is live.
`)
	for _, name := range names {
		b.WriteString(describe(t, all[name]))
	}
	same(t, "actions.md", b.String())
}

func describe(t *testing.T, action responder.Action) string {
	t.Helper()
	spec := action.Spec()
	var b strings.Builder
	b.WriteString("\n## " + spec.Name + "\n\nA " + string(spec.Kind) + ". " + spec.Doc + "\n\n" + example(t, spec) + "\n")
	var rows [][]string
	for _, p := range spec.Params {
		rows = append(rows, []string{code(p.Name), shape(p), p.Doc})
	}
	if spec.Templates {
		rows = append(rows, []string{"`template`", "text, static", "The name of a file `templates/" + spec.Name + "/NAME.yml`: the whole body of the message."})
	}
	b.WriteString(table([]string{"parameter", "shape", "what it is"}, rows))
	b.WriteString("\n" + table([]string{"result", "what it holds"}, pairs(spec.Result)))
	if len(spec.Permissions) > 0 {
		var rows [][]string
		for _, p := range spec.Permissions {
			rows = append(rows, []string{codes(p.Actions), codes(p.Resources)})
		}
		b.WriteString("\n" + table([]string{"permission", "on"}, rows))
	}
	b.WriteString("\n" + notes(t, spec.Name) + "\n" + standing(t, action))
	return b.String()
}

// standing says what holds an action to its word: how it is verified, what puts
// it back, and where it is tested.
func standing(t *testing.T, action responder.Action) string {
	t.Helper()
	spec := action.Spec()
	var rows [][]string
	if _, ok := action.(responder.Verifier); ok {
		rows = append(rows, []string{"verified", "before a second try of unknown outcome, by looking"})
	}
	if spec.Inverse != "" {
		rows = append(rows, []string{"put back by", spec.Inverse})
	}
	if len(spec.Undo) > 0 {
		rows = append(rows, []string{"undone", "by `responder runs undo`, to how it stood before the repair acted; of one that was refused halfway, what was not done is left alone, unless somebody else has done it meanwhile"})
	}
	if _, ok := action.(responder.Previewer); ok {
		rows = append(rows, []string{"shown by", code("responder preview " + spec.Name + " --event FILE")})
	} else if spec.Kind == responder.Notice {
		t.Errorf("%s does not show what it would send", spec.Name)
	}
	rows = append(rows, []string{"tested", tested(t, spec.Name)})
	return "\n" + table([]string{"", ""}, rows)
}

// tested says which tests name an action, by what they run it against.
func tested(t *testing.T, name string) string {
	t.Helper()
	against := func(pattern string) (files []string) {
		paths, err := filepath.Glob(root + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if strings.Contains(read(t, path), `"`+name+`"`) {
				files = append(files, code(strings.TrimPrefix(path, root)))
			}
		}
		return files
	}
	var all []string
	by := func(what string, files []string) {
		if len(files) > 0 {
			all = append(all, what+": "+strings.Join(files, ", "))
		}
	}
	unit := against("actions/*_test.go")
	var alone, moto, wire []string
	for _, file := range unit {
		switch {
		case strings.Contains(file, "/moto_"):
			moto = append(moto, file)
		case strings.Contains(file, "_wire_test.go"):
			wire = append(wire, file)
		case !strings.Contains(file, "example_test.go") && !strings.Contains(file, "catalogue_test.go") && !strings.Contains(file, "repairs_tested_test.go"):
			alone = append(alone, file)
		}
	}
	by("against stand-ins that refuse what the service refuses", alone)
	by("by the SDK's client, against a stand-in that speaks as the service does, for the emulators do not know it", wire)
	by("against an emulator of AWS", moto)
	by("in the deployed stack", against("cmd/internal/stacktest/*_test.go"))
	if len(alone)+len(wire) == 0 {
		t.Errorf("%s is tested nowhere", name)
	}
	return strings.Join(all, "; ")
}

func shape(p responder.Param) string {
	words := []string{map[responder.ParamType]string{
		responder.TextParam: "text", responder.ListParam: "list of texts", responder.NumberParam: "number", responder.BoolParam: "true or false",
		responder.MessageParam: "message",
	}[p.Type]}
	if p.Required {
		words = append(words, "required")
	}
	if p.Static {
		words = append(words, "static")
	}
	if p.Secret {
		words = append(words, "secret")
	}
	return strings.Join(words, ", ")
}

func pairs(m map[string]string) [][]string {
	var rows [][]string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		rows = append(rows, []string{code(k), m[k]})
	}
	return rows
}

// example shows the action in a flow, a check or repair in a rule.
func example(t *testing.T, spec responder.Spec) string {
	t.Helper()
	bound := func(field, params, resources string) string {
		return "```yaml rules\nrules:\n  Example:\n    when: " + resources + "\n    " + field + ": {" + spec.Name + ": {" + params + "}}\n```\n"
	}
	const user = `user: "{{ req.userName }}", id: "{{ resp.user.userId }}"`
	const actor = `user: "{{ actor.name }}", id: "{{ actor.id }}"`
	const byUser = `ok && actor.type == "IAMUser" && ip == "203.0.113.9"`
	const byRole = `ok && actor.type == "AssumedRole" && actor.account == account.id && ip == "203.0.113.9"`
	const role = `role: "{{ actor.name }}"`
	const ids = `ids: "{{ resources }}"`
	const created = `action == "iam:CreateUser" && ok`
	const launched = "action == \"ec2:RunInstances\" && ok\n    resources: ['map(resp.instancesSet.items, .instanceId)']"
	texts := map[string]string{
		"SendSlack": "```yaml steps\n- SendSlack: {webhookURL: \"secret:slack\", template: aws-event}\n- SendSlack:\n    message:\n      header: \"{{ title }}\"\n" +
			"      values:\n        - {label: Account, value: \"{{ account.name }}\"}\n        - {label: Region, value: \"{{ region }}\"}\n" +
			"- SendSlack: {token: \"secret:slack-bot\", channel: \"#alerts\", thread: true}\n```\n",
		"SendDiscord":    "```yaml steps\n- SendDiscord: {webhookURL: \"secret:discord\", message: \"{{ title }} in {{ account.name }}\"}\n```\n",
		"SendGoogleChat": "```yaml steps\n- SendGoogleChat: {webhookURL: \"secret:google-chat\", message: \"{{ title }} in {{ account.name }}\"}\n```\n",
		"SendEmail": "```yaml steps\n- SendEmail: {subject: \"{{ pretty(severity) }}: {{ title }}\"}\n" +
			"- SendEmail: {from: Responder <alerts@example.com>, to: [ops@example.com]}\n```\n",
		"SendTeams": "```yaml steps\n- SendTeams: {webhookURL: \"secret:teams\", template: aws-event}\n```\n",
		"SendPagerDuty": "```yaml steps\n- SendPagerDuty: {routingKey: \"secret:pagerduty\"}\n- wait: 10m\n- check: {}\n- remediate: {}\n" +
			"- SendPagerDuty: {routingKey: \"secret:pagerduty\", event: resolve}\n```\n",
		"SendWebhook":            "```yaml steps\n- SendWebhook: {url: \"secret:siem\", signingKey: \"secret:siem-key\"}\n```\n",
		"IAMUserExists":          bound("check", user, created),
		"IAMDeleteUser":          bound("remediate", user, created),
		"IAMDisableAccessKeys":   bound("remediate", actor+`, keys: "{{ actor.key }}"`, byUser),
		"IAMEnableAccessKeys":    "```yaml steps\n- IAMEnableAccessKeys: {user: bob, keys: [AKIAIOSFODNN7EXAMPLE]}\n```\n",
		"IAMDeleteAccessKeys":    bound("remediate", actor+`, keys: "{{ actor.key }}"`, byUser),
		"IAMRemoveConsoleAccess": bound("remediate", actor, byUser),
		"IAMQuarantineUser":      bound("remediate", actor, byUser),
		"IAMReleaseUser":         "```yaml steps\n- IAMReleaseUser: {user: bob}\n```\n",
		"IAMRevokeRoleSessions":  bound("remediate", role, byRole),
		"IAMAllowRoleSessions":   "```yaml steps\n- IAMAllowRoleSessions: {role: ops}\n```\n",
		"CloudTrailStartLogging": bound("remediate", `trail: "{{ req.name }}"`, `action == "cloudtrail:StopLogging" && ok`),
		"InvokeLambda":           "```yaml steps\n- InvokeLambda: {function: \"arn:aws:lambda:eu-west-1:111122223333:function:responder-action-ticket\", idempotent: true}\n```\n",
		"StartExecution":         "```yaml steps\n- StartExecution: {stateMachine: \"env:CONTAINMENT_STATE_MACHINE\"}\n```\n",
		"SSMAutomation": "```yaml steps\n- SSMAutomation:\n    document: AWSSupport-ContainEC2Instance\n    role: responder-action-containment\n    parameters: [\"InstanceId={{ resources[0] }}\"]\n" +
			"    settings: [Action=Contain, BackupS3BucketName=the-backups]\n  as: containment\n- if: steps.containment.result.execution != nil\n  then:\n" +
			"    - SSMAutomationSucceeded: {execution: \"{{ steps.containment.result.execution }}\"}\n      retry: {attempts: 20, backoff: 30s}\n```\n",
		"SSMAutomationSucceeded": "```yaml steps\n- SSMAutomation: {document: responder-action-evict, role: responder-action-evict, parameters: [\"Key={{ actor.key }}\"]}\n  as: eviction\n" +
			"- if: steps.eviction.result.execution != nil\n  then:\n    - SSMAutomationSucceeded: {execution: \"{{ steps.eviction.result.execution }}\"}\n" +
			"      retry: {attempts: 20, backoff: 30s}\n      on_error: [SendSlack: {message: The eviction has failed}]\n```\n",
		"EC2InstanceAlive":         bound("check", ids, launched),
		"EC2TerminateInstances":    bound("remediate", ids, launched),
		"EC2StopInstances":         bound("remediate", ids, launched),
		"EC2StartInstances":        "```yaml steps\n- EC2StartInstances: {ids: [i-0123456789abcdef0]}\n```\n",
		"EC2MakeSnapshotPrivate":   bound("remediate", `ids: "{{ req.snapshotId }}"`, `action == "ec2:ModifySnapshotAttribute" && ok`),
		"EC2ShareSnapshot":         "```yaml steps\n- EC2ShareSnapshot: {ids: [snap-0123456789abcdef0], with: [\"111122223333\"]}\n```\n",
		"EC2MakeImagePrivate":      bound("remediate", `ids: "{{ req.imageId }}", from: [public]`, `action == "ec2:ModifyImageAttribute" && ok`),
		"EC2ShareImage":            "```yaml steps\n- EC2ShareImage: {ids: [ami-0123456789abcdef0], with: [\"111122223333\"]}\n```\n",
		"S3BlockPublicAccess":      bound("remediate", `bucket: "{{ req.bucketName }}"`, `action in ["s3:PutBucketPolicy", "s3:PutBucketAcl", "s3:DeleteBucketPublicAccessBlock"] && ok`),
		"S3SetPublicAccessBlock":   "```yaml steps\n- S3SetPublicAccessBlock: {bucket: the-shop, blockPublicAcls: true, ignorePublicAcls: true}\n```\n",
		"EC2IsolateInstances":      bound("remediate", ids+", snapshot: true", launched),
		"EC2RestoreSecurityGroups": "```yaml steps\n- EC2RestoreSecurityGroups: {interfaces: [eni-0123456789abcdef0=sg-0123456789abcdef0]}\n```\n",
		"EC2RevokeOpenIngress":     bound("remediate", `group: "{{ req.groupId }}", ports: ["22", "3389"]`, `action == "ec2:AuthorizeSecurityGroupIngress" && ok`),
		"EC2AuthorizeIngress":      "```yaml steps\n- EC2AuthorizeIngress: {group: sg-0123456789abcdef0, rules: [tcp 443 0.0.0.0/0 the shop]}\n```\n",
	}
	text, ok := texts[spec.Name]
	if !ok {
		t.Fatalf("there is no example of %s", spec.Name)
	}
	return text
}

// webhookNotes say what is posted, and how to see that it is genuine.
func webhookNotes(t *testing.T) string {
	t.Helper()
	return "What is posted is `{v, run: {id, step, flow}, dry, account, region, message, question, finding}`; the finding holds the event as it came. `v` is 1, and new keys may come. " +
		"A template takes the place of all of it. The header `Idempotency-Key` is the same at each attempt.\n\n" +
		"With a `signingKey` the header `X-Responder-Signature` is `t=MOMENT,v1=SIGNATURE`: the moment in Unix seconds, and the HMAC-SHA256 of `MOMENT.BODY` in hexadecimal. " +
		"To verify it, in Python:\n\n```python\n" + `def genuine(header: str, body: bytes, key: bytes) -> bool:
    t, v1 = (part.split("=", 1)[1] for part in header.split(","))
    want = hmac.new(key, t.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(v1, want) and abs(time.time() - int(t)) <= 300
` + "```\n\n"
}

// handedOver is what programs of one's own are given.
const handedOver = "It is given `{key, flow, account, region, finding}`: `key` is the same for each try of a step, account and region are the event's, and the finding holds the event."

// notes are the limits that an action keeps, and how it fails.
func notes(t *testing.T, name string) string {
	t.Helper()
	hook := limitsOf(t, "actions/webhook.go")
	const putting = " A question is put before all else, with its plan and how to answer."
	webhook := "An address is `https`, or `http` on this machine itself, and public unless allowed by name ([security](security.md#what-leaves-by-http)). Redirects are not followed. No answer within " + hook.span("webhookTimeout") +
		", 408, 429 and 5xx are tried again, not before what `Retry-After` asks for; any other answer but 2xx fails the step."
	switch name {
	case "SendSlack":
		l := limitsOf(t, "actions/send_slack.go")
		return "Slack's limits are kept, over-long texts are cut: a header " + l.count("slackHeader") + " characters, a text " + l.count("slackText") +
			", a field " + l.count("slackField") + ", " + l.count("slackFields") + " fields, " + l.count("slackElements") + " elements of a context, " + l.count("slackBlocks") +
			" blocks. Blocks that come out empty are left out. What comes from an event cannot be a link or a mention. " + webhook + `

With a ` + "`token`" + ` the message is posted by ` + "`chat.postMessage`" + `, and the result says where it stands. With ` + "`thread: true`" + ` the first message of a run to a
channel begins a thread, and the later ones answer in it; each also writes the first one anew, with which step was last and how many are done. So
it is as fresh as the last notice: a notice at a flow's end closes it. A first message that cannot be written anew fails nothing, and the result says so.
Slack has no key by which it would know a message that is posted again: where an answer is lost, the message stands there twice.

Under an approval the question comes first: its plan, all of it and as it is, and buttons *Approve* and *Deny* (of a veto, *Object*). A plan that is too
long to be shown whole has no buttons. The buttons need an app whose interactivity points at Responder.`
	case "SendDiscord":
		l := limitsOf(t, "actions/send_discord.go")
		return "Discord's limits are kept, over-long texts are cut: the content " + l.count("discordContent") + " characters, " + l.count("discordEmbeds") + " embeds with together " +
			l.count("discordTotal") + ", a title " + l.count("discordTitle") + ", a description " + l.count("discordDescription") + ", " + l.count("discordFields") + " fields, a field's value " +
			l.count("discordFieldValue") + ". Fields that come out empty are left out. What comes from an event cannot be Markdown or a mention." + putting + " " + webhook
	case "SendGoogleChat":
		l := limitsOf(t, "actions/send_google_chat.go")
		return "Google Chat's limits are kept, over-long texts are cut: a message " + l.count("googleMessage") + " bytes, " + l.count("googleWidgets") + " widgets; a title " +
			l.count("googleTitle") + " characters, a text " + l.count("googleText") + ". Widgets that come out empty are left out. What comes from an event cannot be HTML." + putting + " " + webhook
	case "SendTeams":
		l := limitsOf(t, "actions/send_teams.go")
		return "The address is that of a workflow that begins when a Teams webhook request is received. What is sent is an Adaptive Card, version 1.4, of at most " + l.count("teamsMessage") +
			" bytes: over-long texts are cut, then elements, " + l.count("teamsElements") + " at most. What comes from an event is no Markdown: it stands in runs of text, and its brackets are written wide." + putting + " " + webhook
	case "SendPagerDuty":
		l := limitsOf(t, "actions/send_pagerduty.go")
		return "The alert's key is the run's id, so a run has one alert however often it is told, and `acknowledge` and `resolve` mean that one. A severity of VERY_HIGH or above is PagerDuty's " +
			"`critical`, HIGH its `error`, MEDIUM its `warning`, what is below its `info`. A summary has at most " + l.count("pagerSummary") + " characters, a detail " + l.count("pagerDetail") + ". " + webhook
	case "SendWebhook":
		return webhookNotes(t) + webhook
	case "SendEmail":
		l := limitsOf(t, "actions/send_email.go")
		return "SNS's limits are kept: a subject has at most " + l.count("snsSubject") + " characters, a message " + l.size("snsMessage") +
			"; what is over is cut off the end, with a note. The topic is a standard one: FIFO topics have no e-mail subscriptions. It is asked in the region that its ARN names." + `

With ` + "`from` and `to`" + ` the mail goes by SES, to at most ` + limitsOf(t, "actions/email_ses.go").count("sesRecipients") + ` addresses, as text and as HTML that fetches nothing and has no links; each body is at most ` +
			limitsOf(t, "actions/email_ses.go").size("sesBody") + `. The permission is then ` + "`ses:SendEmail`" + ` on the sender's identity or its domain's, and for that sender alone. Neither SES nor SNS has a key by which
it would know a mail that is sent again: where an answer is lost, it comes twice.`
	case "IAMUserExists":
		return "No user of that name, or one with another `id`: the check says no, and the flow stops."
	case "IAMDeleteUser":
		return "Credentials go first, all that can go even if one cannot; policies and the permissions boundary go only when no credential is left. " +
			"A user who is gone already is a success. Before a second try of unknown outcome, it is looked whether the user is still there."
	case "IAMDisableAccessKeys":
		return "Where `keys` is not given, all keys that are active at that moment go off, those that were made after it was looked, too; undo makes active those that were found active. " +
			"If one key is refused, the other is done, and the step fails naming both. A user or a key that is gone is no error. Sessions that were begun with a key (`GetSessionToken`) live on: " +
			"IAMQuarantineUser stops them."
	case "IAMEnableAccessKeys":
		return "It is what undoes IAMDisableAccessKeys, with the keys that were active before. A user or key that is gone fails the step: that cannot be put back."
	case "IAMDeleteAccessKeys":
		return "If one key is refused, the other is done, and the step fails naming both. A user or a key that is gone is no error."
	case "IAMRemoveConsoleAccess":
		return "A user without a password, or who is gone already, is a success."
	case "IAMQuarantineUser":
		return "The policy says `Deny` of `*` on `*`, and a deny goes before every allow, at once. AWS's own `AWSCompromisedKeyQuarantineV3`, which AWS attaches to users whose keys it finds in public, " +
			"denies only what thieves of keys are most seen to do, and leaves the rest, so as not to stop a business by surprise; where that is wanted, leave it to AWS, or name fewer users in the rule. " +
			"A policy of that name that says something else is replaced. IAM refuses a policy where a user's inline policies fill their 2,048 characters: the step fails then, and IAMDisableAccessKeys helps. " +
			"`iam:PutUserPolicy` can give permissions as well as take them: [security.md](security.md) says who holds it."
	case "IAMReleaseUser":
		return "It is what undoes IAMQuarantineUser. No such policy, or no such user, is a success."
	case "IAMRevokeRoleSessions":
		return "A later revocation goes over an earlier one, never the other way round. The name differs from the console's `AWSRevokeOlderSessions`, so that neither takes back what the other decided. " +
			"After a try of unknown outcome, it counts as done if sessions from before the event are denied. Roles that only AWS changes (service-linked, those of IAM Identity Center) are refused by IAM, and fail the step."
	case "IAMAllowRoleSessions":
		return "It is what undoes IAMRevokeRoleSessions where no revocation stood before. No such policy, or no such role, is a success."
	case "CloudTrailStartLogging":
		return "A trail of the event's account alone: the ARN of another account's is refused, and so is an organization's trail seen from a member. It is started in its home region, wherever the event is from. " +
			"A trail that is gone fails the step: it has to be made anew. What happened while it was stopped is not in it; CloudTrail's event history holds management events of 90 days all the same."
	case "InvokeLambda":
		return handedOver + " The function is asked in the account and region of its ARN. Where no answer comes, nobody can see whether it ran: the step fails, unless the flow says `idempotent: true`. " +
			"So does a failure that the function reports; one that may run again is invoked again then. With `async`, what the function does is not waited for and its failure not seen. It is no place for secrets: the answer is kept in the run."
	case "StartExecution":
		l := limitsOf(t, "actions/start_execution.go")
		return handedOver + " Where that is more than " + l.size("executionInput") + ", the event is left out (`finding.event` is null). The execution's name is made of `key`, so that a step starts one, however often it is tried; " +
			"after a try of unknown outcome it is looked whether it is there. Express state machines are refused: they cannot be asked. The role needs `states:DescribeExecution` on the executions, too."
	case "SSMAutomation":
		return "A program of the author's choice: which runbook, version, role, account and region, no event says, nor which parameters there are. What `{{ }}` gives stands in the values of `parameters`, and has the form of ids and names, " +
			"for runbooks put values into scripts; `{{ssm:…}}`, a reference to the Parameter Store, is refused there. `AutomationAssumeRole` is said as `role`.\n\n" +
			"A step starts one execution, however often it is tried: its token is made of the step's key, and so is the key of a tag, by which it is found again. One that has failed is not started anew by a retry of the run, which fails with what the runbook says; " +
			"a run made again starts another. Whether it has succeeded, SSMAutomationSucceeded asks. Guards are asked about the runbook, about what `parameters` name by ARNs and by ids of EC2, and about what `touches` names; " +
			"names of users or buckets in `parameters` say nothing to them, so say `touches: [\"arn:aws:iam::{{ account.id }}:user/{{ actor.name }}\"]`. What is not of the event's account is held back, wherever the runbook runs. " +
			"AWS's AWSSupport-ContainEC2Instance, AWSSupport-ContainIAMPrincipal and AWSSupport-ContainS3Resource keep a backup in a bucket, and take `Action=Release` or `Action=Restore`; " +
			"give their `role` what AWS's reference of runbooks lists, and a trust in `ssm.amazonaws.com`."
	case "SSMAutomationSucceeded":
		l := limitsOf(t, "actions/ssm_automation_succeeded.go")
		return "An execution that is under way is asked about again, not before " + l.span("automationLook") + " are over; with `retry: {attempts: 20, backoff: 30s, cap: 5m}` that is for an hour or so. After a repair that was dry or held back there is no execution: ask only if there is, as above. " +
			"One that has failed, timed out, or was cancelled or rejected fails the step with what the runbook says; `on_error:` tells people."
	case "EC2InstanceAlive":
		return "If none of the instances is pending or running, the check says no, and the flow stops."
	case "EC2StopInstances":
		return "Where one instance that cannot be stopped would spare others, they are stopped one by one. One that is still starting is tried again. " +
			"Instances that are gone or ending are no error. It counts as done when EC2 says stopping."
	case "EC2StartInstances":
		return "It is what undoes EC2StopInstances, with the instances that ran before. One that is still stopping is tried again. " +
			"An instance that is gone fails the step: that cannot be put back."
	case "EC2MakeSnapshotPrivate":
		return "Only the account's own snapshots are looked at; another's, or one that is gone, is no error; guards are asked about it all the same, for it may only not be seen yet. If one is refused, the others are done, and the step fails naming both."
	case "EC2MakeImagePrivate":
		return "Only the account's own images are looked at; another's, or one that is gone, is no error; guards are asked about it all the same. In `from`, ARNs of organizations and of their units stand beside accounts. " +
			"The snapshots that an image is made of are shared on their own: EC2MakeSnapshotPrivate is for them. If one is refused, the others are done, and the step fails naming both."
	case "EC2ShareSnapshot":
		return "It is what undoes EC2MakeSnapshotPrivate, with those whom the snapshot was taken from; with whom it is shared, the author says, never an event. A snapshot that is gone fails the step, and the others are done."
	case "EC2ShareImage":
		return "It is what undoes EC2MakeImagePrivate, with those whom the image was taken from; with whom it is shared, the author says, never an event. ARNs of organizations and of their units stand beside accounts. " +
			"An image that is gone fails the step, and the others are done."
	case "S3BlockPublicAccess":
		return "Each request says whose the bucket must be: another account's bucket of that name is refused, whatever its policy says. A bucket in another region than the event's is found there. " +
			"A bucket that is gone is a success. Whatever is served to everybody from the bucket itself, a website for one, is refused from then on."
	case "S3SetPublicAccessBlock":
		return "It is what undoes S3BlockPublicAccess. Which settings are on, the author says, never an event."
	case "EC2IsolateInstances":
		return "Rules that somebody gave the security group are taken from it first. Connections that stand and that EC2 tracks live on until they are idle: a security group is asked when a connection begins " +
			"(EC2StopInstances ends them). The instance's role stays, and whoever copied its credentials can use them elsewhere: IAMRevokeRoleSessions stops that. " +
			"Interfaces that are shared out as branches or delegated to other services are left alone. Snapshots are asked for, all of an instance's at one moment, and not waited for; where one is refused, " +
			"the instances are isolated all the same, and the step fails saying so. A step makes them once, however often it is tried. If one interface is refused, the others are done, and the step fails naming all."
	case "EC2RestoreSecurityGroups":
		return "It is what undoes EC2IsolateInstances. An interface that is gone is no error; a security group that is gone fails the step, and the others are done."
	case "EC2RevokeOpenIngress":
		return "All rules go by one call, or none. A rule of ranges of ports that holds one of `ports` goes whole; ICMP rules go only where no `ports` are given. " +
			"Two rules that halve the internet between them (0.0.0.0/1 and 128.0.0.0/1) are not everybody to it. A group or rule that is gone is no error. Connections that stand live on until they are idle."
	case "EC2AuthorizeIngress":
		return "It is what undoes EC2RevokeOpenIngress, and puts nothing in place but what lets everybody in; so the rules are the author's, never an event's. A rule that is there with another description is left as it is. " +
			"A group that is gone fails the step: that cannot be put back."
	case "EC2TerminateInstances":
		return "Instances that are gone or ending are no error. Where one protected instance would spare others, they are terminated one by one. " +
			"Before a second try of unknown outcome, it is looked whether all are terminated, shutting down or unknown. With `snapshot`, an instance whose volumes cannot be kept stays, the others go, and the step fails saying so."
	}
	t.Fatalf("there are no notes on %s", name)
	return ""
}
