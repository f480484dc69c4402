package actions_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/skycrafters/responder"
)

// TestAFindingOfTenThousand: a repair of more than it takes asks nothing; of more
// than its flow lets a finding touch it does nothing; both say so, soon, and in a
// run that every store takes.
func TestAFindingOfTenThousand(t *testing.T) {
	for _, tt := range []struct {
		n      int
		guards string
		state  responder.RunState
		says   string
		asks   bool
		event  bool // the event names them, too
	}{
		{10_000, "", responder.RunFailed, "ids names 10000 things, and an action takes 1000 at most: nothing was asked or done", false, false},
		{10_000, "    limits: {per_finding: 1000, per_run: 1000, per_hour: 1000, per_account: 1000}\n", responder.RunFailed, "ids names 10000 things", false, false},
		{10_000, "", responder.RunFailed, "the run has outgrown what a store keeps of one", false, true},
		{500, "", responder.RunSucceeded, "it would touch 500 things; a finding may touch 10", true, false},
	} {
		f := newFakeEC2()
		f.states = machines{}
		var ids []string
		for i := range tt.n {
			ids = append(ids, fmt.Sprintf("i-%.17s", hashed(i)))
			f.states[ids[i]] = running
		}
		e := newEngine(t, f.catalogue(), account, "eu-west-3", tt.guards, "      - remediate: {}\n")
		e.finding.Resources = ids
		e.finding.Remediate = &responder.Binding{Action: "EC2StopInstances", Params: map[string]any{"ids": listOf(ids)}}
		if tt.event {
			e.finding.Event = fmt.Appendf(nil, `{"id":"e","account":%q,"region":"eu-west-3","time":"2026-11-23T07:00:00Z","detail":{"ids":["%s"]}}`, account, strings.Join(ids, `","`))
		}
		run := e.run()
		said := told(run)
		if run.State != tt.state || !strings.Contains(said, tt.says) || (len(f.calls) > 0) != tt.asks {
			t.Errorf("%d: asked %d times\n%.2000s", tt.n, len(f.calls), said)
		}
		for _, op := range f.calls {
			if !strings.HasPrefix(op, "Describe") {
				t.Errorf("%d: %s", tt.n, op)
			}
		}
		data, err := responder.EncodeRun(run)
		if err != nil || len(data) > responder.MaxRunBytes {
			t.Errorf("%d: %d bytes, %v", tt.n, len(data), err)
		}
		t.Logf("%d resources: a run of %d bytes", tt.n, len(data))
	}
}

// hashed is a number as hexadecimal digits that nothing can be said of.
func hashed(n int) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte{byte(n), byte(n >> 8)}))
}
