// Package metrics tells CloudWatch how Responder's functions fare, in its
// embedded metric format: lines of JSON on stdout, which Lambda hands to
// CloudWatch Logs and which become metrics there. No call is made, and nothing
// is to be permitted. The lines have no level, so Lambda takes them for INFO: a
// function's ApplicationLogLevel above that would lose them.
//
// It imports the standard library alone.
package metrics

// Namespace is where all metrics are.
const Namespace = "Responder"

// The dimensions. Every metric has Stack; their values are names from the
// configuration or from the code, never anything of an event: each combination
// that is told of in a month is a metric, and costs as one ($0.30).
const (
	Stack  = "Stack"  // name of the deployed stack
	Rule   = "Rule"   // name of a rule of rules.yml
	State  = "State"  // "created", or a responder.RunState that is an end
	Action = "Action" // name of an action of the catalogue
	Queue  = "Queue"  // "events" or "findings"
	Guard  = "Guard"  // name of a guard, of dispatch.Guards
)

// Metric is the name of a metric.
type Metric string

// The metrics of ingest.
const (
	EventsAccepted  Metric = "EventsAccepted"  // events queued
	RequestsRefused Metric = "RequestsRefused" // requests answered 4xx
	RequestsFailed  Metric = "RequestsFailed"  // requests answered 5xx
)

// The metrics of detect.
const (
	Events     Metric = "Events"     // events evaluated, canaries apart
	Canaries   Metric = "Canaries"   // canaries heard
	Findings   Metric = "Findings"   // findings queued; in all, and by Rule
	RuleErrors Metric = "RuleErrors" // failed evaluations; in all, and by Rule
)

// The metrics of dispatch.
const (
	Runs           Metric = "Runs"           // by State: runs made ("created"), and runs that ended so
	FailedRuns     Metric = "FailedRuns"     // runs that ended as failed, or were parked
	Held           Metric = "Held"           // steps that a guard held back, by Guard
	Warnings       Metric = "Warnings"       // warnings that a limit of an hour, or the breaker, keeps a flow from repairing
	Duplicates     Metric = "Duplicates"     // findings that met a run of theirs
	StepLatency    Metric = "StepLatency"    // ms that attempts took, by Action
	Due            Metric = "Due"            // at each sweep that succeeded: runs it rang for
	Halted         Metric = "Halted"         // at each sweep: halts that stand
	Tripped        Metric = "Tripped"        // at each sweep: those of them that the breaker made
	DarkForwarders Metric = "DarkForwarders" // at each sweep: places that are dark
)

// The metrics of both functions that a queue feeds, by Queue.
const (
	QueueLag    Metric = "QueueLag"    // ms from a message's sending to its delivery
	DeadLetters Metric = "DeadLetters" // messages buried by the function
)

// All lists every metric.
func All() []Metric {
	return []Metric{
		EventsAccepted, RequestsRefused, RequestsFailed,
		Events, Canaries, Findings, RuleErrors,
		Runs, FailedRuns, Held, Warnings, Duplicates, StepLatency, Due, Halted, Tripped, DarkForwarders,
		QueueLag, DeadLetters,
	}
}

// Unit is the metric's, as CloudWatch names it.
func (m Metric) Unit() string {
	switch m {
	case StepLatency, QueueLag:
		return "Milliseconds"
	}
	return "Count"
}

// By is the dimension that the metric has beside Stack, "" if it has none.
func (m Metric) By() string {
	switch m {
	case Findings, RuleErrors:
		return Rule
	case Runs:
		return State
	case StepLatency:
		return Action
	case Held:
		return Guard
	case QueueLag, DeadLetters:
		return Queue
	}
	return ""
}

// Dimensions are the sets under which the metric is found.
func (m Metric) Dimensions() [][]string {
	switch by := m.By(); by {
	case "":
		return [][]string{{Stack}}
	case Rule:
		return [][]string{{Stack}, {Stack, Rule}}
	default:
		return [][]string{{Stack, by}}
	}
}
