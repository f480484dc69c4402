// Package engine says which rules have to be looked at for an event, without
// decoding it. Of every other rule it is sure: it finds nothing in that event
// and does not fail.
//
// The rooms, in the order in which an event goes through them:
//
//	scan        one pass over the bytes, by a trie of the paths that rules name
//	derived     names that are made of several fields: action, ok, actor.name …
//	index       which rules can match at all, by their conditions
//	conditions  what must be so for a rule to match, read off its calm tree
//	closures    the rule itself, compiled for what the scan has kept
//
// What a closure is not made for, or meets and does not know, it leaves to the
// fallback: expr's VM on the decoded event, which is the definition of a rule
// (see internal/lang). The fallback is package detect's.
//
// The package imports the root, internal/lang, and expr's syntax tree.
package engine
