// Package detect turns rules.yml into compiled rules and events into findings.
//
// Load reads and checks rules; Rules evaluates them; Detector is the stage: it
// takes a batch of events from the events queue and puts findings on the
// findings queue. It imports the root package, internal/lang and zerolog: no
// other stage, no adapter, no action. What actions there are it is told by a
// responder.Catalogue.
package detect
