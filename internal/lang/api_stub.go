package lang

import "github.com/skycrafters/responder"

// Scope says which names an expression may use, beside the helpers, the
// built-ins and the severities (INFO … EXTREME), which are always there.
type Scope struct {
	Names []string       // names that the environment of Eval holds
	Vars  map[string]any // constants under `vars.`; nil: `vars` is not in scope
	Lists map[string]any // constants under `lists.`; nil: `lists` is not in scope
}

// EventNames are the names that EventEnv gives: event, action, ok, denied, req,
// resp, actor, ip, account, region, time.
func EventNames() []string { panic("todo") }

// EventEnv is an environment over an event. accounts is what rules.yml says of
// accounts, by id. The map is new: the caller may add names.
func EventEnv(event responder.Event, accounts map[string]map[string]any) map[string]any {
	panic("todo")
}

// Program is a compiled expression. Safe for concurrent use.
type Program struct{}

// Compile compiles an expression. The Problems may be warnings only: then the program is not nil.
func Compile(text Text, scope Scope) (*Program, Problems) { panic("todo") }

// Eval gives the expression's value.
func (p *Program) Eval(env map[string]any) (any, error) { panic("todo") }

// Test gives the expression's truth: nil is false, what is neither bool nor nil an error.
func (p *Program) Test(env map[string]any) (bool, error) { panic("todo") }

// Template is text with {{ expr }}. Safe for concurrent use.
type Template struct{}

// CompileTemplate compiles a text.
func CompileTemplate(text Text, scope Scope) (*Template, Problems) { panic("todo") }

// Literal reports whether the text has no {{ expr }}.
func (t *Template) Literal() bool { panic("todo") }

// Text renders. escape, if not nil, is applied to each interpolated value.
func (t *Template) Text(env map[string]any, escape func(string) string) (string, error) {
	panic("todo")
}

// Value renders; a template that is exactly one {{ expr }} keeps the value's type.
// Every text inside that value is escaped too.
func (t *Template) Value(env map[string]any, escape func(string) string) (any, error) {
	panic("todo")
}

// Tree is a value (maps, lists, texts, numbers …) whose texts are templates.
// Safe for concurrent use.
type Tree struct{}

// CompileTree compiles the decoded form of a YAML node: map[string]any, []any, string, bool, int, float64, nil.
func CompileTree(value any, scope Scope) (*Tree, Problems) { panic("todo") }

// Render renders all texts.
func (t *Tree) Render(env map[string]any, escape func(string) string) (any, error) { panic("todo") }

// JSONPath is a compiled JSONPath. Safe for concurrent use.
type JSONPath struct{}

// CompileJSONPath compiles a path such as $.event.rawEvent.account.
func CompileJSONPath(path string) (*JSONPath, error) { panic("todo") }

// Text gives what the path finds in the document, several joined with ",", nothing as "".
func (p *JSONPath) Text(document any) string { panic("todo") }

// Env for a flow (dispatch) and for messages (actions):
// FindingNames are the names that FindingEnv gives beyond EventNames: finding, rule, id, title,
// severity, message, resources, meta, number, key.
func FindingNames() []string { panic("todo") }

// FindingEnv is EventEnv with what the finding says.
func FindingEnv(f responder.Finding, event responder.Event, accounts map[string]map[string]any) map[string]any {
	panic("todo")
}
