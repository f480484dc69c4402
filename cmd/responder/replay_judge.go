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

// skim looks at the next record as it stands in the file. It says where that ends,
// 0 if it cannot tell, and whether there is nothing in it to be judged: it is counted then.
func (r *replay) skim(held []byte, v *verdict) (end int, out bool) {
	end, seen := r.rules.SkimNext(held, r.within)
	return end, end > 0 && v.count(seen)
}

// count counts a record that needs no closer look, and says whether it is one.
func (v *verdict) count(seen engine.Skimmed) bool {
	switch seen {
	case engine.Nothing:
		v.records++
	case engine.Outside:
		v.records++
		v.skipped++
	default:
		return false
	}
	return true
}

// judge evaluates what skim has left of a batch. It runs on many goroutines at once.
func (r *replay) judge(p *portion) {
	for record, err := range p.batch.All() {
		if err != nil {
			p.told = append(p.told, judged{record: record, damage: err})
		} else if !p.count(r.rules.Skim(record.Raw, r.within)) {
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
