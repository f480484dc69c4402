package docs

import (
	"regexp"
	"slices"
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
