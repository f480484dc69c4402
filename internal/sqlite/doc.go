// Package sqlite keeps the ports in one SQLite file: queues with their dead
// letters, runs, counters and secrets, for a Responder that runs whole in one
// process. The driver is pure Go.
//
// What a call has reported as done survives a killed process and, as far as
// the disk keeps its word, a power cut: the file is in WAL mode with
// synchronous=FULL. Receive, Ack and Release do not wait for the disk, nor does
// a Send of what is derived (QueueOptions): a power cut may undo the last of
// them, and then messages come again, which "at least once" allows anyway. What
// is undone is always the newest; an Ack is never kept without what was written
// before it, nor a run without the finding that it comes of.
//
// All changes go through one connection that commits those waiting at the same
// moment together, so that concurrent senders share one fsync. Reads have
// connections of their own and never wait for it.
//
// One process owns the file; others may look (OpenReadOnly) meanwhile.
//
// It imports the root, internal/faults, the standard library and the driver.
package sqlite
