package actions

import (
	"strconv"

	"github.com/skycrafters/responder"
)

// What each action would do, in the few words that a dry run records.

var (
	_ responder.Describer = (*chat)(nil)
	_ responder.Describer = (*sendEmail)(nil)
	_ responder.Describer = (*iamUserExists)(nil)
	_ responder.Describer = (*iamDeleteUser)(nil)
	_ responder.Describer = (*ec2InstanceAlive)(nil)
	_ responder.Describer = (*ec2TerminateInstances)(nil)
)

// Describe implements responder.Describer.
func (c *chat) Describe(call responder.Call) string { return "post " + headlineAs(call, c.reread) }

// Describe implements responder.Describer.
func (a *sendEmail) Describe(call responder.Call) string {
	if subject := inline(plain(call.Params["subject"])); subject != "" {
		return "e-mail " + strconv.Quote(call.Prefix+subject)
	}
	return "e-mail " + headline(call)
}

// Describe implements responder.Describer.
func (a *iamUserExists) Describe(call responder.Call) string {
	return "ask whether user " + inline(plain(call.Params["user"])) + " still exists"
}

// Describe implements responder.Describer.
func (a *iamDeleteUser) Describe(call responder.Call) string {
	return "delete user " + inline(plain(call.Params["user"]))
}

// Describe implements responder.Describer.
func (a *ec2InstanceAlive) Describe(call responder.Call) string {
	return "ask whether " + inline(plain(call.Params["ids"])) + " are alive"
}

// Describe implements responder.Describer.
func (a *ec2TerminateInstances) Describe(call responder.Call) string {
	return "terminate " + inline(plain(call.Params["ids"])) + afterSnapshots(call)
}

// headline is what a notice says first, quoted.
func headline(call responder.Call) string {
	return headlineAs(call, func(text string) string { return text })
}

// headlineAs is headline, with what was escaped for a service read by reread.
func headlineAs(call responder.Call, reread func(string) string) string {
	said := title(call.Finding)
	if m, err := messageParam(call); err == nil && call.Body == nil && m.header != "" {
		said = reread(m.header)
	}
	return strconv.Quote(call.Prefix + inline(said))
}
