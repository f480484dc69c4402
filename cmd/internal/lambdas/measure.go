package lambdas

import (
	"context"

	"github.com/rs/zerolog"

	"github.com/skycrafters/responder/internal/metrics"
)

// Measured is a function's handler whose metrics are told once an invocation,
// however that ends: with an answer, an error or a panic. Counts of the metrics
// in always are told even where they are 0. What cannot be told is logged, and
// costs nothing else.
func Measured[In, Out any](handle func(context.Context, In) (Out, error), recorder *metrics.Recorder, log zerolog.Logger, always ...metrics.Metric) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (Out, error) {
		defer func() {
			if err := recorder.Flush(); err != nil {
				log.Warn().Err(err).Msg("the metrics of this invocation are lost")
			}
		}()
		for _, metric := range always {
			recorder.Count(metric, "", 0)
		}
		return handle(ctx, in)
	}
}
