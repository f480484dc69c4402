package dispatch

import (
	"errors"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/lang"
)

// templateName keeps a template inside its action's folder.
var templateName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// template reads the template that a parameter names, checks its expressions,
// and gives its name and content.
func (s *stepper) template(spec responder.Spec, f field) (name, body any) {
	if f.value.Kind != yaml.ScalarNode || !templateName.MatchString(f.value.Value) {
		s.errorAt(f.file, f.value, "template: aws-event", "a template is named by its file's plain name, without a folder or .yml")
		return nil, nil
	}
	file, err := s.openTemplate(spec.Name, f.value.Value)
	if errors.Is(err, fs.ErrNotExist) {
		s.errorAt(f.file, f.value, s.suggestTemplate(spec.Name, f.value.Value), "there is no template %s/%s.yml", spec.Name, f.value.Value)
		return nil, nil
	}
	if err != nil {
		s.errorAt(f.file, f.value, "", "the template cannot be read: %v", err)
		return nil, nil
	}
	root, problems := lang.ParseYAML(file)
	s.problems = append(s.problems, problems...)
	if root == nil {
		if problems.Err() == nil {
			s.errorAt(file, nil, "", "the template is empty")
		}
		return nil, nil
	}
	_, problems = lang.CompileNode(file, root, s.scope())
	s.problems = append(s.problems, problems...)
	return f.value.Value, jsonKinds(lang.Decode(root))
}

func (s *stepper) openTemplate(action, name string) (*lang.File, error) {
	where := path.Join(action, name+".yml")
	data, err := fs.ReadFile(s.Templates, where)
	if err != nil {
		return nil, err
	}
	return &lang.File{Name: path.Join("templates", where), Data: data}, nil
}

func (s *stepper) suggestTemplate(action, name string) string {
	found, err := fs.Glob(s.Templates, path.Join(action, "*.yml"))
	if err != nil || len(found) == 0 {
		return "templates are looked for in templates/" + action
	}
	for i, file := range found {
		found[i] = strings.TrimSuffix(path.Base(file), ".yml")
	}
	if hint := lang.Suggest(name, found); hint != "" {
		return hint
	}
	return "there is " + strings.Join(found, ", ")
}

// jsonKinds gives a value as it is read back from JSON.
func jsonKinds(value any) any {
	switch v := value.(type) {
	case int:
		return float64(v)
	case []any:
		for i := range v {
			v[i] = jsonKinds(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = jsonKinds(v[k])
		}
	}
	return value
}
