package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// marker is a line that begins (>>>) or ends (<<<) a block that is written from
// the flows. The block has the indentation of its first line.
var marker = regexp.MustCompile(`^([ \t]*)# (>>>|<<<) responder policy: ([^\s]+)[ \t]*\r?\n?$`)

// block is a marked block of a template.
type block struct {
	name   string
	indent string
	ending string // of its lines: "\n", or "\r\n" as in the template
	line   int    // of the mark that begins it, 1-based
	begin  int    // index of its first line
	end    int    // index of the mark that ends it
}

// templateError says what is wrong with the marks in a template, and where.
type templateError struct {
	file string
	line int // 0: nowhere
	text string
}

func (e *templateError) Error() string {
	if e.line == 0 {
		return fmt.Sprintf("%s: %s", e.file, e.text)
	}
	return fmt.Sprintf("%s:%d: %s", e.file, e.line, e.text)
}

// findBlocks finds the blocks of the given names, each of which must be there
// once. lines have their line endings; errors are *templateError.
func findBlocks(file string, lines []string, names []string) ([]block, error) {
	var found []block
	var open *block
	for i, text := range lines {
		m := marker.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		fail := func(format string, args ...any) ([]block, error) {
			return nil, &templateError{file, i + 1, fmt.Sprintf(format, args...)}
		}
		indent, name := m[1], m[3]
		switch {
		case !slices.Contains(names, name):
			return fail("there is no block %q: there are %s", name, strings.Join(names, " and "))
		case m[2] == "<<<" && open == nil:
			return fail("block %s ends here and did not begin: a line `# >>> responder policy: %s` is missing before it", name, name)
		case m[2] == "<<<" && open.name != name:
			return fail("block %s ends here, and block %s that began in line %d did not yet: blocks stand one after the other", name, open.name, open.line)
		case m[2] == "<<<":
			open.end = i
			found = append(found, *open)
			open = nil
		case open != nil:
			return fail("block %s begins here, and block %s that began in line %d did not end: a line `# <<< responder policy: %s` is missing", name, open.name, open.line, open.name)
		default:
			if first := slices.IndexFunc(found, func(b block) bool { return b.name == name }); first >= 0 {
				return fail("block %s begins here for the second time; the first is in line %d", name, found[first].line)
			}
			ending := "\n"
			if strings.HasSuffix(text, "\r\n") {
				ending = "\r\n"
			}
			open = &block{name: name, indent: indent, ending: ending, line: i + 1, begin: i + 1}
		}
	}
	if open != nil {
		return nil, &templateError{file, open.line, fmt.Sprintf("block %s begins here and does not end: a line `# <<< responder policy: %s` is missing", open.name, open.name)}
	}
	for _, name := range names {
		if !slices.ContainsFunc(found, func(b block) bool { return b.name == name }) {
			return nil, &templateError{file, 0, fmt.Sprintf("there is no block %s: mark its place with the lines `# >>> responder policy: %s` and `# <<< responder policy: %s`", name, name, name)}
		}
	}
	return found, nil
}

// rewritten is what becomes of one block.
type rewritten struct {
	block
	old, new []string // its lines, with line endings
}

func (r rewritten) changed() bool { return !slices.Equal(r.old, r.new) }

// rewrite puts new lines into the marked blocks of a template, and leaves every
// other byte as it is. It needs each block once; errors are *templateError, and
// name the file.
func rewrite(file string, template []byte, contents map[string][]string) ([]byte, []rewritten, error) {
	lines := strings.SplitAfter(string(template), "\n")
	blocks, err := findBlocks(file, lines, slices.Sorted(maps.Keys(contents)))
	if err != nil {
		return nil, nil, err
	}
	var out bytes.Buffer
	var all []rewritten
	at := 0
	for _, b := range blocks {
		r := rewritten{block: b, old: lines[b.begin:b.end]}
		for _, text := range contents[b.name] {
			r.new = append(r.new, b.indent+text+b.ending)
		}
		out.WriteString(strings.Join(lines[at:b.begin], ""))
		out.WriteString(strings.Join(r.new, ""))
		at = b.end
		all = append(all, r)
	}
	out.WriteString(strings.Join(lines[at:], ""))
	return out.Bytes(), all, nil
}

// policyTemplates brings the marked blocks of the templates up to date, or,
// without write, fails if they are not. member "" is member-role.yaml beside the
// other template, if it is there. Nothing is written if one cannot be rewritten.
func (a *app) policyTemplates(n needs, template, member string, write bool) error {
	files := []*templateFile{{path: template, contents: homeBlocks(n)}}
	beside := filepath.Join(filepath.Dir(template), "member-role.yaml")
	if _, err := os.Stat(beside); member == "" && err == nil {
		member = beside
	}
	if member != "" {
		files = append(files, &templateFile{path: member, contents: memberBlocks(n)})
	}
	for _, f := range files {
		if err := f.rewrite(); err != nil {
			return &inputError{err}
		}
	}
	var drifted []string
	for _, f := range files {
		for _, b := range f.blocks {
			if err := a.tellBlock(f.path, b, write); err != nil {
				return err
			}
		}
		if !slices.ContainsFunc(f.blocks, rewritten.changed) {
			continue
		}
		drifted = append(drifted, f.path)
		if !write {
			continue
		}
		if err := overwrite(f.path, f.text); err != nil {
			return err
		}
	}
	if write || len(drifted) == 0 {
		return nil
	}
	verb := "does"
	if len(drifted) > 1 {
		verb = "do"
	}
	return &inputError{fmt.Errorf("%s %s not allow what the enabled flows need, and nothing more: run: responder policy --write", strings.Join(drifted, " and "), verb)}
}

// templateFile is a template that is to be rewritten.
type templateFile struct {
	path     string
	contents map[string][]string // by block

	text   []byte
	blocks []rewritten
}

func (f *templateFile) rewrite() error {
	old, err := os.ReadFile(f.path)
	if err != nil {
		return fmt.Errorf("read the template: %w", err)
	}
	f.text, f.blocks, err = rewrite(f.path, old, f.contents)
	return err
}

// tellBlock says what becomes of a block, and shows the difference if it stays.
func (a *app) tellBlock(path string, b rewritten, write bool) error {
	state := "up to date"
	switch {
	case b.changed() && write:
		state = "written"
	case b.changed():
		state = "differs"
	}
	if a.format == "json" {
		return a.printJSON(map[string]any{"file": path, "line": b.line, "block": b.name, "state": state})
	}
	fmt.Fprintf(a.stdout, "%s:%d: block %s: %s\n", path, b.line, b.name, state)
	if b.changed() && !write {
		for _, l := range difference(b.old, b.new) {
			fmt.Fprintln(a.stdout, clean(strings.TrimRight(l, "\r\n")))
		}
	}
	return nil
}

// difference gives the lines of two texts, those alone in the first with "-",
// those alone in the second with "+". It takes memory by the product of their
// lengths.
func difference(old, new []string) []string {
	common := make([][]int, len(old)+1) // how many lines old[i:] and new[j:] share
	for i := range common {
		common[i] = make([]int, len(new)+1)
	}
	for i := len(old) - 1; i >= 0; i-- {
		for j := len(new) - 1; j >= 0; j-- {
			if old[i] == new[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []string
	i, j := 0, 0
	for i < len(old) || j < len(new) {
		switch {
		case i < len(old) && j < len(new) && old[i] == new[j]:
			out = append(out, "  "+old[i])
			i, j = i+1, j+1
		case j == len(new) || i < len(old) && common[i+1][j] >= common[i][j+1]:
			out = append(out, "- "+old[i])
			i++
		default:
			out = append(out, "+ "+new[j])
			j++
		}
	}
	return out
}

// overwrite replaces a file's content in one step, with its mode; where the
// path is a link, the file behind it.
func overwrite(path string, content []byte) (err error) {
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return fmt.Errorf("write the template: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("write the template: %w", err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write the template: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write the template: %w", errors.Join(err, os.Remove(temporary.Name())))
		}
	}()
	if _, err := temporary.Write(content); err != nil {
		return errors.Join(err, temporary.Close())
	}
	if err := errors.Join(temporary.Chmod(info.Mode().Perm()), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}
