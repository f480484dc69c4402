package dispatch

import (
	"fmt"
	"sync"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/lang"
)

// script is the compiled form of a run's steps, by path. Safe for concurrent use.
type script map[string]*compiled

// compiled is what can be compiled of one step; parts that it lacks are nil.
type compiled struct {
	condition *lang.Program
	params    *lang.Tree
	ask       *lang.Tree // the text of a question
	body      *lang.Tree
	paths     []pathValue
}

// pathValue is a line of a message whose value is a JSONPath.
type pathValue struct {
	param string
	line  int
	path  *lang.JSONPath
}

// compile compiles the steps of a snapshot. They were checked when flows.yml
// was loaded; an error means that another version of Responder did that.
func compile(steps []responder.Step) (script, error) {
	s := script{}
	var problems lang.Problems
	Walk(steps, func(path string, step *responder.Step) {
		c, found := compileStep(step)
		for _, p := range found.Errors() {
			p.Message = fmt.Sprintf("step %s: %s", path, p.Message)
			problems = append(problems, p)
		}
		s[path] = c
	})
	return s, problems.Err()
}

func compileStep(step *responder.Step) (*compiled, lang.Problems) {
	c := &compiled{}
	scope := stepScope()
	var problems, found lang.Problems
	if step.If != "" {
		c.condition, found = lang.Compile(lang.Plain(step.If), scope)
		problems = append(problems, found...)
	}
	if step.Params != nil && !step.Verbatim {
		c.params, found = lang.CompileTree(step.Params, scope)
		problems = append(problems, found...)
		c.paths, found = compilePaths(step.Params)
		problems = append(problems, found...)
	}
	if step.Ask != nil && step.Ask.Text != "" {
		c.ask, found = lang.CompileTree(step.Ask.Text, scope)
		problems = append(problems, found...)
	}
	if step.Body != nil && !step.Verbatim {
		c.body, found = lang.CompileTree(step.Body, scope)
		problems = append(problems, found...)
	}
	return c, problems
}

// compilePaths finds the JSONPaths in the lines of messages:
// {values: [{label: …, value: $.…}]}.
func compilePaths(params map[string]any) ([]pathValue, lang.Problems) {
	var (
		paths    []pathValue
		problems lang.Problems
	)
	for _, name := range sortedKeys(params) {
		message, _ := params[name].(map[string]any)
		lines, _ := message["values"].([]any)
		for i, line := range lines {
			object, _ := line.(map[string]any)
			value, _ := object["value"].(string)
			if !isPath(value) {
				continue
			}
			path, err := lang.CompileJSONPath(value)
			if err != nil {
				problems = append(problems, lang.Problem{Message: err.Error()})
				continue
			}
			paths = append(paths, pathValue{name, i, path})
		}
	}
	return paths, problems
}

// render resolves the step's parameters and template.
func (c *compiled) render(env map[string]any, document any, escape func(string) string) (params map[string]any, body any, err error) {
	params = map[string]any{}
	if c.params != nil {
		rendered, err := c.params.Render(env, escape)
		if err != nil {
			return nil, nil, err
		}
		params, _ = rendered.(map[string]any)
	}
	for _, p := range c.paths {
		message, _ := params[p.param].(map[string]any)
		lines, _ := message["values"].([]any)
		line, _ := lines[p.line].(map[string]any)
		text := p.path.Text(document)
		if escape != nil {
			text = escape(text)
		}
		line["value"] = text
	}
	if c.body != nil {
		if body, err = c.body.Render(env, escape); err != nil {
			return nil, nil, err
		}
	}
	return params, body, nil
}

// maxScripts is how many compiled flows are kept.
const maxScripts = 256

// scripts keeps compiled flows by the digest of their steps. Safe for concurrent use.
type scripts struct {
	mu       sync.Mutex
	byDigest map[string]script
}

// of gives the compiled steps of a snapshot.
func (s *scripts) of(flow responder.FlowSnapshot) (script, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found, ok := s.byDigest[flow.Digest]; ok {
		return found, nil
	}
	made, err := compile(flow.Steps)
	if err != nil {
		return nil, err
	}
	if s.byDigest == nil || len(s.byDigest) >= maxScripts {
		s.byDigest = map[string]script{}
	}
	s.byDigest[flow.Digest] = made
	return made, nil
}
