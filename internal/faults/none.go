//go:build !faults

package faults

import "net/http"

// Built reports whether the program can be told to die.
const Built = false

// Point marks a point: an operation, and how far it has come.
func Point(operation, stage string) {}

// Transport marks the points around a request to the other side of an action.
func Transport(next http.RoundTripper) http.RoundTripper { return next }
