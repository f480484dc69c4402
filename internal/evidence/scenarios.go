package evidence

// Scenarios lists every scenario, in the order of the page.
func Scenarios() []Scenario {
	return []Scenario{
		{"Simulated histories", "The engine keeps every promise, whatever goes wrong with workers, clocks, messages, store and actions; a seed that breaks one is told, as short as it gets."},
		{"Simulated histories with questions and guards", "The same where people are asked, rightly and wrongly answered, flows are halted and disabled, limited and fenced, and repairs undone: nothing acts without a yes that counts, nor halted, nor beyond a limit; an undo puts back what was found, once."},
		{"Killed at any moment", "Every accepted event ends as a run of each flow, every step of which is done; where the other side honours the idempotency key, once."},
		{"Killed while people decide and halt", "A repair acts only after somebody was told to have said yes, or could have been; what was denied never acts; from a halt that was answered on nothing acts until it is lifted; all that was approved is done once it is."},
		{"Killed at its first start", "Whatever is left of the first start, the next one serves, with the key that the key file holds."},
		{"Killed store", "What a caller was told is done is there after the kill; of one batch all is there, or nothing."},
		{"Disk full", "Senders get 503 and nothing of theirs counts; what was accepted is kept; once there is room work goes on by itself and all of it is done."},
		{"Writes refused by the disk", "As with a full disk."},
		{"Read-only folder", "Refused at the start, with the path and what to do."},
		{"Locked by another program", "Refused, or answered with 503, in bounded time; goes on once it is free."},
		{"Torn file", "Refused, with the path and what to do, and left as it is; or, of a torn log, opened as it was after a commit."},
		{"Flood, in memory", "Every limit of a flow holds to the unit, across workers: things by run, hour, account and one by one, and notices; what is left out is told of together."},
		{"Flood, on SQLite", "As in memory."},
		{"AWS: flood", "As in memory, on DynamoDB."},
		{"AWS: delivered a hundred times", "One run of each flow, each step of it attempted once."},
		{"AWS: poison in a batch", "What cannot be handled becomes a dead letter with its cause; all else in its batch is done; nothing comes again for ever."},
		{"AWS: lost reply of a conditional write", "Made again by the SDK, the write meets itself and counts as done: no run stands still, no step is attempted again, no finding counted twice."},
		{"AWS: asked and answered", "The first answer that may be given counts, whoever answers at once; a repair acts by a yes alone, and under one key; a worker that wakes late repairs nothing."},
		{"AWS: limits across workers", "As many things are touched as the flow may touch in an hour, to the unit, whichever instance does it."},
		{"AWS: stale worker", "Once it wakes, whatever it writes is refused; what the worker that took over has written stays."},
		{"AWS: redrive of half-done work", "All is finished; what was done is not done again."},
		{"AWS: a thousand resumptions", "A run is taken up as often as it waits and does each step once; the limit ends it with the reason."},
		{"AWS: a thousand runs swept", "Runs whose bells are lost and whose workers are dead are carried on by the sweep."},
		{"AWS: a deploy in mid-flow", "Runs keep their steps; what the older version cannot read is parked, shown, and goes on under the newer."},
	}
}
