package approvals

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// SlackPath is where Slack posts clicks.
const SlackPath = "/slack/interactions"

// maxSlack bounds what Slack posts, in bytes: the message is in it.
const maxSlack = 1 << 20

// ServeHTTP takes what Slack posts, whatever the Host: who posts is known by the
// signature.
func (d *Desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "nothing is decided by "+r.Method, http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSlack))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	w.WriteHeader(d.Slack(r.Context(), r.Header.Get, body))
}

// Lambda serves a Desk to API Gateway's proxy integration (payload 1.0): POST
// /slack/interactions, and, authorised by IAM there, POST /runs/{id}/approve and
// /runs/{id}/deny. Its only error is an invocation that is no proxy request.
func (d *Desk) Lambda(ctx context.Context, request events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
	body := []byte(request.Body)
	if request.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(request.Body); err != nil {
			return answered(http.StatusBadRequest, Reply{Error: "the body is broken"})
		}
	}
	switch {
	case request.HTTPMethod == "":
		return events.APIGatewayProxyResponse{}, errors.New("approve was invoked with something else than an API Gateway proxy request: it has no httpMethod")
	case request.HTTPMethod != http.MethodPost:
		return answered(http.StatusMethodNotAllowed, Reply{Error: "nothing is decided by " + request.HTTPMethod})
	case request.Resource == SlackPath:
		return events.APIGatewayProxyResponse{StatusCode: d.Slack(ctx, func(name string) string { return header(request, name) }, body)}, nil
	}
	id, err := url.PathUnescape(request.PathParameters["id"])
	if err != nil {
		id = ""
	}
	who := request.RequestContext.Identity
	verdict := strings.TrimPrefix(request.Resource, "/runs/{id}/")
	return answered(d.Signed(ctx, who.UserArn, who.SourceIP, id, verdict, body))
}

func answered(status int, reply Reply) (events.APIGatewayProxyResponse, error) {
	body, err := json.Marshal(reply)
	if err != nil {
		return events.APIGatewayProxyResponse{}, err
	}
	return events.APIGatewayProxyResponse{StatusCode: status, Headers: map[string]string{"Content-Type": "application/json"}, Body: string(body)}, nil
}

// header finds a header whatever its case; "" if it came twice.
func header(request events.APIGatewayProxyRequest, name string) (value string) {
	for key, values := range request.MultiValueHeaders {
		if strings.EqualFold(key, name) {
			if len(values) != 1 || value != "" {
				return ""
			}
			value = values[0]
		}
	}
	if value != "" || len(request.MultiValueHeaders) > 0 {
		return value
	}
	for key, single := range request.Headers {
		if strings.EqualFold(key, name) {
			value = single
		}
	}
	return value
}
