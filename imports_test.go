package responder_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/skycrafters/responder"

// rooms say what the packages of each folder may import of this module, and
// which third-party modules. Imports run one way: root ← lang ← stages, actions;
// root ← adapters; all ← cmd.
var rooms = map[string]struct{ own, others []string }{
	"":                        {others: []string{"github.com/klauspost/compress"}},
	"internal/elements":       {own: []string{""}},
	"internal/archive":        {own: []string{"internal/elements"}, others: []string{"github.com/klauspost/compress"}},
	"internal/lang":           {own: []string{""}, others: []string{"github.com/expr-lang/expr", "gopkg.in/yaml.v3", "github.com/ohler55/ojg"}},
	"internal/engine":         {own: []string{"", "internal/lang"}, others: []string{"github.com/expr-lang/expr/ast"}},
	"ingest":                  {own: []string{"", "internal/elements"}, others: []string{"github.com/rs/zerolog", "github.com/aws/aws-lambda-go/events"}},
	"detect":                  {own: []string{"", "internal/lang", "internal/engine"}, others: []string{"github.com/rs/zerolog", "gopkg.in/yaml.v3"}},
	"dispatch":                {own: []string{"", "internal/ansi", "internal/lang"}, others: []string{"github.com/rs/zerolog", "gopkg.in/yaml.v3"}},
	"actions":                 {own: []string{"", "internal/ansi", "internal/lang", "internal/outbound", "internal/redact"}, others: []string{"github.com/aws/"}},
	"internal/memory":         {own: []string{""}},
	"internal/porttest":       {own: []string{""}},
	"internal/faults":         {},
	"internal/outbound":       {},
	"internal/redact":         {},
	"internal/ansi":           {},
	"internal/evidence":       {}, // for tests alone
	"internal/sqlite":         {own: []string{"", "internal/faults"}, others: []string{"modernc.org/sqlite", "golang.org/x/sys"}},
	"internal/s3":             {own: []string{"internal/archive", "internal/stack"}, others: []string{"github.com/aws/"}},
	"internal/sqs":            {own: []string{""}, others: []string{"github.com/aws/", "golang.org/x/sync"}},
	"internal/dynamodb":       {own: []string{""}, others: []string{"github.com/aws/", "golang.org/x/sync"}},
	"internal/secretsmanager": {own: []string{""}, others: []string{"github.com/aws/"}},
	"internal/metrics":        {},
	"internal/emulator":       {own: []string{""}, others: []string{"github.com/aws/"}},
	"internal/stack":          {own: []string{""}, others: []string{"github.com/aws/"}},
	"internal/forwarders":     {own: []string{"", "internal/stack"}, others: []string{"github.com/aws/", "golang.org/x/sync", "gopkg.in/yaml.v3"}},
	"internal/simulation":     {},                                                                                                    // tests alone
	"internal/flood":          {own: []string{"", "detect", "dispatch", "internal/evidence"}, others: []string{"golang.org/x/sync"}}, // for tests alone
	"internal/benchmarks":     {},                                                                                                    // tests alone
	"docs":                    {},                                                                                                    // tests alone
}

// TestImports holds the direction of imports, over what is compiled: tests may
// import more.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Standard", "-deps", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	standard := map[string]bool{}
	imports := map[string][]string{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
			Standard   bool
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		standard[p.ImportPath] = p.Standard
		if room, ok := roomOf(p.ImportPath); ok {
			imports[room] = p.Imports
		}
	}
	for room, imported := range imports {
		if strings.HasPrefix(room, "cmd/") {
			continue
		}
		rule, known := rooms[room]
		if !known {
			t.Errorf("package %q is in no room: say in this test what it may import", room)
			continue
		}
		for _, path := range imported {
			if own, ok := roomOf(path); ok {
				if !slices.Contains(rule.own, own) {
					t.Errorf("%q imports %q", room, own)
				}
			} else if !standard[path] && !slices.ContainsFunc(rule.others, func(prefix string) bool { return strings.HasPrefix(path, prefix) }) {
				t.Errorf("%q imports %q", room, path)
			}
		}
	}
	if len(imports) < 10 {
		t.Errorf("only %d packages were seen", len(imports))
	}
}

// TestSmallFunctions: functions that do no actions are not linked with them.
func TestSmallFunctions(t *testing.T) {
	for _, program := range []string{"ingest", "detect", "approve"} {
		out, err := exec.Command("go", "list", "-tags", "lambda.norpc", "-deps", "./cmd/"+program).Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		packages := strings.Fields(string(out))
		if len(packages) < 100 {
			t.Errorf("%s: only %d packages were seen", program, len(packages))
		}
		for _, large := range []string{module + "/actions", "github.com/aws/aws-sdk-go-v2/service/ec2", "net/rpc"} {
			if slices.Contains(packages, large) {
				t.Errorf("%s is linked with %s", program, large)
			}
		}
	}
}

// roomOf is a package's path in this module.
func roomOf(path string) (string, bool) {
	if path == module {
		return "", true
	}
	return strings.CutPrefix(path, module+"/")
}
