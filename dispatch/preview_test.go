package dispatch

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/skycrafters/responder"
)

// shown is a notice that shows what it is given.
type shown struct{ responder.Action }

func (s shown) Preview(call responder.Call) (responder.Preview, error) {
	text := fmt.Sprint(call.Prefix, call.Params["message"])
	if q := call.Question; q != nil {
		text += fmt.Sprint(" asks ", q.Step, ": ", q.Text, " ", q.Plan)
	}
	return responder.Preview{To: fmt.Sprint(call.Params["webhookURL"]), Text: text}, nil
}

func TestPreviewing(t *testing.T) {
	const head = "flows:\n  - name: a\n    rules: [\"*\"]\n    repairs: %s\n    sequential:\n"
	const steps = `
      - SendSlack: {webhookURL: "https://hooks.example/T0KEN", message: "one {{ resources[0] }}"}
        if: "false"
      - parallel:
          - wait: 10m
          - SendEmail: {}
            as: x
      - approve: {text: "End {{ resources[0] }}?", by: {cli: true}, for: 30m}
        tell: [SendSlack: {message: decide}]
      - if: "false"
        then: [SendSlack: {message: then}]
        else: [SendSlack: {message: else}]
      - remediate: {}
      - SendSlack: {message: "{{ run.id }} {{ steps.x.result.y }}"}
`
	for repairs, last := range map[string]string{"live": "", "dry": "[DRY RUN] "} {
		w := newWorld(t, fmt.Sprintf(head, repairs)+steps)
		catalogue := responder.Catalogue{}
		for name, action := range w.config.Catalogue {
			catalogue[name] = action
		}
		catalogue["SendSlack"] = shown{catalogue["SendSlack"]}
		flows := w.config.Flows()
		flow, _ := flows.Get("a")
		finding := w.finding("UnauthorizedInstanceCreated")
		before, err := json.Marshal(finding)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Previewing{Flows: flows, Catalogue: catalogue, Now: w.clock.Now()}.Notices(flow, finding)
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, n := range got {
			told = append(told, strings.TrimSpace(fmt.Sprintf("%s %s if=%q %s %v", n.Path, n.Action, n.If, n.Text, n.Err)))
			if strings.Contains(n.To, "T0KEN") {
				t.Errorf("an address in plain text is shown: %s", n.To)
			}
		}
		target := finding.Resources[0]
		want := []string{
			`0 SendSlack if="false" one ` + target + ` <nil>`,
			`1.1 SendEmail if=""  SendEmail does not show what it would send`,
			`2.tell.0 SendSlack if="" decide asks 2: End ` + target + `? [` + "EC2TerminateInstances in 123412341234, eu-west-1" + `] <nil>`,
			`3.then.0 SendSlack if="" then <nil>`,
			`3.else.0 SendSlack if="" else <nil>`,
			`5 SendSlack if="" ` + last + finding.RunID("a") + `  <nil>`,
		}
		for i := range max(len(want), len(told)) {
			if i >= len(told) || i >= len(want) || told[i] != want[i] {
				t.Errorf("%s:\n got %q\nwant %q", repairs, told, want)
				break
			}
		}
		if after, err := json.Marshal(finding); err != nil || string(after) != string(before) {
			t.Error("the finding was changed")
		}
		if len(w.deeds) > 0 {
			t.Errorf("a preview did %v", w.deeds)
		}
	}
}
