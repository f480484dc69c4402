//go:build race

package simulation

// raced says that the race detector watches, and makes everything ten times as long.
const raced = true
