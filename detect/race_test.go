//go:build race

package detect

// raced says that the race detector watches.
const raced = true
