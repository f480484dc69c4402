package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/events"
	"github.com/rs/zerolog"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/cmd/internal/lambdas"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/metrics"
)

// sweep is what a schedule has done.
type sweep struct {
	ring    func(context.Context) (int, error)
	watch   *lambdas.Watch
	halts   responder.Halts
	metrics *metrics.Recorder
	log     zerolog.Logger
}

// swept is the answer to a schedule.
type swept struct {
	Rung int `json:"rung"` // runs that were due
}

// tellHalts counts what is halted, and reminds of it: nothing is repaired there.
func (s *sweep) tellHalts(ctx context.Context) error {
	all, err := s.halts.Halts(ctx)
	if err != nil {
		return err
	}
	tripped := 0
	for _, h := range all {
		if dispatch.Tripped(h) {
			tripped++
		}
		s.log.Warn().Str("flow", cmp.Or(h.Flow, "every flow")).Str("by", h.By).Str("why", h.Why).Time("since", h.At).Msg("halted: nothing is repaired")
	}
	s.metrics.Count(metrics.Halted, "", len(all))
	s.metrics.Count(metrics.Tripped, "", tripped)
	return nil
}

// do rings for the runs that are due, and looks for dark places, whether that
// worked or not. How many were due is told of a ring that succeeded alone: an
// alarm counts those.
func (s *sweep) do(ctx context.Context) (swept, error) {
	rung, err := s.ring(ctx)
	if err == nil {
		s.metrics.Count(metrics.Due, "", rung)
	}
	if err := errors.Join(err, s.watch.Look(ctx), s.tellHalts(ctx)); err != nil {
		return swept{}, fmt.Errorf("dispatch: %w", err)
	}
	s.log.Debug().Int("rung", rung).Msg("swept")
	return swept{rung}, nil
}

// byShape tells a schedule from a batch of messages by what the function was
// invoked with.
func byShape(batch func(context.Context, json.RawMessage) (events.SQSEventResponse, error), sweep func(context.Context) (swept, error)) func(context.Context, json.RawMessage) (any, error) {
	return func(ctx context.Context, raw json.RawMessage) (any, error) {
		if lambdas.IsSchedule(raw) {
			return sweep(ctx)
		}
		return batch(ctx, raw)
	}
}
