package ingest

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/rs/zerolog"
)

// margin is how long before Lambda's deadline a request is given up, so that it
// is answered, logged and counted, and not cut off.
const margin = time.Second

// Lambda serves an Ingest to API Gateway's proxy integration (payload 1.0),
// with the paths and answers of Handler. Host and Origin are API Gateway's to
// judge. Its only error is an invocation that is no proxy request.
//
// An invocation carries at most 6 MiB, the body as base64 in it. So bodies come
// through up to about 4.5 MiB as sent, and API Gateway refuses larger ones by
// itself; MaxBodyBytes is what counts of a body sent with gzip. See
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
func Lambda(in *Ingest, log zerolog.Logger) func(context.Context, events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
	return func(ctx context.Context, request events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
		if request.HTTPMethod == "" {
			return events.APIGatewayProxyResponse{}, errors.New("ingest was invoked with something else than an API Gateway proxy request: it has no httpMethod")
		}
		if deadline, ok := ctx.Deadline(); ok {
			early, cancel := context.WithDeadline(ctx, deadline.Add(-margin))
			defer cancel()
			ctx = early
		}
		var body io.Reader = strings.NewReader(request.Body)
		if request.IsBase64Encoded {
			body = base64.NewDecoder(base64.StdEncoding, body)
		}
		header := func(name string) string { return headerOf(request, name) }
		log := log.With().Str("path", request.Path).Str("request", request.RequestContext.RequestID).Logger()
		r := in.observed(in.answer(ctx, log, request.HTTPMethod, route(request), Request{
			Key:             firstOf(header, keyHeaders[:]),
			Body:            body,
			ContentEncoding: header("Content-Encoding"),
		}))
		return events.APIGatewayProxyResponse{StatusCode: r.status, Headers: r.headers, Body: string(r.body)}, nil
	}
}

// route is the path as the API defines it: a custom domain or a stage may put
// something before the path that was asked for.
func route(request events.APIGatewayProxyRequest) string {
	if request.Resource == "" || strings.Contains(request.Resource, "{") {
		return request.Path
	}
	return request.Resource
}

// headerOf finds a header whatever its case: API Gateway passes names as sent.
// If it came under several, the first by name counts that is not empty.
func headerOf(request events.APIGatewayProxyRequest, name string) string {
	for _, key := range slices.Sorted(maps.Keys(request.Headers)) {
		if value := request.Headers[key]; strings.EqualFold(key, name) && value != "" {
			return value
		}
	}
	for _, key := range slices.Sorted(maps.Keys(request.MultiValueHeaders)) {
		if values := request.MultiValueHeaders[key]; strings.EqualFold(key, name) && len(values) > 0 && values[0] != "" {
			return values[0]
		}
	}
	return ""
}
