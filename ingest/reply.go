package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/rs/zerolog"
)

// reply is an answer as both fronts give it.
type reply struct {
	status  int
	headers map[string]string
	body    []byte

	// To be observed, not sent.
	events int    // accepted
	key    string // id of the sender's key
}

// observed tells Observe of an answer.
func (in *Ingest) observed(r reply) reply {
	if in.Observe != nil {
		in.Observe(Observation{Status: r.status, Events: r.events, Key: r.key})
	}
	return r
}

// problem is RFC 9457's object. Its type is always about:blank: the status
// says what kind it is.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// accepted is the body of a 202.
type accepted struct {
	IDs      []string `json:"ids"`
	Accepted int      `json:"accepted"`
}

// answer is what both fronts do with a request, once it may speak to us.
func (in *Ingest) answer(ctx context.Context, log zerolog.Logger, method, path string, request Request) reply {
	switch path {
	case "/events", "/capture":
		if method != http.MethodPost {
			return notAllowed("POST")
		}
		return in.take(ctx, log, request)
	case "/healthz":
		if method != http.MethodGet && method != http.MethodHead {
			return notAllowed("GET, HEAD")
		}
		return newReply(http.StatusOK, "application/json", map[string]string{"status": "ok"})
	}
	return newProblem(http.StatusNotFound, "events are posted to /events")
}

// take accepts a request's events.
func (in *Ingest) take(ctx context.Context, log zerolog.Logger, request Request) reply {
	who, ids, err := in.accept(ctx, request)
	if who.ID != "" {
		log = log.With().Str("key", who.ID).Logger()
	}
	if who.previous {
		log = log.With().Bool("previous_key", true).Logger()
	}
	r := outcome(log, ids, err)
	r.events, r.key = len(ids), who.ID
	return r
}

// outcome answers a request for its events to be taken, and writes the one log
// line that it leaves.
func outcome(log zerolog.Logger, ids []string, err error) reply {
	var wrong *BodyError
	switch {
	case err == nil:
		log.Info().Int("events", len(ids)).Msg("accepted")
		return newReply(http.StatusAccepted, "application/json", accepted{IDs: ids, Accepted: len(ids)})
	case errors.Is(err, ErrKey):
		log.Warn().Msg("refused: " + err.Error())
		r := newProblem(http.StatusUnauthorized, ErrKey.Error())
		r.headers["WWW-Authenticate"] = "ApiKey"
		return r
	case errors.As(err, &wrong):
		log.Warn().Int("status", wrong.Status).Msg("refused: " + err.Error())
		return newProblem(wrong.Status, err.Error())
	}
	log.Error().Err(err).Msg("not accepted")
	r := newProblem(http.StatusServiceUnavailable, "the events cannot be taken now and none counts as accepted: send them all again")
	r.headers["Retry-After"] = "5"
	return r
}

func notAllowed(methods string) reply {
	r := newProblem(http.StatusMethodNotAllowed, "only "+methods+" is allowed here")
	r.headers["Allow"] = methods
	return r
}

func newProblem(status int, detail string) reply {
	return newReply(status, "application/problem+json", problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail,
	})
}

func newReply(status int, contentType string, value any) reply {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		panic(err) // the values are this file's structs of texts and numbers
	}
	return reply{
		status: status,
		headers: map[string]string{
			"Content-Type":           contentType,
			"Cache-Control":          "no-store",
			"X-Content-Type-Options": "nosniff",
		},
		body: body.Bytes(),
	}
}
