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
//	                ┌───────────────┐ nothing to do until due ┌─────────┐
//	a finding ────▶ │    running    │ ──────────────────────▶ │ waiting │
//	                │ (leased to a  │ ◀────────────────────── │         │
//	                │    worker)    │ an attempt is due       └─────────┘
//	                └───────────────┘                              │
//	  ▲ retry          │         │                                 │ the same ends,
//	  │                ▼         ▼                                 ▼ and cancel
//	  ├──────────── failed    succeeded · stopped (a check said no) ─────▶ again: a new run, #2
//	  ├──────────── parked    (flow disabled or gone)
//	  └──────────── cancelled (by a person)            suppressed (a cooldown, from the beginning)
//
// [RunMoves] and [StepMoves] list every move of a run and of its steps, with who
// makes it and when. A step is begun once, and attempted until it has succeeded,
// stopped or failed; an attempt of a repair whose outcome nobody knows is looked
// into (Verify) before there is another: done → succeeded, not done → next
// attempt, still unknown → wait, look again.
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
// What people can do to runs (cancel, retry, run again) is [Control]. It works
// beside a Dispatcher, and as well from a program that has only the store.
//
// dispatch imports the root package and internal/lang. It is handed the
// actions as a catalogue and the queue and store as ports.
package dispatch
