package dispatch

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/lang"
)

const (
	defaultAsk     = time.Hour // how long a question stands
	approveExample = `approve: {text: "Terminate {{ resources[0] }}?", by: {slack: [U024BE7LH], cli: true}, for: 30m}`
	byExample      = `{slack: [U024BE7LH], iam: ["arn:aws:iam::123456789012:role/Oncall"], cli: true}`
	peopleExample  = `people: {alice: {slack: U024BE7LH, iam: ["arn:aws:iam::123456789012:user/alice"], names: [alice]}}`
)

var (
	slackID = regexp.MustCompile(`^[UW][A-Z0-9]{2,30}$`)
	// principalARN is of a user, role or session, or a pattern of several in one
	// account: whoever may be anybody's account is nobody's friend.
	principalARN = regexp.MustCompile(`^arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:(root|(user|role|assumed-role)/[A-Za-z0-9+=,.@_*/-]+)$`)
)

// person is what `people:` says of one: by what Slack, AWS and machines know them.
type person struct{ slack, iam, names []string }

// mergePeople takes in `people:`, by their names.
func (l *loader) mergePeople(f field) {
	if isNull(f.value) {
		return
	}
	people, _ := l.mapping(f.file, f.value, peopleExample)
	for _, p := range people {
		parts, ok := l.mapping(p.file, p.value, peopleExample)
		if !ok {
			continue
		}
		who := person{}
		for _, part := range parts {
			switch part.name() {
			case "slack":
				who.slack = l.slackIDs(part)
			case "iam":
				who.iam = l.arns(part)
			case "names":
				who.names = l.words(part)
			default:
				l.unknownKey(part, []string{"slack", "iam", "names"}, nil)
			}
		}
		l.set.people[p.name()] = who
	}
}

// words gives a text, or a list of texts.
func (l *loader) words(f field) []string {
	var words []string
	for _, node := range l.texts(f) {
		words = append(words, strings.TrimSpace(node.Value))
	}
	return words
}

func (l *loader) slackIDs(f field) []string {
	return l.fitting(f, slackID, "an id of Slack's looks like U024BE7LH; a profile shows it under ⋮, Copy member ID")
}

func (l *loader) arns(f field) []string {
	return l.fitting(f, principalARN, "write the ARN of a user, a role or a session, with its account; * stands for any text in the name")
}

// fitting gives the texts that have the form they must have.
func (l *loader) fitting(f field, form *regexp.Regexp, hint string) []string {
	var fit []string
	for _, node := range l.texts(f) {
		if !form.MatchString(node.Value) {
			l.errorAt(f.file, node, hint, "%s: %q is nobody", f.name(), node.Value)
			continue
		}
		fit = append(fit, node.Value)
	}
	return fit
}

// approvers compiles who decides of repairs that no step asks about: what the
// flow says, else what stands above all flows. nil: nothing is said.
func (s *stepper) approvers(raw *rawFlow) *responder.Ask {
	if f, given := raw.fields["approvers"]; given && !isNull(f.value) {
		return s.deciders(f)
	}
	if f := s.above; !isNull(f.value) && s.decide == nil {
		s.decide = s.deciders(f)
	}
	return s.decide
}

func (s *stepper) deciders(f field) *responder.Ask {
	ask := &responder.Ask{For: defaultAsk}
	parts, ok := s.mapping(f.file, f.value, "approvers: "+byExample)
	if !ok {
		return ask
	}
	var who []field
	for _, part := range parts {
		switch part.name() {
		case "for":
			ask.For = s.timeout(part, maxWait)
		case "tell":
			ask.Tell = s.tell(part)
		default:
			who = append(who, part)
		}
	}
	ask.By = s.whoever(f, who, "for", "tell")
	return ask
}

// whoever reads who may decide.
func (l *loader) whoever(f field, parts []field, also ...string) (who responder.Approvers) {
	before := len(l.problems)
	for _, part := range parts {
		switch part.name() {
		case "slack":
			who.Slack = l.slackIDs(part)
			l.strangers(part)
		case "iam":
			who.IAM = l.arns(part)
			l.sessions(part)
		case "cli":
			yes, ok := lang.Decode(part.value).(bool)
			if !ok {
				l.errorAt(part.file, part.value, "", "cli must be true or false")
			}
			who.CLI = yes
		case "not":
			if part.value.Value != "actor" {
				l.errorAt(part.file, part.value, "not: actor", "who caused the event never decides, and nobody else can be left out")
			}
		default:
			l.unknownKey(part, append([]string{"slack", "iam", "cli", "not"}, also...), nil)
		}
	}
	if who.None() && l.problems[before:].Err() == nil {
		l.errorAt(f.file, f.value, "by: "+byExample, "nobody may decide")
	}
	return who
}

// strangers warns of approvers of whom nobody can say whether they are the
// event's actor.
func (l *loader) strangers(f field) {
	for _, node := range scalars(f.value) {
		known := slices.ContainsFunc(sortedKeys(l.set.people), func(name string) bool {
			return slices.Contains(l.set.people[name].slack, node.Value)
		})
		if slackID.MatchString(node.Value) && !known {
			l.warnAt(f.file, node, peopleExample, "nobody under people has this id: should they cause an event themselves, they could approve what is done about it")
		}
	}
}

// singleSignOn begins the names of the roles whose sessions IAM Identity Center
// names after the person. https://docs.aws.amazon.com/singlesignon/latest/userguide/using-service-linked-roles.html
const singleSignOn = "AWSReservedSSO_"

// sessions warns of approvers that are sessions of a role: whoever takes the role
// names them. And of ARNs that nobody has.
func (l *loader) sessions(f field) {
	for _, node := range scalars(f.value) {
		account, kind := accountIn(node.Value), strings.Contains(node.Value, ":assumed-role/")
		switch {
		case !principalARN.MatchString(node.Value):
		case kind != strings.Contains(node.Value, ":sts:"):
			form := "arn:aws:iam::" + account + ":role/NAME"
			l.warnAt(f.file, node, form, "nobody has this ARN: users and roles are of iam, sessions of sts")
		case kind && !strings.Contains(node.Value, ":assumed-role/"+singleSignOn):
			l.warnAt(f.file, node, roleOf(node.Value), "whoever takes the role chooses the session's name, and so who this is: name the role")
		}
	}
}

// ask compiles `approve: {…}` or `veto: {…}`.
func (s *stepper) ask(verb field) responder.Step {
	step := responder.Step{Kind: responder.StepKind(verb.name()), Ask: &responder.Ask{For: defaultAsk}}
	parts, ok := s.mapping(verb.file, verb.value, approveExample)
	if !ok {
		return step
	}
	by := s.fallback
	for _, part := range parts {
		switch part.name() {
		case "text":
			if !s.scalar(part) {
				continue
			}
			step.Ask.Text = part.value.Value
			_, problems := lang.CompileNode(part.file, part.value, s.scope())
			s.problems = append(s.problems, problems...)
		case "by":
			by = &responder.Ask{}
			if who, ok := s.mapping(part.file, part.value, "by: "+byExample); ok {
				by.By = s.whoever(part, who)
			}
		case "for":
			step.Ask.For = s.timeout(part, maxWait)
		case "tell", "on_deny", "on_timeout":
			s.errorAt(part.file, part.key, verb.name()+": {…}\n"+part.name()+": …", "%s stands beside %s, not in it", part.name(), verb.name())
		default:
			s.unknownKey(part, []string{"text", "by", "for"}, nil)
		}
	}
	if strings.TrimSpace(step.Ask.Text) == "" {
		s.errorAt(verb.file, verb.value, approveExample, "%s needs a text: what people are asked", verb.name())
	}
	if by == nil {
		s.errorAt(verb.file, verb.value, "by: "+byExample, "%s does not say who decides, and there are no approvers", verb.name())
		return step
	}
	step.Ask.By = by.By
	return step
}

// askParts adds what stands beside a question.
func (s *stepper) askParts(step *responder.Step, p parts) {
	asks := step.Kind == responder.StepApprove || step.Kind == responder.StepVeto
	for _, key := range []string{"tell", "on_deny", "on_timeout"} {
		f, given := p.common[key]
		switch {
		case !given || step.Kind == "":
		case !asks:
			s.errorAt(f.file, f.key, "", "%s is for approve and veto; this is a %s", key, step.Kind)
		case key == "tell":
			step.Ask.Tell = s.tell(f)
		case key == "on_deny":
			step.Ask.OnDeny = s.sequel(f)
		case step.Kind == responder.StepVeto:
			s.errorAt(f.file, f.key, "", "a veto goes on when its time is over: on_timeout is for approve")
		default:
			step.Ask.OnTimeout = s.sequel(f)
		}
	}
	if f, given := p.common["on_error"]; given && asks {
		s.errorAt(f.file, f.key, "", "on_error is for what can fail; of a question on_deny and on_timeout say what follows")
	}
}

// sequel reads what follows a question that was not answered with yes.
func (s *stepper) sequel(f field) *responder.Sequel {
	policies := []responder.SequelPolicy{responder.SequelStop, responder.SequelFail, responder.SequelContinue}
	switch policy := responder.SequelPolicy(f.value.Value); {
	case f.value.Kind == yaml.SequenceNode:
		return &responder.Sequel{Policy: responder.SequelSteps, Steps: s.list(f)}
	case slices.Contains(policies, policy):
		return &responder.Sequel{Policy: policy}
	}
	s.errorAt(f.file, f.value, "", "%s is stop, fail, continue, or a list of steps, after which the run stops", f.name())
	return nil
}

// tell compiles the notices that tell of a question.
func (s *stepper) tell(f field) []responder.Step {
	steps := s.list(f)
	for i, step := range steps {
		action := s.Catalogue[step.Action]
		if step.Kind != responder.StepAction || action != nil && action.Spec().Kind != responder.Notice {
			s.errorAt(f.file, f.value.Content[i], "tell: [SendSlack: {}]", "tell is a list of notices")
		}
	}
	return steps
}

// isRepair reports whether a step changes the world.
func (l *loader) isRepair(step *responder.Step) bool {
	action := l.Catalogue[step.Action]
	return step.Kind == responder.StepRemediate || step.Kind == responder.StepAction && action != nil && action.Spec().Kind == responder.Repair
}
