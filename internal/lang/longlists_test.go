package lang

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// addressList is a list of n addresses and networks, as people lay it out.
func addressList(n int, between string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf("10.%d.%d.%d", i/250, i%250, i%7)
		if i%2 == 0 {
			items[i] += fmt.Sprintf("/%d", 8+i%25)
		}
	}
	return strings.Join(items, between)
}

// longCases are files, in which @ is a long list. cut says that it is read past
// the YAML library.
var longCases = map[string]struct {
	text string
	cut  bool
}{
	"on a line":        {"lists:\n  a: [@]\n  b: [@, ]\n", true},
	"on many":          {"lists:\n  a: [\n    @\n  ]\n  b: [x]\n", true},
	"at the top":       {"[@]", true},
	"in a list":        {"- [@]\n- {a: [@], b: 1}\n", true},
	"behind a comment": {"# é\nlé: 'x' # [\né: [@] # y\n", true},
	"empty ones too":   {"a: []\nb: [ ]\nc: [@]\nd: []\n", true},
	"a text":           {"a: \"[@]\"\n", false},
	"a block":          {"a: |\n  [@]\nb: 1\n", false},
	"a folded text":    {"a: b\n  [@]\n", false},
	"a comment":        {"a: 1 # [@]\n", false},
	"both":             {"a: [@]\nb: '[@]'\n", false},
	"not only":         {"a: [@, x]\n", false},
	"a name as well":   {"a: [@, 1.2.3.4.example.org]\n", false},
	"quoted as well":   {"a: [@, \"1.2.3.4\"]\n", false},
	"a number as well": {"a: [@, 1.5]\n", false},
	"IPv6 as well":     {"a: [@, 2001:db8::/32]\n", false},
	"without a comma":  {"a: [@ 1.2.3.4]\n", false},
	"two commas":       {"a: [@,, 1.2.3.4]\n", false},
	"with a comment":   {"a: [@, # x\n  1.2.3.4]\n", false},
	"not closed":       {"a: [@\n", false},
	"wrong behind":     {"a: [@]\nb: [\n", false},
	"wrong before":     {"b: ]\na: [@]\n", false},
	"other ends":       {"a: [@]\r\nb: [@]\r\n", true},
	"separators":       {"a: \"\u2028\"\nb: [@]\n", false},
	"tagged":           {"a: !!set [@]\n", false},
	"anchored":         {"a: &x [@]\nb: *x\n", false},
	"twice":            {"a: [@]\n---\nb: [@]\n", false},
}

// TestLongLists: the tree is as the YAML library gives it.
func TestLongLists(t *testing.T) {
	for name, test := range longCases {
		for _, between := range []string{", ", ",", ",\n    ", " ,\n"} {
			text := strings.ReplaceAll(test.text, "@", addressList(manyAddresses, between))
			if cut := sameTree(t, name, text); cut != test.cut {
				t.Errorf("%s, between %q: read past the YAML library: %v, want %v", name, between, cut, test.cut)
			}
			sameTree(t, name, strings.ReplaceAll(test.text, "@", addressList(3, between)))
		}
	}
}

// sameTree compares how a file is read with how the YAML library reads it, and
// reports whether it was read past that.
func sameTree(t *testing.T, name, text string) (cut bool) {
	t.Helper()
	file := &File{Name: "rules.yml", Data: []byte(text)}
	got, problems := file.document()
	want, wanted := file.decode(file.Data)
	if fmt.Sprint(problems) != fmt.Sprint(wanted) {
		t.Fatalf("%s: problems are %v, want %v", name, problems, wanted)
	}
	if g, w := flat(got), flat(want); !reflect.DeepEqual(g, w) {
		for i := range min(len(g), len(w)) {
			if g[i] != w[i] {
				t.Fatalf("%s: %s\nwant %s", name, g[i], w[i])
			}
		}
		t.Fatalf("%s: %d nodes, want %d", name, len(g), len(w))
	}
	rest, lists := cutLists(file.Data)
	if lists == nil {
		return false
	}
	root, _ := file.decode(rest)
	if root == nil {
		return false
	}
	left, ok := fillLists(root, lists)
	return ok && len(left) == 0
}

// flat is a tree, node by node, without what nobody asks for.
func flat(node *yaml.Node) []string {
	if node == nil {
		return nil
	}
	out := []string{fmt.Sprintln(node.Kind, node.Style, node.Tag, node.Anchor, node.Line, node.Column, len(node.Content), node.Value)}
	for _, child := range node.Content {
		out = append(out, flat(child)...)
	}
	return out
}

// FuzzLongLists: as TestLongLists, of any file.
func FuzzLongLists(f *testing.F) {
	for _, test := range longCases {
		f.Add(test.text, ", ")
		f.Add(test.text, ",\n ")
	}
	f.Fuzz(func(t *testing.T, text, between string) {
		sameTree(t, "fuzz", strings.ReplaceAll(text, "@", addressList(manyAddresses, between)))
	})
}
