package dispatch

import (
	"slices"
	"strings"

	"github.com/skycrafters/responder"
)

// actorOf gives all ways in which the actor of an event is known: what the event
// says, and, where people are told of, what belongs to the same person. Of some
// events nobody can tell; then it is empty.
func actorOf(event responder.Event, people map[string]person) responder.Barred {
	var b responder.Barred
	arns, names := named(event)
	add(&b.IAM, arns...)
	add(&b.Names, names...)
	for _, name := range sortedKeys(people) {
		p := people[name]
		if slices.ContainsFunc(p.iam, func(own string) bool {
			return isNamed(nameOf(own), b.Names) || slices.ContainsFunc(b.IAM, func(arn string) bool { return owns(own, arn) })
		}) || slices.ContainsFunc(append([]string{name}, p.names...), func(own string) bool { return isNamed(own, b.Names) }) {
			add(&b.Slack, p.slack...)
			add(&b.IAM, p.iam...)
			add(&b.Names, p.names...)
			add(&b.Names, name)
		}
	}
	return b
}

func add(to *[]string, texts ...string) {
	for _, text := range texts {
		if text != "" && !slices.Contains(*to, text) {
			*to = append(*to, text)
		}
	}
}

// named gives the ARNs and the names by which an event knows its actor. Of a
// session that is its role's ARN, the session's name, which an identity provider
// may have given it, and the identity that it was made with, which does not change
// when roles are taken one after another.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
func named(event responder.Event) (arns, names []string) {
	identity := func(path ...string) string {
		return textAt(event.Body, append([]string{"detail", "userIdentity"}, path...)...)
	}
	arn := identity("arn")
	arns = []string{event.Principal(), arn}
	names = []string{
		identity("userName"), nameOf(arn), nameOf(event.Principal()), sessionIn(identity("principalId")),
		identity("sessionContext", "sourceIdentity"), identity("onBehalfOf", "userId"),
	}
	if textAt(event.Body, "source") == "aws.guardduty" {
		keyARNs, keyNames := keyOwner(event)
		arns, names = append(arns, keyARNs...), append(names, keyNames...)
	}
	return arns, names
}

// sessionIn is the session's name in the id of a principal, "AROA…:NAME", "" for
// others.
func sessionIn(principal string) string {
	_, session, _ := strings.Cut(principal, ":")
	return session
}

// keyOwner is whose access key a finding of GuardDuty is about.
// https://docs.aws.amazon.com/guardduty/latest/APIReference/API_AccessKeyDetails.html
func keyOwner(event responder.Event) (arns, names []string) {
	key := func(name string) string {
		return textAt(event.Body, "detail", "resource", "accessKeyDetails", name)
	}
	name, partition, account := key("userName"), textAt(event.Body, "detail", "partition"), event.Account()
	if partition == "" {
		partition = "aws"
	}
	switch kind := map[string]string{"IAMUser": "user", "AssumedRole": "role", "Role": "role"}[key("userType")]; {
	case name == "" || account == "":
	case kind != "":
		arns = []string{"arn:" + partition + ":iam::" + account + ":" + kind + "/" + name}
	case key("userType") == "Root":
		arns = []string{"arn:" + partition + ":iam::" + account + ":root"}
	}
	if key("userType") == "IAMUser" || len(arns) == 0 {
		names = []string{name}
	}
	return arns, append(names, sessionIn(key("principalId")))
}

// actorUnknown is said in a question about what nobody knows who has caused.
const actorUnknown = "Who caused the event is not known: nobody is kept from deciding about their own doing."

// withActor adds to a question that nobody is barred from it, if nobody is.
func withActor(text string, not responder.Barred) string {
	if len(not.IAM)+len(not.Names) > 0 {
		return text
	}
	return text + " " + actorUnknown
}
