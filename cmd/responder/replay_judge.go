package main

import (
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/detect"
	"github.com/skycrafters/responder/ingest"
	"github.com/skycrafters/responder/internal/archive"
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
		j := judged{record: record, damage: err}
		if err == nil {
			j.event, j.damage = ingest.Normalise(record.Raw)
		}
		j.record.Raw = nil // the batch is filled again
		if j.damage != nil {
			p.told = append(p.told, j)
			continue
		}
		p.records++
		j.at, _ = j.event.Time()
		if r.outside(j.at) {
			p.skipped++
			continue
		}
		if j.findings, j.errors = r.rules.Evaluate(j.event); len(j.findings)+len(j.errors) > 0 {
			j.who, j.address = whence(j.event)
			p.told = append(p.told, j)
		}
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
