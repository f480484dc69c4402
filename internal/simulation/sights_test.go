package simulation

// sight is something that only some histories have, counted to see that some do.
type sight string

// What is looked for in guarded histories.
const (
	sawQuestion sight = "questions"
	sawAnswer   sight = "answers taken"
	sawHeld     sight = "repairs held back"
	sawHalt     sight = "halts"
	sawTrip     sight = "trips of the breaker"
	sawParked   sight = "runs parked"
	sawUndo     sight = "undos"
	sawWarning  sight = "warnings"
)

func sights() []sight {
	return []sight{sawQuestion, sawAnswer, sawHeld, sawHalt, sawTrip, sawParked, sawUndo, sawWarning}
}
