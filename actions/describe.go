package actions

import (
	"cmp"
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
func (c *chat) Describe(call responder.Call) string { return "post " + headline(call) }

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
	said := title(call.Finding)
	if m, err := messageParam(call); err == nil && call.Body == nil {
		said = cmp.Or(m.header, said)
	}
	return strconv.Quote(call.Prefix + inline(said))
}
