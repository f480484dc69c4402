// Package responder is the vocabulary of Responder: events, findings, flows,
// runs and actions as types, and the ports (queues, stores, secrets) that the
// stages are handed.
//
//	sender ──▶ ingest ──▶ [events queue] ──▶ detect ──▶ [findings queue] ──▶ dispatch ──▶ actions
//
// It imports nothing but the standard library; every other package of the
// module imports it. See ARCHITECTURE.md for the house as a whole.
package responder
