package docs

import (
	"maps"
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

Actions on AWS ask only in the account of the event: with credentials of another account they fail. A target that is missing, empty or
malformed fails the step for good; it never means "all".

The permissions are what ` + "`responder policy`" + ` collects for the flows that are enabled. Those of a repair count where its flow is live.
`)
	for _, name := range names {
		b.WriteString(describe(t, all[name].Spec()))
	}
	same(t, "actions.md", b.String())
}

func describe(t *testing.T, spec responder.Spec) string {
	t.Helper()
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
	b.WriteString("\n" + notes(t, spec.Name) + "\n")
	return b.String()
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
			"      values:\n        - {label: Account, value: \"{{ account.name }}\"}\n        - {label: Region, value: \"{{ region }}\"}\n```\n",
		"SendDiscord":            "```yaml steps\n- SendDiscord: {webhookURL: \"secret:discord\", message: \"{{ title }} in {{ account.name }}\"}\n```\n",
		"SendGoogleChat":         "```yaml steps\n- SendGoogleChat: {webhookURL: \"secret:google-chat\", message: \"{{ title }} in {{ account.name }}\"}\n```\n",
		"SendEmail":              "```yaml steps\n- SendEmail: {subject: \"{{ pretty(severity) }}: {{ title }}\"}\n```\n",
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
		"EC2InstanceAlive":       bound("check", ids, launched),
		"EC2TerminateInstances":  bound("remediate", ids, launched),
	}
	text, ok := texts[spec.Name]
	if !ok {
		t.Fatalf("there is no example of %s", spec.Name)
	}
	return text
}

// notes are the limits that an action keeps, and how it fails.
func notes(t *testing.T, name string) string {
	t.Helper()
	hook := limitsOf(t, "actions/webhook.go")
	webhook := "An address is `https`, or `http` on this machine itself. Redirects are not followed. No answer within " + hook.span("webhookTimeout") +
		", 408, 429 and 5xx are tried again, not before what `Retry-After` asks for; any other answer but 2xx fails the step."
	switch name {
	case "SendSlack":
		l := limitsOf(t, "actions/send_slack.go")
		return "Slack's limits are kept, over-long texts are cut: a header " + l.count("slackHeader") + " characters, a text " + l.count("slackText") +
			", a field " + l.count("slackField") + ", " + l.count("slackFields") + " fields, " + l.count("slackElements") + " elements of a context, " + l.count("slackBlocks") +
			" blocks. Blocks that come out empty are left out. What comes from an event cannot be a link or a mention. " + webhook
	case "SendDiscord":
		l := limitsOf(t, "actions/send_discord.go")
		return "Discord's limits are kept, over-long texts are cut: the content " + l.count("discordContent") + " characters, " + l.count("discordEmbeds") + " embeds with together " +
			l.count("discordTotal") + ", a title " + l.count("discordTitle") + ", a description " + l.count("discordDescription") + ", " + l.count("discordFields") + " fields, a field's value " +
			l.count("discordFieldValue") + ". Fields that come out empty are left out. What comes from an event cannot be Markdown or a mention. " + webhook
	case "SendGoogleChat":
		l := limitsOf(t, "actions/send_google_chat.go")
		return "Google Chat's limits are kept, over-long texts are cut: a message " + l.count("googleMessage") + " bytes, " + l.count("googleWidgets") + " widgets; a title " +
			l.count("googleTitle") + " characters, a text " + l.count("googleText") + ". Widgets that come out empty are left out. What comes from an event cannot be HTML. " + webhook
	case "SendEmail":
		l := limitsOf(t, "actions/send_email.go")
		return "SNS's limits are kept: a subject has at most " + l.count("snsSubject") + " characters, a message " + l.size("snsMessage") +
			"; what is over is cut off the end, with a note. The topic is a standard one: FIFO topics have no e-mail subscriptions. It is asked in the region that its ARN names."
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
	case "EC2InstanceAlive":
		return "If none of the instances is pending or running, the check says no, and the flow stops."
	case "EC2TerminateInstances":
		return "Instances that are gone or ending are no error. Where one protected instance would spare others, they are terminated one by one. " +
			"Before a second try of unknown outcome, it is looked whether all are terminated, shutting down or unknown."
	}
	t.Fatalf("there are no notes on %s", name)
	return ""
}
