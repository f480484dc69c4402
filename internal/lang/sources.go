package lang

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Source is a parsed YAML file whose top is an object.
type Source struct {
	File *File
	Top  []Field
}

// Field is a key with its value.
type Field struct {
	Key   *yaml.Node
	Value *yaml.Node
}

// Name is the key as written.
func (f Field) Name() string { return f.Key.Value }

// Fields gives an object's fields in order, nil for any other node.
func Fields(node *yaml.Node) []Field {
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	fields := make([]Field, 0, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		fields = append(fields, Field{node.Content[i], node.Content[i+1]})
	}
	return fields
}

// LocalName is the file that tunes another without touching it:
// rules.local.yml for rules.yml.
func LocalName(name string) string {
	ext := path.Ext(name)
	return strings.TrimSuffix(name, ext) + ".local" + ext
}

// ReadSources reads a file of rules or flows with all that belongs to it, in
// the order in which later ones override: what it includes (and what that
// includes), the file itself, and its local file if there is one.
//
// `include` is a list of files or globs below the including file's folder. Of
// each file with an error of syntax the first is told; the others are still
// read. A missing main file is an error, a glob that finds nothing a warning.
func ReadSources(fsys fs.FS, name string) ([]Source, Problems) {
	r := &sourceReader{fsys: fsys}
	r.read(name)
	local := LocalName(name)
	if _, err := fs.Stat(fsys, local); err == nil {
		r.read(local)
	} else if !errors.Is(err, fs.ErrNotExist) {
		r.problems = append(r.problems, (&File{Name: local}).Problem(nil, "cannot be read: %v", cause(err)))
	}
	return r.sources, r.problems
}

type sourceReader struct {
	fsys     fs.FS
	seen     []string
	sources  []Source
	problems Problems
}

func (r *sourceReader) read(name string) {
	if slices.Contains(r.seen, name) {
		return
	}
	r.seen = append(r.seen, name)
	file := &File{Name: name}
	data, err := fs.ReadFile(r.fsys, name)
	if err != nil {
		p := file.Problem(nil, "cannot be read: %v", cause(err))
		if errors.Is(err, fs.ErrNotExist) {
			p.Message = "there is no such file"
		}
		r.problems = append(r.problems, p)
		return
	}
	file.Data = data
	root, problems := ParseYAML(file)
	r.problems = append(r.problems, problems...)
	if root == nil {
		return
	}
	if root.Kind != yaml.MappingNode {
		r.problems = append(r.problems, file.Problem(root, "the file must be an object of keys, such as `rules:`"))
		return
	}
	source := Source{File: file}
	for _, field := range Fields(root) {
		if field.Name() == "include" {
			r.include(file, field.Value)
			continue
		}
		source.Top = append(source.Top, field)
	}
	r.sources = append(r.sources, source)
}

func cause(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

func (r *sourceReader) include(file *File, node *yaml.Node) {
	items := []*yaml.Node{node}
	if node.Kind == yaml.SequenceNode {
		items = node.Content
	}
	for _, item := range items {
		if item.Kind != yaml.ScalarNode || item.Value == "" {
			r.problems = append(r.problems, file.Problem(item, "include lists files or globs"))
			continue
		}
		pattern := path.Join(path.Dir(file.Name), item.Value)
		if path.IsAbs(item.Value) || !fs.ValidPath(pattern) {
			p := file.Problem(item, "include cannot leave the folder of the main file")
			p.Hint = "put the files below it and name them relative to this one"
			r.problems = append(r.problems, p)
			continue
		}
		names, err := fs.Glob(r.fsys, pattern)
		if err != nil {
			r.problems = append(r.problems, file.Problem(item, "not a pattern: %v", err))
			continue
		}
		names = slices.DeleteFunc(names, func(name string) bool { return strings.Contains(path.Base(name), ".local.") })
		if len(names) == 0 {
			p := file.Problem(item, "no file is found by %q", item.Value)
			p.Warning = strings.ContainsAny(item.Value, "*?[")
			r.problems = append(r.problems, p)
		}
		for _, name := range names {
			r.read(name)
		}
	}
}
