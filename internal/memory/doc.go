// Package memory is the ports kept in memory, with a clock that is told: for
// tests and for simulating the stages. It is simple rather than fast, and what
// it holds is gone with the process. All of it is safe for concurrent use.
//
// It imports the root and the standard library.
package memory
