package detect

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/lang"
)

// rule is a compiled rule. Immutable.
type rule struct {
	name      string
	id        string
	disabled  bool
	when      *lang.Program // nil: always (then each is not)
	each      *lang.Program
	condition *lang.Program // `if`, on each item
	severity  *lang.Program
	title     *lang.Template
	message   *lang.Template // nil: the title
	resources []*lang.Program
	key       *lang.Program
	check     *binding
	remediate *binding
}

// binding is an action with its parameters, bound in a rule.
type binding struct {
	action string
	params *lang.Tree
}

// names are those in scope from one field of a rule to the next. Read-only.
type names struct {
	when    []string
	item    []string // in `if`
	finding []string // in what a finding says
	binding []string
}

func namesOf(each bool) *names {
	n := &names{when: lang.EventNames()}
	n.item = n.when
	if each {
		n.item = append(slices.Clone(n.when), "item")
	}
	n.finding = append(slices.Clone(n.item), "meta")
	n.binding = append(slices.Clone(n.finding), "resources")
	return n
}

// plainNames and itemNames are those of rules without and with `each`.
var plainNames, itemNames = namesOf(false), namesOf(true)

// compiler compiles one draft.
type compiler struct {
	draft    *draft
	scope    lang.Scope
	problems lang.Problems
}

// compile gives the rule, or nil and the errors.
func (d *draft) compile(lists map[string]any, shared *lang.Shared, catalogue responder.Catalogue) (*rule, lang.Problems) {
	names := plainNames
	c := &compiler{draft: d, scope: lang.Scope{Names: names.when, Vars: d.vars, Lists: lists, Shared: shared}}
	r := &rule{name: d.name, id: c.text("id"), disabled: c.disabled()}
	c.text("description")
	r.when = c.expression("when")
	c.judges("when", r.when)
	r.each = c.expression("each")
	if r.each != nil {
		names = itemNames
	}
	c.scope.Names = names.item
	r.condition = c.expression("if")
	c.judges("if", r.condition)
	c.scope.Names = names.finding
	r.severity = c.expression("severity")
	r.title = c.template("title")
	r.message = c.template("message")
	r.resources = c.expressions("resources")
	r.key = c.expression("key")
	c.scope.Names = names.binding
	r.check = c.binding("check", responder.Check, catalogue)
	r.remediate = c.binding("remediate", responder.Repair, catalogue)
	c.whole()
	if c.problems.Err() != nil {
		return nil, c.problems
	}
	return r, c.problems
}

// whole checks what concerns the rule as a whole.
func (c *compiler) whole() {
	_, when := c.draft.fields["when"]
	_, each := c.draft.fields["each"]
	condition, hasCondition := c.draft.fields["if"]
	if !when && !each {
		p := c.draft.at.file.Problem(c.draft.at.node, "rule %q has no `when`", c.draft.name)
		p.Hint = "add: when: action == \"iam:CreateUser\" && ok"
		c.problems = append(c.problems, p)
	}
	if hasCondition && !each {
		p := condition.file.Problem(condition.node, "`if` is the condition on each item, and there is no `each`")
		p.Hint = "put the condition into `when`"
		c.problems = append(c.problems, p)
	}
}

func (c *compiler) report(at placed, hint, format string, args ...any) {
	p := at.file.Problem(at.node, format, args...)
	p.Hint = hint
	c.problems = append(c.problems, p)
}

// text is a field that is plain text.
func (c *compiler) text(field string) string {
	at, ok := c.draft.fields[field]
	if !ok {
		return ""
	}
	if at.node.Kind != yaml.ScalarNode {
		c.report(at, "", "%s must be a text", field)
		return ""
	}
	return at.node.Value
}

func (c *compiler) disabled() bool {
	at, ok := c.draft.fields["enabled"]
	if !ok {
		return false
	}
	enabled, ok := lang.Decode(at.node).(bool)
	if !ok {
		c.report(at, "", "enabled must be true or false")
	}
	return !enabled
}

func (c *compiler) expression(field string) *lang.Program {
	at, ok := c.draft.fields[field]
	if !ok {
		return nil
	}
	return c.program(at.file, at.node)
}

func (c *compiler) program(file *lang.File, node *yaml.Node) *lang.Program {
	text, problems := file.Expression(node)
	c.problems = append(c.problems, problems...)
	if problems != nil {
		return nil
	}
	program, problems := lang.Compile(text, c.scope)
	c.problems = append(c.problems, problems...)
	return program
}

// judges refuses a condition that is the same for every event and not meant so:
// a text or number, and fields of a rule in quotes, which as an object would be
// a finding of every event.
func (c *compiler) judges(field string, program *lang.Program) {
	if program == nil {
		return
	}
	at := c.draft.fields[field]
	switch kind, keys := program.Literal(); {
	case kind == "number" || kind == "text":
		c.report(at, "write a condition, such as: action == \"iam:CreateUser\" && ok", "a %s is no condition", kind)
	case kind == "object" && slices.ContainsFunc(keys, isField):
		c.report(at, "take the quotes off", "this is a text that looks like a rule's fields")
	case field == "if" && kind != "":
		c.report(at, "write a condition, such as: item.id != nil", "a %s is no condition", kind)
	}
}

// isField reports whether a key is one of a rule and not of a finding, which has
// title, message, severity and resources, too.
func isField(key string) bool {
	return slices.Contains([]string{"when", "each", "if", "vars", "check", "remediate", "enabled"}, key)
}

// expressions is a field that is an expression or a list of them.
func (c *compiler) expressions(field string) []*lang.Program {
	at, ok := c.draft.fields[field]
	if !ok {
		return nil
	}
	nodes := []*yaml.Node{at.node}
	if at.node.Kind == yaml.SequenceNode {
		nodes = at.node.Content
	}
	var programs []*lang.Program
	for _, node := range nodes {
		programs = append(programs, c.program(at.file, node))
	}
	return programs
}

func (c *compiler) template(field string) *lang.Template {
	at, ok := c.draft.fields[field]
	if !ok {
		return nil
	}
	if at.node.Kind != yaml.ScalarNode {
		hint := ""
		if at.node.Kind == yaml.MappingNode {
			hint = "a text that begins with {{ must be quoted"
		}
		c.report(at, hint, "%s must be a text", field)
		return nil
	}
	t, problems := lang.CompileTemplate(at.file.Text(at.node), c.scope)
	c.problems = append(c.problems, problems...)
	return t
}

// binding is {Action: {params}}.
func (c *compiler) binding(field string, kind responder.Kind, catalogue responder.Catalogue) *binding {
	at, ok := c.draft.fields[field]
	if !ok {
		return nil
	}
	fields := lang.Fields(at.node)
	if len(fields) != 1 {
		c.report(at, "write: "+field+": "+example(at.node.Value, kind, catalogue), "%s binds one action with its parameters", field)
		return nil
	}
	name, params := fields[0].Key, fields[0].Value
	if params.Kind != yaml.MappingNode && params.Tag != "!!null" {
		c.report(placed{at.file, params}, "", "the parameters of %s must be an object of keys", name.Value)
		return nil
	}
	if catalogue != nil {
		c.bindable(at.file, name, params, kind, catalogue)
	}
	tree, problems := lang.CompileNode(at.file, params, c.scope)
	c.problems = append(c.problems, problems...)
	return &binding{action: name.Value, params: tree}
}

// example shows a binding: of the named action, if it is one that fits, else of
// a known one.
func example(name string, kind responder.Kind, catalogue responder.Catalogue) string {
	if action := catalogue[name]; action != nil && action.Spec().Kind == kind {
		var params []string
		for _, p := range action.Spec().Params {
			switch {
			case !p.Required:
			case p.Type == responder.ListParam:
				params = append(params, p.Name+`: "{{ resources }}"`)
			default:
				params = append(params, p.Name+`: "{{ resources[0] }}"`)
			}
		}
		return "{" + name + ": {" + strings.Join(params, ", ") + "}}"
	}
	if kind == responder.Repair {
		return `{EC2TerminateInstances: {ids: "{{ resources }}"}}`
	}
	return `{EC2InstanceAlive: {ids: "{{ resources }}"}}`
}

// bindable checks a binding against what the catalogue says of its action.
func (c *compiler) bindable(file *lang.File, name, params *yaml.Node, kind responder.Kind, catalogue responder.Catalogue) {
	action, ok := catalogue[name.Value]
	if !ok {
		var known []string
		for n, a := range catalogue {
			if a.Spec().Kind == kind {
				known = append(known, n)
			}
		}
		slices.Sort(known)
		hint := lang.Suggest(name.Value, known)
		if hint == "" {
			hint = "there are: " + strings.Join(known, ", ")
		}
		c.report(placed{file, name}, hint, "unknown %s %q", kind, name.Value)
		return
	}
	spec := action.Spec()
	if spec.Kind != kind {
		c.report(placed{file, name}, "", "%s is a %s; a %s is wanted here", spec.Name, spec.Kind, kind)
		return
	}
	given := map[string]bool{}
	for _, p := range lang.Fields(params) {
		given[p.Name()] = true
		c.bindableParam(file, spec, p)
	}
	for _, q := range spec.Params {
		if q.Required && !given[q.Name] {
			c.report(placed{file, name}, q.Doc, "%s needs %q", spec.Name, q.Name)
		}
	}
}

// bindableParam checks one parameter of a binding.
func (c *compiler) bindableParam(file *lang.File, spec responder.Spec, p lang.Field) {
	var known []string
	for _, q := range spec.Params {
		known = append(known, q.Name)
	}
	at := slices.Index(known, p.Name())
	if at < 0 {
		hint := lang.Suggest(p.Name(), known)
		if hint == "" {
			hint = "there are: " + strings.Join(known, ", ")
		}
		c.report(placed{file, p.Key}, hint, "%s has no parameter %q", spec.Name, p.Name())
		return
	}
	texts := []*yaml.Node{p.Value}
	if p.Value.Kind == yaml.SequenceNode {
		texts = p.Value.Content
	}
	for _, text := range texts {
		switch declared := spec.Params[at]; {
		case declared.Pairs && !responder.IsPair(text.Value):
			c.report(placed{file, text}, `write the name out, and what an event says behind it: "InstanceId={{ resources[0] }}"`, "%s of %s holds what is not NAME=value", p.Name(), spec.Name)
		case declared.Static && strings.Contains(text.Value, "{{"):
			c.report(placed{file, text}, "write it out: what an event says is never an address or a role", "%s of %s cannot be a template", p.Name(), spec.Name)
		}
	}
}
