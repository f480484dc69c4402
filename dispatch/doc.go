// Package dispatch turns findings into runs of flows and carries each run to
// its end.
//
//	flows.yml ─ Load ─▶ Flows          finding ─┐
//	                      │                     ▼
//	                      └────────────▶ Dispatcher.Handle ─▶ run ─▶ steps ─▶ actions
//	                                            ▲                │
//	                                            └──── wake ◀─────┘  (waits, retries; the Sweep rings what was lost)
//
// A run moves through these states:
//
//	             ┌───────────────┐ a step waits       ┌─────────┐
//	created ───▶ │    running    │ ─────────────────▶ │ waiting │
//	             │ (leased to a  │ ◀───────────────── │ until   │
//	             │    worker)    │ due, by a wake     │ Due     │
//	             └───────────────┘                    └─────────┘
//	    │            │            │             │
//	    ▼            ▼            ▼             ▼
//	succeeded     stopped       failed        parked
//	              a check       with its      its flow is
//	              said no       cause         disabled or gone
//
// and each of its steps through these:
//
//	(not reached) ──begin──▶ running ──attempt──▶ succeeded · stopped · failed
//	      │                   │    ▲
//	      │ its `if` is       │    │ due            an attempt of a repair whose outcome nobody
//	      │ false, or         ▼    │                knows is looked into (Verify) before there is
//	      ▼ repairs are off  waiting: a wait,       another: done → succeeded, not done → next
//	   skipped               or before a retry      attempt, still unknown → wait, look again
//
// The machine ([Next], [Apply]) is pure: it reads a run and a clock reading,
// and gives what to do, or the run as it is afterwards. Around it is a thin
// ring of effects: a worker takes the run's lease by a conditional write,
// begins steps (evaluates conditions, renders parameters), stores that an
// attempt is under way, makes the attempt, and stores what came of it with the
// mark of the next. Killed between any two of these, the run is taken up by
// another worker when the lease ends: a notice or check is tried again, a
// repair is verified first.
//
// dispatch imports the root package and internal/lang. It is handed the
// actions as a catalogue and the queue and store as ports.
package dispatch
