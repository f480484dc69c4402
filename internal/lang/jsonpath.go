package lang

import (
	"fmt"
	"strings"

	"github.com/ohler55/ojg/jp"
)

// JSONPath is a compiled JSONPath, the language of values in flows written for
// the original. Safe for concurrent use.
type JSONPath struct {
	source string
	path   jp.Expr
}

// CompileJSONPath compiles a path such as $.event.rawEvent.account.
func CompileJSONPath(source string) (path *JSONPath, err error) {
	defer func() { // the library has panicked on odd paths
		if r := recover(); r != nil {
			path, err = nil, fmt.Errorf("not a JSONPath: %q: %v", source, r)
		}
	}()
	if !strings.HasPrefix(source, "$") {
		return nil, fmt.Errorf("not a JSONPath: %q does not begin with $", source)
	}
	parsed, err := jp.ParseString(source)
	if err != nil {
		return nil, fmt.Errorf("not a JSONPath: %q: %w", source, err)
	}
	return &JSONPath{source: source, path: parsed}, nil
}

// Text gives what the path finds in the document (maps, lists, texts …), several
// joined with ",", nothing as "".
func (p *JSONPath) Text(document any) (text string) {
	defer func() { // as in CompileJSONPath: a path that cannot be followed finds nothing
		if recover() != nil {
			text = ""
		}
	}()
	found := p.path.Get(document)
	texts := make([]string, len(found))
	for i, f := range found {
		texts[i] = Format(f)
	}
	return strings.Join(texts, ",")
}

// String gives the path as written.
func (p *JSONPath) String() string { return p.source }
