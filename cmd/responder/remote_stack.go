package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/cmd/internal/approvals"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/stack"
)

// stackControl is what can be done to the runs of a stack: by the operator role,
// except deciding. Who decides is known by their own credentials: the request is
// signed with them, and AWS tells the approve function whose they are.
type stackControl struct {
	dispatch.Control
	stack  *stack.Stack
	now    func() time.Time
	client *http.Client
}

var _ control = stackControl{}

// Decide implements control.
func (c stackControl) Decide(ctx context.Context, id string, a responder.Answer) (*responder.Run, error) {
	if c.stack.ApproveURL == "" {
		return nil, fmt.Errorf("stack %s has no approve function: deploy this version's template (make deploy)", c.stack.Name)
	}
	status, answer, err := c.post(ctx, id, a)
	var said approvals.Reply
	if err == nil && json.Unmarshal(answer, &said) != nil {
		said.Error = line(string(answer), 200)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("ask the approve function of stack %s: %w", c.stack.Name, err)
	case status == http.StatusOK:
		return c.Runs.Get(ctx, id)
	case status == http.StatusConflict:
		return nil, &dispatch.Refused{Reason: said.Error}
	case status == http.StatusNotFound:
		return nil, fmt.Errorf("%w: %s", responder.ErrNotFound, said.Error)
	case status == http.StatusForbidden:
		return nil, fmt.Errorf("may not decide in stack %s (%s): ask for execute-api:Invoke on its API, POST /runs/*", c.stack.Name, said.Error)
	}
	return nil, fmt.Errorf("the approve function of stack %s answers %d: %s", c.stack.Name, status, said.Error)
}

// post signs and sends a decision.
func (c stackControl) post(ctx context.Context, id string, a responder.Answer) (status int, answer []byte, err error) {
	verdict := "deny"
	if a.Yes {
		verdict = "approve"
	}
	body, err := json.Marshal(approvals.Request{Step: a.Step, Digest: a.Digest, Why: a.Why})
	if err != nil {
		return 0, nil, err
	}
	address := strings.TrimSuffix(c.stack.ApproveURL, "/") + "/runs/" + url.PathEscape(id) + "/" + verdict
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	if err := c.sign(ctx, request, body); err != nil {
		return 0, nil, err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(response.Body, 64<<10))
	return response.StatusCode, answer, err
}

func (c stackControl) sign(ctx context.Context, request *http.Request, body []byte) error {
	cfg := c.stack.Config()
	if cfg.Credentials == nil {
		return errors.New("there are no AWS credentials")
	}
	credentials, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return stack.Explain(err)
	}
	sum := sha256.Sum256(body)
	return v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(sum[:]), "execute-api", c.stack.Region, c.now())
}
