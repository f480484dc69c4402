package main

import (
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/detect"
	"github.com/skycrafters/responder/ingest"
	"github.com/skycrafters/responder/internal/archive"
	"github.com/skycrafters/responder/internal/engine"
	"github.com/skycrafters/responder/internal/lang"
)

// verdict is what the rules made of a batch: what is worth telling, in the order
// of the records, and how many there were of the rest.
type verdict struct {
	records, skipped int
	told             []judged
}

// judged is a record that rules found something in, or failed on, or that could
// not be read.
type judged struct {
	record   archive.Record
	damage   error
	event    responder.Event
	findings []responder.Finding
	errors   []*detect.RuleError

	at           time.Time
	who, address string // the actor and the caller's address, "" where they are not known
}

// judge evaluates a batch. It runs on many goroutines at once.
func (r *replay) judge(p *portion) {
	p.verdict = verdict{told: p.told[:0]}
	for record, err := range p.batch.All() {
		if err != nil {
			p.told = append(p.told, judged{record: record, damage: err})
			continue
		}
		switch r.rules.Skim(record.Raw, r.within) {
		case engine.Nothing:
			p.records++
		case engine.Outside:
			p.records++
			p.skipped++
		default:
			r.lookClosely(p, record)
		}
	}
}

// lookClosely evaluates a record that is worth decoding.
func (r *replay) lookClosely(p *portion, record archive.Record) {
	j := judged{record: record}
	j.record.Raw = nil // the batch is filled again
	if j.event, j.damage = ingest.Normalise(record.Raw); j.damage != nil {
		p.told = append(p.told, j)
		return
	}
	p.records++
	j.at, _ = j.event.Time()
	if r.within != nil && !r.within(j.at) {
		p.skipped++
		return
	}
	sight := r.rules.LookAt(j.event)
	if j.findings, j.errors = sight.Findings, sight.Errors; len(j.findings)+len(j.errors) > 0 {
		j.who, j.address = whence(j.event)
		p.told = append(p.told, j)
	}
}

// whence is who did it, by the ARN if there is one, and from what address.
func whence(event responder.Event) (who, address string) {
	env := lang.EventEnv(event, nil)
	if actor, ok := env["actor"].(map[string]any); ok {
		if who = lang.Format(actor["arn"]); who == "" {
			who = lang.Format(actor["name"])
		}
	}
	return who, lang.Format(env["ip"])
}
