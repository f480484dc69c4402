// Package faults names the points at which tests kill the program: between two
// of its effects, where a death is worth more than one at a random moment.
//
// In a program as it is shipped a point is nothing at all: an empty function,
// which the compiler leaves out. Built with the tag `faults`, the program kills
// itself (SIGKILL) at the point, and the visit of it, that the environment
// names:
//
//	RESPONDER_FAULT='save run: committed#3'
//
// It imports the standard library alone.
package faults
