package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"
	"time"
)

// What the code keeps to itself, read from its source: the words that the
// loaders know, and limits.

func parse(t *testing.T, path string) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), root+path, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// words gives the texts in the first list literal of a variable or function.
func words(t *testing.T, path, name string) []string {
	t.Helper()
	var found []string
	for _, decl := range parse(t, path).Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.Name == name && d.Recv == nil {
				found = texts(t, d)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok && v.Names[0].Name == name {
					found = texts(t, v)
				}
			}
		}
	}
	if len(found) == 0 {
		t.Fatalf("%s has no list %s", path, name)
	}
	return found
}

func texts(t *testing.T, in ast.Node) []string {
	t.Helper()
	var found []string
	ast.Inspect(in, func(n ast.Node) bool {
		literal, ok := n.(*ast.CompositeLit)
		if !ok || found != nil {
			return true
		}
		for _, element := range literal.Elts {
			if text, ok := element.(*ast.BasicLit); ok && text.Kind == token.STRING {
				plain, err := strconv.Unquote(text.Value)
				if err != nil {
					t.Fatal(err)
				}
				found = append(found, plain)
			}
		}
		return false
	})
	return found
}

// constants gives the whole numbers and durations that a file declares.
func constants(t *testing.T, path string) map[string]int64 {
	t.Helper()
	known := map[string]int64{}
	for _, decl := range parse(t, path).Decls {
		d, ok := decl.(*ast.GenDecl)
		if !ok || d.Tok != token.CONST {
			continue
		}
		for _, spec := range d.Specs {
			v := spec.(*ast.ValueSpec)
			for i, value := range v.Values {
				if n, ok := number(value, known); ok {
					known[v.Names[i].Name] = n
				}
			}
		}
	}
	return known
}

func number(expr ast.Expr, known map[string]int64) (int64, bool) {
	switch e := expr.(type) {
	case *ast.BasicLit:
		n, err := strconv.ParseInt(e.Value, 0, 64)
		return n, err == nil && e.Kind == token.INT
	case *ast.Ident:
		n, ok := known[e.Name]
		return n, ok
	case *ast.SelectorExpr:
		n, ok := map[string]time.Duration{"Millisecond": time.Millisecond, "Second": time.Second, "Minute": time.Minute, "Hour": time.Hour}[e.Sel.Name]
		return int64(n), ok
	case *ast.BinaryExpr:
		x, xOK := number(e.X, known)
		y, yOK := number(e.Y, known)
		switch {
		case !xOK || !yOK:
		case e.Op == token.MUL:
			return x * y, true
		case e.Op == token.SHL:
			return x << y, true
		}
	}
	return 0, false
}

// limits gives the named constants of a file, or fails.
type limits struct {
	t     *testing.T
	path  string
	known map[string]int64
}

func limitsOf(t *testing.T, path string) limits {
	t.Helper()
	return limits{t, path, constants(t, path)}
}

func (l limits) number(name string) int64 {
	l.t.Helper()
	n, ok := l.known[name]
	if !ok {
		l.t.Fatalf("%s has no constant %s", l.path, name)
	}
	return n
}

// count writes a number: 3,000.
func (l limits) count(name string) string {
	text := strconv.FormatInt(l.number(name), 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// size writes a number of bytes: 16 KiB.
func (l limits) size(name string) string {
	n := l.number(name)
	switch {
	case n%(1<<20) == 0:
		return strconv.FormatInt(n>>20, 10) + " MiB"
	case n%(1<<10) == 0:
		return strconv.FormatInt(n>>10, 10) + " KiB"
	}
	return l.count(name) + " bytes"
}

// span writes a duration: 90 days.
func (l limits) span(name string) string {
	d := time.Duration(l.number(name))
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if d >= unit.of && d%unit.of == 0 {
			switch n := int64(d / unit.of); {
			case n > 1:
				return strconv.FormatInt(n, 10) + " " + unit.name + "s"
			case unit.name != "day": // people say 24 hours
				return "1 " + unit.name
			}
		}
	}
	return d.String()
}
