package evidence

// Scenarios lists every scenario, in the order of the page.
func Scenarios() []Scenario {
	return []Scenario{
		{"Simulated histories", "The engine keeps every promise, whatever goes wrong with workers, clocks, messages, store and actions; a seed that breaks one is told, as short as it gets."},
		{"Killed at any moment", "Every accepted event ends as a run of each flow, every step of which is done; where the other side honours the idempotency key, once."},
		{"Killed at its first start", "Whatever is left of the first start, the next one serves, with the key that the key file holds."},
		{"Killed store", "What a caller was told is done is there after the kill; of one batch all is there, or nothing."},
		{"Disk full", "Senders get 503 and nothing of theirs counts; what was accepted is kept; once there is room work goes on by itself and all of it is done."},
		{"Writes refused by the disk", "As with a full disk."},
		{"Read-only folder", "Refused at the start, with the path and what to do."},
		{"Locked by another program", "Refused, or answered with 503, in bounded time; goes on once it is free."},
		{"Torn file", "Refused, with the path and what to do, and left as it is; or, of a torn log, opened as it was after a commit."},
	}
}
