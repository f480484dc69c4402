// Package sqlite keeps the ports in one SQLite file: queues with their dead
// letters, runs, counters and secrets, for a Responder that runs whole in one
// process. The driver is pure Go.
//
// What a call has reported as done survives a killed process and, as far as
// the disk keeps its word, a power cut: the file is in WAL mode with
// synchronous=FULL. All changes go through one connection that commits those
// waiting at the same moment together, so that concurrent senders share one
// fsync. Reads have connections of their own and never wait for it.
//
// One process owns the file; others may look (OpenReadOnly) meanwhile.
//
// It imports the root, the standard library and the driver.
package sqlite
