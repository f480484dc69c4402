package lambdas

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/rs/zerolog"

	"github.com/skycrafters/responder/internal/metrics"
)

// Measured is a handler whose metrics are told once an invocation, however that
// ends: with an answer, an error or a panic. Counts of the metrics in always
// are told even where they are 0. What cannot be told is logged, and costs
// nothing else.
func Measured(handler lambda.Handler, recorder *metrics.Recorder, log zerolog.Logger, always ...metrics.Metric) lambda.Handler {
	return measured{handler, recorder, log, always}
}

type measured struct {
	handler  lambda.Handler
	recorder *metrics.Recorder
	log      zerolog.Logger
	always   []metrics.Metric
}

func (m measured) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	defer func() {
		if err := m.recorder.Flush(); err != nil {
			m.log.Warn().Err(err).Msg("the metrics of this invocation are lost")
		}
	}()
	for _, metric := range m.always {
		m.recorder.Count(metric, "", 0)
	}
	return m.handler.Invoke(ctx, payload)
}
