package detect

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"gopkg.in/yaml.v3"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/lang"
)

// Load reads rules.yml with all that belongs to it (see lang.ReadSources) and
// compiles the rules. All problems are told at once; with errors among them the
// rules are nil. catalogue says which checks and repairs a rule may bind; nil
// leaves bindings unchecked.
//
// Later files override field by field: a rule's `vars` and an account's fields
// merge, lists replace. Cost: about 0.1 ms a rule, on all cores.
func Load(fsys fs.FS, name string, catalogue responder.Catalogue) (*Rules, lang.Problems) {
	sources, problems := lang.ReadSources(fsys, name)
	l := &loader{problems: problems, accounts: map[string]map[string]any{}, lists: map[string]any{}, drafts: map[string]*draft{}}
	for _, source := range sources {
		l.source(source)
	}
	rules := &Rules{Accounts: l.accounts, lists: l.lists}
	for _, made := range l.compile(catalogue) {
		l.problems = append(l.problems, made.problems...)
		if made.rule == nil {
			continue
		}
		rules.infos = append(rules.infos, made.rule.info())
		if !made.rule.disabled {
			rules.rules = append(rules.rules, made.rule)
		}
	}
	l.problems = l.problems.Sort()
	if l.problems.Err() != nil {
		return nil, l.problems
	}
	rules.canary = likeCanary()
	return rules.ready(), l.problems
}

// LoadFile is Load from disk; problems name files as path does.
func LoadFile(path string, catalogue responder.Catalogue) (*Rules, lang.Problems) {
	dir, name := filepath.Split(path)
	rules, problems := Load(os.DirFS(cmp.Or(dir, ".")), name, catalogue)
	return rules, problems.Below(dir)
}

// loader merges files.
type loader struct {
	problems lang.Problems
	accounts map[string]map[string]any
	lists    map[string]any
	drafts   map[string]*draft
	order    []string // of rules, as first named
}

// made is what became of a draft.
type made struct {
	rule     *rule // nil, if there are errors among the problems
	problems lang.Problems
}

// compile compiles the drafts, in their order.
func (l *loader) compile(catalogue responder.Catalogue) []made {
	all := make([]made, len(l.order))
	const some = 64 // that are compiled at a stretch
	shared := lang.NewShared()
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), 1+len(all)/some) {
		workers.Go(func() {
			shared := shared.Another()
			for from := int(next.Add(some)) - some; from < len(all); from = int(next.Add(some)) - some {
				for i := from; i < min(from+some, len(all)); i++ {
					all[i].rule, all[i].problems = l.drafts[l.order[i]].compile(l.lists, shared, catalogue)
				}
			}
		})
	}
	workers.Wait()
	return all
}

// placed is a node and the file it stands in.
type placed struct {
	file *lang.File
	node *yaml.Node
}

// draft is a rule as merged, not yet compiled.
type draft struct {
	name   string
	at     placed // where the rule was first named
	fields map[string]placed
	vars   map[string]any
}

var topKeys = []string{"include", "accounts", "lists", "rules"}

func (l *loader) source(s lang.Source) {
	for _, field := range s.Top {
		switch field.Name() {
		case "accounts":
			l.readAccounts(s.File, field.Value)
		case "lists":
			l.readLists(s.File, field.Value)
		case "rules":
			l.readRules(s.File, field.Value)
		case "flows", "actions":
			p := s.File.Problem(field.Key, "%q belongs in flows.yml", field.Name())
			l.problems = append(l.problems, p)
		default:
			l.unknown(s.File, field.Key, "", topKeys)
		}
	}
}

func (l *loader) report(file *lang.File, node *yaml.Node, hint, format string, args ...any) {
	p := file.Problem(node, format, args...)
	p.Hint = hint
	l.problems = append(l.problems, p)
}

// reserved are words of versions to come.
var reserved = []string{"window", "sequence", "absent", "first_seen", "dedup", "unless", "stage", "tests", "provider"}

func (l *loader) unknown(file *lang.File, key *yaml.Node, of string, known []string) {
	if slices.Contains(reserved, key.Value) {
		l.report(file, key, "leave it out for now: it is reserved for a later version", "%q is not there yet", key.Value)
		return
	}
	if key.Value == "repairs" {
		l.report(file, key, "put it on the flow: a rule cannot arm a repair", "%q belongs in flows.yml", key.Value)
		return
	}
	hint := lang.Suggest(key.Value, known)
	if hint == "" {
		hint = "there are: " + strings.Join(known, ", ")
	}
	l.report(file, key, hint, "unknown key %q%s", key.Value, of)
}

// object gives a node's fields, or reports that it is none. An empty value is an empty object.
func (l *loader) object(file *lang.File, node *yaml.Node, what string) []lang.Field {
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return nil
	}
	if node.Kind != yaml.MappingNode {
		l.report(file, node, "", "%s must be an object of keys", what)
		return nil
	}
	return lang.Fields(node)
}

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

func (l *loader) readAccounts(file *lang.File, node *yaml.Node) {
	for _, field := range l.object(file, node, "accounts") {
		id := field.Name()
		if !accountID.MatchString(id) {
			l.report(file, field.Key, "an account id has twelve digits, leading zeros included", "%q is not an account id", id)
			continue
		}
		fields := []lang.Field(nil)
		if field.Value.Kind == yaml.ScalarNode { // "012345670123": payments
			l.accounts[id] = merged(l.accounts[id], map[string]any{"name": field.Value.Value})
			continue
		}
		fields = l.object(file, field.Value, "account "+id)
		said := map[string]any{}
		for _, f := range fields {
			if f.Name() == "id" {
				l.report(file, f.Key, "", "an account's id is its key")
				continue
			}
			said[f.Name()] = lang.DecodeText(f.Value)
		}
		l.accounts[id] = merged(l.accounts[id], said)
	}
}

func merged(under, over map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range under {
		out[k] = v
	}
	for k, v := range over {
		out[k] = v
	}
	return out
}

func (l *loader) readLists(file *lang.File, node *yaml.Node) {
	for _, field := range l.object(file, node, "lists") {
		switch {
		case field.Value.Kind == yaml.SequenceNode:
			for _, item := range field.Value.Content {
				if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
					l.report(file, item, "", "a list holds texts")
				}
			}
			l.lists[field.Name()] = lang.DecodeText(field.Value)
		case field.Value.Tag == "!!null":
			l.lists[field.Name()] = []any{}
		default:
			l.report(file, field.Value, fmt.Sprintf("write %s: [%s]", field.Name(), field.Value.Value), "list %q must be a list", field.Name())
		}
	}
}

var ruleName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,99}$`)

func (l *loader) readRules(file *lang.File, node *yaml.Node) {
	if node.Kind == yaml.SequenceNode {
		l.report(file, node, "write `rules:` and below it `Name: expression`", "rules are named: an object, not a list")
		return
	}
	for _, field := range l.object(file, node, "rules") {
		l.readRule(file, field)
	}
}

// ruleKeys are the fields of a rule.
var ruleKeys = []string{"id", "title", "description", "severity", "when", "each", "if", "vars", "message", "resources", "key", "check", "remediate", "enabled"}

func (l *loader) readRule(file *lang.File, field lang.Field) {
	name := field.Name()
	if !ruleName.MatchString(name) {
		l.report(file, field.Key, "use letters, digits, - _ and . , beginning with a letter, at most 100", "%q cannot name a rule", name)
		return
	}
	d := l.drafts[name]
	if d == nil {
		d = &draft{name: name, at: placed{file, field.Key}, fields: map[string]placed{}, vars: map[string]any{}}
		l.drafts[name] = d
		l.order = append(l.order, name)
	}
	if field.Value.Kind == yaml.ScalarNode { // a whole rule in one line
		d.fields["when"] = placed{file, field.Value}
		return
	}
	for _, f := range l.object(file, field.Value, "rule "+name) {
		switch {
		case !slices.Contains(ruleKeys, f.Name()):
			l.unknown(file, f.Key, " of a rule", ruleKeys)
		case f.Name() == "vars":
			for _, v := range l.object(file, f.Value, "vars") {
				d.vars[v.Name()] = lang.Decode(v.Value)
			}
		default:
			d.fields[f.Name()] = placed{file, f.Value}
		}
	}
}
