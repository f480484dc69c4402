package actions_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
)

// TestRepairsAreTested: every repair of the catalogue is done, verified and undone
// against an emulator of AWS, or by the SDK's client against a stand-in where the
// emulators do not know its service; is denied; is given what is no target; and
// says for each thing what became of it.
func TestRepairsAreTested(t *testing.T) {
	sources := map[string]string{}
	paths, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		sources[path] = string(text)
	}
	within := func(file, text string) bool {
		for path, source := range sources {
			if ok, err := filepath.Match(file, path); err != nil {
				t.Fatal(err)
			} else if ok && strings.Contains(source, text) {
				return true
			}
		}
		return false
	}
	// Those of tables are denied, throttled and lost at each of their calls, and given
	// hostile targets, by the tests of the tables; these have tests of their own.
	alone := map[string]struct{ denied, hostile string }{
		"S3BlockPublicAccess":    {"TestS3RepairsFail", "TestS3RepairsFail"},
		"S3SetPublicAccessBlock": {"TestS3RepairsFail", "TestS3RepairsFail"},
		"CloudTrailStartLogging": {"TestCloudTrailFails", "TestCloudTrailRefused"},
		"InvokeLambda":           {"TestInvokeLambdaOutcomes", "TestHandoverTargets"},
		"StartExecution":         {"TestStartExecutionOutcomes", "TestHandoverTargets"},
		"SSMAutomation":          {"TestSSMAutomationOutcomes", "TestSSMAutomationRefuses"},
	}
	refusal := regexp.MustCompile(`denied|AccessDenied|UnauthorizedOperation`)
	for name, action := range actions.New(actions.Deps{}) {
		spec := action.Spec()
		if spec.Kind != responder.Repair {
			continue
		}
		quoted := `"` + name + `"`
		if !within("moto_*_test.go", quoted) && !within("moto_test.go", quoted) && !within("*_wire_test.go", quoted) {
			t.Errorf("%s is done by no test against an emulator, or on the wire", name)
		}
		undone := regexp.MustCompile(`doAndUndo\([^\n]*` + quoted + `|\{` + quoted + `, of(User|Role)|` + quoted + `: +\{"ids"`)
		tested := false
		for path, source := range sources {
			tested = tested || strings.HasPrefix(path, "moto_") && undone.MatchString(source)
		}
		if len(spec.Undo) > 0 && !tested {
			t.Errorf("%s is undone by no test against an emulator", name)
		}
		_, ec2 := ec2Repairs[name]
		_, iam := iamRepairs[name]
		tests, by := alone[name]
		switch {
		case ec2 || iam:
		case !by:
			t.Errorf("%s is denied by no test", name)
		default:
			for _, test := range []string{tests.denied, tests.hostile} {
				if !within("*_test.go", "func "+test+"(t *testing.T)") {
					t.Errorf("%s: there is no %s", name, test)
				}
			}
			if body := bodyOf(sources, tests.denied); !refusal.MatchString(body) {
				t.Errorf("%s: %s denies nothing", name, tests.denied)
			}
		}
		for _, p := range spec.Params {
			if p.Doc == "" {
				t.Errorf("%s: nobody says what %s is", name, p.Name)
			}
		}
	}
}

// bodyOf gives the source of a test.
func bodyOf(sources map[string]string, test string) string {
	for _, source := range sources {
		if _, body, ok := strings.Cut(source, "\nfunc "+test+"("); ok {
			body, _, _ = strings.Cut(body, "\n}\n")
			return body
		}
	}
	return ""
}
