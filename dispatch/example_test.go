package dispatch_test

import (
	"context"
	"fmt"
	"testing/fstest"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/memory"
)

// shout is an action that tells the world.
type shout struct{}

func (shout) Spec() responder.Spec {
	return responder.Spec{Name: "Shout", Kind: responder.Notice, Params: []responder.Param{{Name: "message", Type: responder.TextParam}}}
}

func (shout) Do(_ context.Context, call responder.Call) (responder.Result, error) {
	fmt.Println(call.Params["message"])
	return nil, nil
}

// A finding becomes a run of the flow that is for it.
func Example() {
	catalogue := responder.Catalogue{"Shout": shout{}}
	flows, problems := dispatch.Load(fstest.MapFS{"flows.yml": {Data: []byte(`
flows:
  - rule: RootLogin
    sequential:
      - Shout: {message: "{{ title }} from {{ ip }}"}
      - wait: 10m
      - Shout: {message: "still there?"}
`)}}, "flows.yml", dispatch.LoadOptions{Catalogue: catalogue})
	if err := problems.Err(); err != nil {
		fmt.Println(err)
		return
	}
	now := func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	runs := &memory.Runs{}
	d, err := dispatch.New(dispatch.Config{
		Flows: func() *dispatch.Flows { return flows }, Catalogue: catalogue,
		Runs: runs, Findings: memory.NewQueue("findings", now, memory.QueueOptions{}),
		Mode: responder.ModeLive, Now: now,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	finding := responder.Finding{Rule: "RootLogin", Title: "Root has logged in", Key: "1", Event: []byte(`{"detail":{"sourceIPAddress":"198.51.100.7"}}`)}
	message, err := responder.Bell{Finding: &finding}.Encode()
	if err != nil {
		fmt.Println(err)
		return
	}
	d.Handle(context.Background(), []responder.Delivery{{ID: "1", Body: message}})

	run, err := runs.Get(context.Background(), finding.RunID("RootLogin"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(run.State, "until", run.Due.Format(time.TimeOnly))
	// Output:
	// Root has logged in from 198.51.100.7
	// waiting until 03:14:05
}
