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

// take accepts a request's events, and writes the one log line that it leaves.
func (in *Ingest) take(ctx context.Context, log zerolog.Logger, request Request) reply {
	ids, err := in.Accept(ctx, request)
	var wrong *BodyError
	switch {
	case err == nil:
		log.Info().Int("events", len(ids)).Msg("accepted")
		return newReply(http.StatusAccepted, "application/json", accepted{IDs: ids, Accepted: len(ids)})
	case errors.Is(err, ErrKey):
		log.Warn().Msg("refused: " + err.Error())
		r := newProblem(http.StatusUnauthorized, err.Error())
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
