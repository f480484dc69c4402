package lambdas

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/metrics"
)

const (
	lookTime  = 10 * time.Second // that a Look may take
	tellAgain = time.Hour        // after which a place that stays dark is logged again
)

// Watch looks out for places whose canaries are not heard any more. Safe for
// concurrent use.
type Watch struct {
	Heartbeats responder.Heartbeats
	Metrics    *metrics.Recorder
	Now        func() time.Time
	Log        zerolog.Logger

	mu   sync.Mutex
	told map[responder.Place]time.Time // when a place that is dark was logged
}

// Look tells how many places are dark, and logs each when it turns dark and
// every hour from then on. If that cannot be found out it tells no number, and
// the error is that of the Heartbeats.Beats that it costs.
func (w *Watch) Look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	beats, err := w.Heartbeats.Beats(ctx)
	if err != nil {
		return fmt.Errorf("it is not known which places are dark: %w", err)
	}
	now := w.Now()
	dark := responder.Dark(beats, now)
	w.Metrics.Count(metrics.DarkForwarders, "", len(dark))
	for _, place := range w.untold(dark, now) {
		w.Log.Error().Str("account", place.Account).Str("region", place.Region).Time("since", dark[place]).
			Msg("dark: the canary of this region is not heard, so its events may not arrive either")
	}
	return nil
}

// untold are the dark places that are to be logged now, in order.
func (w *Watch) untold(dark map[responder.Place]time.Time, now time.Time) []responder.Place {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.told == nil {
		w.told = map[responder.Place]time.Time{}
	}
	maps.DeleteFunc(w.told, func(place responder.Place, at time.Time) bool {
		_, still := dark[place]
		return !still || now.Sub(at) >= tellAgain
	})
	var places []responder.Place
	for place := range dark {
		if _, told := w.told[place]; !told {
			w.told[place] = now
			places = append(places, place)
		}
	}
	slices.SortFunc(places, func(a, b responder.Place) int { return strings.Compare(a.String(), b.String()) })
	return places
}
