package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/ingest"
)

// A process that serves owns its data folder: nobody else can write there. So it
// takes what people want done to runs as requests, on a port of its own that
// only this machine reaches, from those who can read the control file: whoever
// can read the data folder. The API key opens it not: senders have that. That is
// the user as whom the process runs, and root, so it is they who did it: whom a
// request names is not asked.

// controlFile tells, in the data folder, where and by which token the process
// that serves takes requests; 0600. It is made anew at every start.
const controlFile = "control"

// contact is what the control file holds.
type contact struct {
	URL   string `json:"url"`
	Token string `json:"token"`
}

// maxRequest bounds a request and its answer, in bytes: a run is in it.
const maxRequest = 32 << 20

// deedRequest is a request: POST, as JSON.
type deedRequest struct {
	Deed responder.Deed `json:"deed"`
	ID   string         `json:"id"`
	Why  string         `json:"why,omitempty"`

	Answer *responder.Answer `json:"answer,omitempty"` // of approve and deny; who gives it is not asked
	Step   string            `json:"step,omitempty"`   // of undo
}

// deedReply is the answer to it.
type deedReply struct {
	Run      []byte `json:"run,omitempty"`     // as responder.EncodeRun writes it
	Refused  string `json:"refused,omitempty"` // why the run does not allow it
	NotFound bool   `json:"not_found,omitempty"`
	Error    string `json:"error,omitempty"`
}

// reception takes requests for deeds.
type reception struct {
	server *ingest.Server
	path   string // of the control file
	token  string
	by     string // who did what is asked
	deeds  map[responder.Deed]deed
	to     control
	halts  responder.Halts
}

// listenControl opens the port and writes the control file.
func (r *running) listenControl() (*reception, error) {
	re := &reception{path: filepath.Join(r.folder, controlFile), token: rand.Text(), by: localUser(), deeds: map[responder.Deed]deed{}, to: r.pipeline.dispatcher.Control(), halts: r.pipeline.db.Halts()}
	for _, d := range deeds() {
		re.deeds[d.name] = d
	}
	var err error
	if re.server, err = ingest.Listen("127.0.0.1:0", re, r.pipeline.log); err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	data, err := json.Marshal(contact{re.server.URL(), re.token})
	if err == nil {
		err = replaceFile(re.path, data)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("control: %w", err), re.server.Close())
	}
	return re, nil
}

// close takes the file away. No harm after Serve.
func (re *reception) close() error {
	_ = re.server.Close() // it is closed already if it served
	if err := os.Remove(re.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("control: %w", err)
	}
	return nil
}

// ServeHTTP implements http.Handler. What a browser sends is refused, whatever
// it holds.
func (re *reception) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := r.Header.Get("Authorization")
	switch {
	case len(r.Header.Values("Origin")) > 0, r.Host != re.server.Addr().String(), r.Method != http.MethodPost:
		http.Error(w, "not for you", http.StatusForbidden)
		return
	case subtle.ConstantTimeCompare([]byte(token), []byte("Bearer "+re.token)) != 1:
		http.Error(w, "the token is not that of the control file", http.StatusUnauthorized)
		return
	}
	if r.URL.Path == haltPath {
		re.serveHalt(w, r)
		return
	}
	var request deedRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&request); err != nil {
		http.Error(w, "this is no request", http.StatusBadRequest)
		return
	}
	var run *responder.Run
	var err error
	d, ok := re.deeds[request.Deed]
	switch {
	case request.Answer != nil:
		request.Answer.Who, request.Answer.From = responder.Identity{Kind: responder.IdentityCLI, ID: re.by}, thisMachine()
		run, err = re.to.Decide(r.Context(), request.ID, *request.Answer)
	case request.Deed == responder.DeedUndo:
		run, err = re.to.Undo(r.Context(), request.ID, request.Step, re.by, request.Why)
	case ok:
		run, err = d.do(r.Context(), re.to, request.ID, re.by, request.Why)
	default:
		http.Error(w, "this cannot be done to a run", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(reply(run, err)) // fails only if the asker has gone; what was done can be seen in the run
}

func reply(run *responder.Run, err error) (r deedReply) {
	if run != nil {
		data, encodeErr := responder.EncodeRun(run)
		r.Run, err = data, errors.Join(err, encodeErr)
	}
	var refused *dispatch.Refused
	switch {
	case errors.As(err, &refused):
		r.Refused = refused.Reason
	case err != nil:
		r.NotFound, r.Error = errors.Is(err, responder.ErrNotFound), err.Error()
	}
	return r
}

// remote is control by requests to the process that serves, which knows by itself
// who asks.
type remote struct {
	contact
	client *http.Client
}

// reach finds the process that uses a data folder.
func reach(folder string) (*remote, error) {
	data, err := os.ReadFile(filepath.Join(folder, controlFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the data in %s is in use by a Responder that takes no requests (`run --once`, or one that is starting): wait for its end and try again", folder)
	}
	if err != nil {
		return nil, fmt.Errorf("ask the Responder that is running: %w", err)
	}
	r := &remote{client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}}
	if err := json.Unmarshal(data, &r.contact); err != nil {
		return nil, fmt.Errorf("ask the Responder that is running: %s: %w", filepath.Join(folder, controlFile), err)
	}
	return r, nil
}

// Cancel implements control.
func (r *remote) Cancel(ctx context.Context, id, _, why string) (*responder.Run, error) {
	return r.ask(ctx, deedRequest{Deed: responder.DeedCancel, ID: id, Why: why})
}

// Retry implements control.
func (r *remote) Retry(ctx context.Context, id, _ string) (*responder.Run, error) {
	return r.ask(ctx, deedRequest{Deed: responder.DeedRetry, ID: id})
}

// Again implements control.
func (r *remote) Again(ctx context.Context, id, _ string) (*responder.Run, error) {
	return r.ask(ctx, deedRequest{Deed: responder.DeedAgain, ID: id})
}

// Undo implements control.
func (r *remote) Undo(ctx context.Context, id, step, _, why string) (*responder.Run, error) {
	return r.ask(ctx, deedRequest{Deed: responder.DeedUndo, ID: id, Step: step, Why: why})
}

// Decide implements control.
func (r *remote) Decide(ctx context.Context, id string, a responder.Answer) (*responder.Run, error) {
	return r.ask(ctx, deedRequest{ID: id, Answer: &a})
}

func (r *remote) ask(ctx context.Context, d deedRequest) (*responder.Run, error) {
	answer, err := r.post(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("ask the Responder that is running: %w", err)
	}
	var run *responder.Run
	if answer.Run != nil {
		if run, err = responder.DecodeRun(answer.Run); err != nil {
			return nil, fmt.Errorf("ask the Responder that is running: %w", err)
		}
	}
	switch {
	case answer.Refused != "":
		return run, &dispatch.Refused{Reason: answer.Refused}
	case answer.NotFound:
		return run, fmt.Errorf("%w: %s", responder.ErrNotFound, answer.Error)
	case answer.Error != "":
		return run, errors.New(answer.Error)
	case run == nil:
		return nil, errors.New("the Responder that is running gives no run")
	}
	return run, nil
}

func (r *remote) post(ctx context.Context, d deedRequest) (answer deedReply, err error) {
	err = r.send(ctx, "", d, &answer)
	return answer, err
}

// send posts a request, and reads the answer into a value.
func (r *remote) send(ctx context.Context, path string, request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	posted, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	posted.Header.Set("Authorization", "Bearer "+r.Token)
	posted.Header.Set("Content-Type", "application/json")
	response, err := r.client.Do(posted)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxRequest))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %d: %s", response.StatusCode, line(string(data), 100))
	}
	return json.Unmarshal(data, answer)
}
