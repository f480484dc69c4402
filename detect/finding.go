package detect

import (
	"errors"
	"fmt"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/lang"
)

// defaultSeverity is that of a rule which names none.
const defaultSeverity = responder.Medium

// Bounds on what a finding says, in characters.
const (
	maxTitle   = 300
	maxMessage = 4000
)

// finding puts one finding into words. said are the keys that `when` gave:
// title, message, severity and resources override, the rest is meta. The
// finding is usable whatever the error.
func (r *rule) finding(event responder.Event, env map[string]any, said map[string]any, number int) (responder.Finding, error) {
	f := responder.Finding{Rule: r.name, ID: r.id, Title: r.name, Severity: defaultSeverity, Number: number, Key: event.Key(), Event: event.Raw, Resources: []string{}}
	w := &words{env: env, meta: map[string]any{}}
	for key, value := range said {
		switch key {
		case "title", "message", "severity", "resources":
		default:
			w.meta[key] = lang.JSONValue(value)
		}
	}
	env["meta"] = w.meta
	defer delete(env, "meta")
	if len(w.meta) > 0 {
		f.Meta = w.meta
	}

	w.severity(r.severity, said, &f.Severity)
	w.text("title", r.title, said, maxTitle, &f.Title)
	f.Message = f.Title
	w.text("message", r.message, said, maxMessage, &f.Message)
	w.resources(r.resources, said, &f.Resources)
	w.key(r.key, &f.Key)

	env["resources"] = anyTexts(f.Resources)
	defer delete(env, "resources")
	f.Check = w.binding("check", r.check)
	f.Remediate = w.binding("remediate", r.remediate)
	return f, errors.Join(w.errs...)
}

// words evaluates the parts of a finding, keeping what fails.
type words struct {
	env  map[string]any
	meta map[string]any
	errs []error
}

func (w *words) fail(part string, err error) {
	w.errs = append(w.errs, fmt.Errorf("%s: %w", part, err))
}

func (w *words) severity(program *lang.Program, said map[string]any, into *responder.Severity) {
	value := said["severity"]
	if value == nil && program != nil {
		var err error
		if value, err = program.Eval(w.env); err != nil {
			w.fail("severity", err)
			return
		}
	}
	switch v := value.(type) {
	case nil:
	case responder.Severity:
		*into = v
	case string:
		s, err := responder.ParseSeverity(v)
		if err != nil {
			w.fail("severity", err)
			return
		}
		*into = s
	default:
		w.fail("severity", fmt.Errorf("gave %s, not a severity", lang.Show(value)))
	}
}

func (w *words) text(part string, template *lang.Template, said map[string]any, most int, into *string) {
	text := ""
	if value := said[part]; value != nil {
		text = lang.Format(value)
	} else if template != nil {
		var err error
		if text, err = template.Text(w.env, nil); err != nil {
			w.fail(part, err)
			return
		}
	}
	if text == "" {
		return
	}
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most-1]) + "…"
	}
	*into = text
}

func (w *words) resources(programs []*lang.Program, said map[string]any, into *[]string) {
	if value := said["resources"]; value != nil {
		*into = append(*into, textsOf(value)...)
		return
	}
	for _, program := range programs {
		value, err := program.Eval(w.env)
		if err != nil {
			w.fail("resources", err)
			continue
		}
		*into = append(*into, textsOf(value)...)
	}
}

// textsOf flattens a value into texts; nil and "" are no resource.
func textsOf(value any) []string {
	var texts []string
	for _, element := range lang.List(value) {
		if list, ok := element.([]any); ok {
			texts = append(texts, textsOf(list)...)
		} else if text := lang.Format(element); text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}

func anyTexts(texts []string) []any {
	out := make([]any, len(texts))
	for i, t := range texts {
		out[i] = t
	}
	return out
}

func (w *words) key(program *lang.Program, into *string) {
	if program == nil {
		return
	}
	value, err := program.Eval(w.env)
	if err != nil {
		w.fail("key", err)
		return
	}
	if text := lang.Format(value); text != "" {
		*into = text
	}
}

// binding resolves the parameters. One that fails is kept without parameters,
// so that the step which uses it fails visibly and never acts.
func (w *words) binding(part string, b *binding) *responder.Binding {
	if b == nil {
		return nil
	}
	params, err := b.params.Render(w.env, nil)
	if err != nil {
		w.fail(part, err)
		return &responder.Binding{Action: b.action}
	}
	object, _ := params.(map[string]any)
	return &responder.Binding{Action: b.action, Params: object}
}
