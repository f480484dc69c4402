package dispatch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skycrafters/responder"
)

// may says why somebody may not decide a question, nil if they may. It is pure.
func may(who responder.Identity, by responder.Approvers, not responder.Barred) error {
	switch {
	case who.ID == "":
		return refuse("nobody decides without a name")
	case isBarred(who, not):
		return refuse("%s may not decide this: it is about what they did themselves", who)
	case !isApprover(who, by):
		return refuse("%s may not decide this: they are not among those who are asked", who)
	}
	return nil
}

// isApprover reports whether somebody is among those who are asked.
func isApprover(who responder.Identity, by responder.Approvers) bool {
	switch who.Kind {
	case responder.IdentityCLI:
		return by.CLI
	case responder.IdentitySlack:
		return slices.Contains(by.Slack, who.ID)
	case responder.IdentityIAM:
		return slices.ContainsFunc(by.IAM, func(pattern string) bool {
			return fits(pattern, who.ID) || fits(pattern, roleOf(who.ID))
		})
	}
	return false
}

// isBarred reports whether somebody is the event's actor, or might be: whoever
// bears the same name, as a user, a session or at a machine, is taken for them.
func isBarred(who responder.Identity, not responder.Barred) bool {
	switch who.Kind {
	case responder.IdentityCLI:
		return isNamed(who.ID, not.Names)
	case responder.IdentitySlack:
		return slices.Contains(not.Slack, who.ID)
	case responder.IdentityIAM:
		return isNamed(nameOf(who.ID), not.Names) || slices.ContainsFunc(not.IAM, func(own string) bool { return owns(own, who.ID) })
	}
	return true
}

// isNamed reports whether a name is among others, in whatever case.
func isNamed(name string, others []string) bool {
	return name != "" && slices.ContainsFunc(others, func(other string) bool { return strings.EqualFold(name, other) })
}

// owns reports whether an ARN, or a pattern of ARNs, of somebody is, or fits, an
// ARN, its role, or either without its path.
func owns(own, arn string) bool {
	role := roleOf(arn)
	return samePrincipal(roleOf(own), role) || fits(own, arn) || fits(own, role) || fits(own, withoutPath(role))
}

// nameOf gives the name of the user or the session that an ARN is of, "" for
// others.
func nameOf(arn string) string {
	if _, session, ok := strings.Cut(arn, ":assumed-role/"); ok {
		_, name, _ := strings.Cut(session, "/")
		return name
	}
	for _, kind := range []string{":user/", ":federated-user/"} {
		if _, name, ok := strings.Cut(arn, kind); ok {
			return name[strings.LastIndexByte(name, '/')+1:]
		}
	}
	return ""
}

// roleOf gives the role of a session, arn:aws:iam::ID:role/NAME of
// arn:aws:sts::ID:assumed-role/NAME/SESSION: whoever made the session chose its
// name. Other ARNs stay as they are.
func roleOf(arn string) string {
	before, rest, ok := strings.Cut(arn, ":assumed-role/")
	if !ok {
		return arn
	}
	name, _, _ := strings.Cut(rest, "/")
	return strings.Replace(before, ":sts:", ":iam:", 1) + ":role/" + name
}

// fits reports whether a text is what a pattern says, in which * stands for any
// text. The paths of roles and users count only where the pattern is exact: AWS
// does not tell a session the path of its role.
func fits(pattern, text string) bool {
	if text == "" {
		return false
	}
	if !strings.Contains(pattern, "*") {
		return pattern == text || samePrincipal(pattern, text) && !strings.Contains(text, ":assumed-role/")
	}
	parts := strings.Split(pattern, "*")
	first, last := parts[0], parts[len(parts)-1]
	if !strings.HasPrefix(text, first) || len(text) < len(first)+len(last) || !strings.HasSuffix(text, last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(text, part)
		if at < 0 {
			return false
		}
		text = text[at+len(part):]
	}
	return true
}

// present says why somebody who has decided at a step of a run may not any more: the
// flow as it is now names others. A flow that names nobody any more leaves it at what
// the run began with, which is the stricter then.
func (f *Flows) present(was responder.FlowSnapshot, path string, who responder.Identity) error {
	now, ok := f.byName[was.Name]
	if !ok {
		return nil
	}
	var asked []responder.Approvers
	if path, step := counterpart(was.Steps, path, now.Steps); step != nil && step.Ask != nil {
		asked = append(asked, step.Ask.By)
		for _, q := range governing(now.Steps, path) { // whose yes has lapsed, perhaps
			asked = append(asked, locate(now.Steps, q).Ask.By)
		}
	} else {
		if now.Approvers != nil {
			asked = append(asked, now.Approvers.By)
		}
		Walk(now.Steps, func(_ string, step *responder.Step) {
			if step.Ask != nil {
				asked = append(asked, step.Ask.By)
			}
		})
	}
	if len(asked) > 0 && !slices.ContainsFunc(asked, func(by responder.Approvers) bool { return isApprover(who, by) }) {
		return fmt.Errorf("%s was asked, and is not among those who are any more", who)
	}
	return nil
}

// counterpart finds in the steps of an edited flow the one that a step of a run is:
// the one of its name or, if it has none, the one that reads like it, the second if
// it is the second such; what reads like none is the one in its place. nil: there is
// none.
func counterpart(was []responder.Step, path string, now []responder.Step) (string, *responder.Step) {
	step := locate(was, path)
	if nth := slices.Index(likes(was, step), path); nth >= 0 {
		if there := likes(now, step); nth < len(there) {
			return there[nth], locate(now, there[nth])
		}
	}
	if found := locate(now, path); step.As == "" && found != nil && found.Kind == step.Kind && found.As == "" {
		return path, found
	}
	return "", nil
}

// likes gives the paths of the steps that bear a step's name or, if it has none, read
// like it: the same action, or the same question.
func likes(steps []responder.Step, step *responder.Step) (paths []string) {
	text := func(step *responder.Step) string {
		if step.Ask == nil {
			return ""
		}
		return step.Ask.Text
	}
	Walk(steps, func(path string, other *responder.Step) {
		if other.Kind == step.Kind && other.As == step.As && (step.As != "" || other.Action == step.Action && text(other) == text(step)) {
			paths = append(paths, path)
		}
	})
	return paths
}
