package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

var alarmName = regexp.MustCompile(`(?m)^ +AlarmName: !Sub \$\{(?:AWS::StackName|Name)\}-(\S+)$`)

// TestAlarms: whoever is woken by an alarm finds what to do.
func TestAlarms(t *testing.T) {
	sections := anchors(read(t, "troubleshooting.md"))
	seen := 0
	for _, template := range []string{"template.yaml", "forwarder.yaml"} {
		for _, m := range alarmName.FindAllStringSubmatch(read(t, root+template), -1) {
			seen++
			if !slices.Contains(sections, "#"+m[1]) {
				t.Errorf("troubleshooting.md has no section for %s's alarm %s", template, m[1])
			}
		}
	}
	if seen < 15 {
		t.Errorf("only %d alarms were seen", seen)
	}
}

// TestParameters: what can be chosen at the deployment stands where one reads of it.
func TestParameters(t *testing.T) {
	_, section, _ := strings.Cut(read(t, root+"template.yaml"), "\nParameters:")
	section, _, ok := strings.Cut(section, "\nRules:")
	names := regexp.MustCompile(`(?m)^  (\w+):$`).FindAllStringSubmatch(section, -1)
	if !ok || len(names) < 8 {
		t.Fatalf("only %d parameters were seen", len(names))
	}
	page := read(t, "deploying.md")
	for _, m := range names {
		if !strings.Contains(page, "`"+m[1]+"`") {
			t.Errorf("deploying.md does not have the parameter %s", m[1])
		}
	}
}
