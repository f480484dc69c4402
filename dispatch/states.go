package dispatch

import "github.com/skycrafters/responder"

// Move is a row of a state machine: from which states to which, by whom and when.
// None in From or To stands for a run or step that is not there (yet, or any more).
type Move[S ~string] struct {
	From []S
	To   S
	Who  string
	When string
}

// Who moves runs and steps.
const (
	byWorker = "worker"
	byPerson = "person"
)

// RunMoves is all that the state of a run, as stored, can do. A worker is who
// holds the run's lease, or takes it with that very write.
func RunMoves() []Move[responder.RunState] {
	const none, running, waiting, asking = responder.RunState(""), responder.RunRunning, responder.RunWaiting, responder.RunAwaitingApproval
	type states = []responder.RunState
	return []Move[responder.RunState]{
		{states{none}, running, byWorker, "a finding is for the flow, and an attempt is to be made"},
		{states{none}, waiting, byWorker, "the same, and nothing is to be done until `due`"},
		{states{none}, asking, byWorker, "the same, and a question to people is open"},
		{states{none}, responder.RunSucceeded, byWorker, "the same, and no step acts: their conditions are false, or all is dry"},
		{states{none}, responder.RunParked, byWorker, "the same, but the flow is halted, or disabled meanwhile"},
		{states{none}, running, byPerson, "runs again one that has ended, or undoes one"},
		{states{none}, running, byWorker, "a limit of an hour, or the breaker, keeps a flow from repairing: it tells of that"},
		{states{none}, responder.RunFailed, byWorker, "the flow's `if` cannot be judged, or what its first step is to be given cannot be evaluated"},
		{states{none}, responder.RunSuppressed, byWorker, "a cooldown keeps the finding quiet"},
		{states{none}, waiting, byWorker, "a flow's notices are beyond their limit: it tells of them once the window is over"},
		{states{waiting, asking}, running, byWorker, "something is due, and an attempt is to be made"},
		{states{running, asking}, waiting, byWorker, "nothing is to be done until `due`"},
		{states{running, waiting}, asking, byWorker, "the same, and a question to people is open"},
		{states{running, waiting, asking}, responder.RunSucceeded, byWorker, "all steps have ended"},
		{states{running, waiting, asking}, responder.RunStopped, byWorker, "a check said no, or people did, or nobody said yes in time"},
		{states{running, waiting, asking}, responder.RunFailed, byWorker, "a step failed and its policy lets that through, or a bound is reached: timeout, steps, resumptions, size"},
		{states{running, waiting, asking}, responder.RunParked, byWorker, "its flow is disabled, gone or halted, or its steps are of another version's"},
		{states{running, waiting, asking, responder.RunParked}, responder.RunCancelled, byPerson, "cancels it"},
		{states{responder.RunFailed, responder.RunCancelled, responder.RunParked}, running, byPerson, "retries it"},
	}
}

// StepMoves is all that the state of a step can do. What happens to a group
// happens with the outcome that brings its last member to rest.
func StepMoves() []Move[responder.StepStatus] {
	const none, running, waiting = responder.StepStatus(""), responder.StepRunning, responder.StepWaiting
	const succeeded, failed, skipped, stopped, cancelled = responder.StepSucceeded, responder.StepFailed, responder.StepSkipped, responder.StepStopped, responder.StepCancelled
	type states = []responder.StepStatus
	return []Move[responder.StepStatus]{
		{states{none}, running, byWorker, "begins it: its `if` is true, its parameters are resolved"},
		{states{none}, waiting, byWorker, "begins a wait, asks, or is a notice that was put off"},
		{states{none}, skipped, byWorker, "its `if` is false, or waits are passed over"},
		{states{none}, failed, byWorker, "its `if`, or what it is to be given, cannot be evaluated"},
		{states{none}, succeeded, byWorker, "begins a group that has no members, or asks nobody, for repairs are dry"},
		{states{waiting}, running, byWorker, "its time has come: another attempt, or a look at whether a repair was done; or the repair was approved"},
		{states{running}, waiting, byWorker, "an attempt failed for now, or nobody knows how it ended: a pause; or the repair is asked about"},
		{states{running, waiting}, succeeded, byWorker, "an attempt, a look, a wait or a group has ended well, it was approved, or nobody objected; or it is recorded instead of done"},
		{states{running, waiting}, failed, byWorker, "it failed for good"},
		{states{running, waiting}, stopped, byWorker, "a check said no, or people did, or nobody said yes in time"},
		{states{running, waiting}, skipped, byWorker, "the flow's repairs are off, a cooldown or a limit keeps notices quiet, or people said no and the flow goes on"},
		{states{running, waiting}, cancelled, byWorker, "another branch was first, or the run failed by a bound"},
		{states{running, waiting}, cancelled, byPerson, "cancels the run"},
		{states{cancelled}, succeeded, byWorker, "was at an attempt when the run was cancelled, and it ended well"},
		{states{cancelled}, stopped, byWorker, "the same, and the check said no"},
		{states{cancelled}, failed, byWorker, "the same, and it failed for good"},
		{states{succeeded, failed, skipped, cancelled}, none, byWorker, "told of a question about a repair that is asked anew: it tells of that"},
		{states{failed, cancelled}, running, byPerson, "retries the run: it is tried anew"},
		{states{failed, cancelled}, none, byPerson, "retries the run: it had come to no attempt, and begins anew"},
		{states{succeeded, skipped, stopped}, none, byPerson, "retries the run: it belongs to the `on_error`, or to the question, of a step that is tried anew"},
	}
}
