package ingest

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/rs/zerolog"
)

// Lambda serves an Ingest to API Gateway's proxy integration (payload 1.0),
// with the paths and answers of Handler. Host and Origin are API Gateway's to
// judge. Its only error is an invocation that is no proxy request.
func Lambda(in *Ingest, log zerolog.Logger) func(context.Context, events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
	return func(ctx context.Context, request events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
		if request.HTTPMethod == "" {
			return events.APIGatewayProxyResponse{}, errors.New("ingest was invoked with something else than an API Gateway proxy request: it has no httpMethod")
		}
		var body io.Reader = strings.NewReader(request.Body)
		if request.IsBase64Encoded {
			body = base64.NewDecoder(base64.StdEncoding, body)
		}
		header := func(name string) string { return headerOf(request, name) }
		log := log.With().Str("path", request.Path).Str("request", request.RequestContext.RequestID).Logger()
		r := in.answer(ctx, log, request.HTTPMethod, route(request), Request{
			Key:             firstOf(header, keyHeaders[:]),
			Body:            body,
			ContentEncoding: header("Content-Encoding"),
		})
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
func headerOf(request events.APIGatewayProxyRequest, name string) string {
	for key, value := range request.Headers {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	values := http.Header{}
	for key, all := range request.MultiValueHeaders {
		for _, value := range all {
			values.Add(key, value)
		}
	}
	return values.Get(name)
}
