package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// histogramSlots is how many slots a histogram has at most.
const histogramSlots = 60

// histogramSteps are the widths that slots may have, in seconds. Each is a
// multiple of the one before, and the last covers what can be written as a time.
var histogramSteps = []int64{minute, 5 * minute, 15 * minute, hour, 3 * hour, 12 * hour, day, 7 * day, 28 * day, 364 * day, 3640 * day, 364_000 * day}

const (
	minute = 60
	hour   = 60 * minute
	day    = 24 * hour
)

// histogram counts moments over a time that it learns of as they come, in any
// order: its slots are as narrow as they can be. The zero value is ready.
type histogram struct {
	step int           // index in histogramSteps
	hits map[int64]int // by the slot's number since 1970
	low  int64         // the slots between which there are hits
	high int64
}

func (h *histogram) add(t time.Time) { h.put(slot(t, h.step), 1) }

func slot(t time.Time, step int) int64 {
	width, at := histogramSteps[step], t.Unix()
	if at < 0 {
		at -= width - 1
	}
	return at / width
}

func (h *histogram) put(at int64, n int) {
	if h.hits == nil {
		h.hits, h.low, h.high = map[int64]int{}, at, at
	}
	for max(h.high, at)-min(h.low, at) >= histogramSlots && h.step < len(histogramSteps)-1 {
		at = h.widen(at)
	}
	h.hits[at] += n
	h.low, h.high = min(h.low, at), max(h.high, at)
}

// widen takes the next step, and gives the new number of a slot.
func (h *histogram) widen(at int64) int64 {
	old, from := h.hits, h.step
	h.step++
	again := func(at int64) int64 {
		return slot(time.Unix(at*histogramSteps[from], 0), h.step)
	}
	h.hits = make(map[int64]int, len(old))
	h.low, h.high = again(h.low), again(h.high)
	for at, n := range old {
		h.hits[again(at)] += n
	}
	return again(at)
}

// histogramReport is a histogram as told.
type histogramReport struct {
	From time.Time `json:"from"` // where the first slot begins
	Step string    `json:"step"` // "1h"
	Hits []int     `json:"hits"` // slot by slot, from the first with any to the last
}

// report is nil if nothing was counted.
func (h *histogram) report() *histogramReport {
	if len(h.hits) == 0 {
		return nil
	}
	width := histogramSteps[h.step]
	r := &histogramReport{From: time.Unix(h.low*width, 0).UTC(), Step: stepText(width)}
	for at := h.low; at <= h.high; at++ {
		r.Hits = append(r.Hits, h.hits[at])
	}
	return r
}

func stepText(step int64) string {
	switch {
	case step >= day:
		return fmt.Sprintf("%dd", step/day)
	case step >= hour:
		return fmt.Sprintf("%dh", step/hour)
	}
	return fmt.Sprintf("%dm", step/minute)
}

// bars draws it on one line. A slot with a hit is never as empty as one without.
func (r *histogramReport) bars() string {
	steps := []rune("▁▂▃▄▅▆▇█")
	most := slices.Max(r.Hits)
	var b strings.Builder
	for _, n := range r.Hits {
		if n == 0 {
			b.WriteRune('·')
			continue
		}
		b.WriteRune(steps[(n*len(steps)-1)/most])
	}
	return b.String()
}

// scale says what the bars are.
func (r *histogramReport) scale() string {
	return fmt.Sprintf("from %s, %s each, at most %d", r.From.Format("2006-01-02 15:04"), r.Step, slices.Max(r.Hits))
}
