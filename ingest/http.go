package ingest

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/rs/zerolog"
)

// keyHeaders are where the API key may stand; the first that is there counts.
var keyHeaders = [...]string{"APIKey", "X-Api-Key"}

// HandlerOptions are a Handler's; the zero value is good for a machine's own use.
type HandlerOptions struct {
	Hosts []string // names, without port, that Host may have besides localhost, 127.0.0.1 and [::1]
	Log   zerolog.Logger
}

// Handler serves an Ingest over HTTP: POST /events, POST /capture, GET /healthz.
//
// It refuses requests for other hosts and any that a browser sends from a page
// (they carry Origin), so that no website can reach it through a visitor.
func Handler(in *Ingest, options HandlerOptions) http.Handler {
	hosts := slices.Concat([]string{"localhost", "127.0.0.1", "::1"}, options.Hosts)
	answer := func(w http.ResponseWriter, r *http.Request) reply {
		log := options.Log.With().Str("path", r.URL.Path).Str("remote", r.RemoteAddr).Logger()
		switch {
		case !isOneOf(hosts, r.Host):
			log.Warn().Str("host", r.Host).Msg("refused: foreign Host")
			return newProblem(http.StatusForbidden, "this host is not served here")
		case len(r.Header.Values("Origin")) > 0:
			log.Warn().Strs("origin", r.Header.Values("Origin")).Msg("refused: sent by a browser")
			return newProblem(http.StatusForbidden, "requests of browsers are not taken")
		case r.ContentLength > MaxBodyBytes:
			log.Warn().Int64("bytes", r.ContentLength).Msg("refused: body too large")
			return newProblem(http.StatusRequestEntityTooLarge, tooLarge().Error())
		}
		return in.answer(r.Context(), log, r.Method, r.URL.Path, Request{
			Key:             firstOf(r.Header.Get, keyHeaders[:]),
			Body:            http.MaxBytesReader(w, r.Body, MaxBodyBytes),
			ContentEncoding: r.Header.Get("Content-Encoding"),
		})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in.observed(answer(w, r)).write(w)
	})
}

// isOneOf reports whether the value of a Host header names one of hosts, with any port.
func isOneOf(hosts []string, header string) bool {
	name := header
	if host, _, err := net.SplitHostPort(header); err == nil {
		name = host
	} else if strings.HasPrefix(header, "[") && strings.HasSuffix(header, "]") {
		name = header[1 : len(header)-1]
	}
	return slices.ContainsFunc(hosts, func(host string) bool { return strings.EqualFold(host, name) })
}

// firstOf gives the first of the headers that is not empty.
func firstOf(get func(string) string, names []string) string {
	for _, name := range names {
		if value := get(name); value != "" {
			return value
		}
	}
	return ""
}

func (r reply) write(w http.ResponseWriter) {
	for name, value := range r.headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body) // fails only if the sender has gone, who then sends again
}
