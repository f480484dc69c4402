package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// wire is an instance's way to AWS. What goes over it is seen, and is lost, late
// or changed as its fault says.
type wire struct {
	next  aws.HTTPClient
	fault atomic.Pointer[func(request) fault] // nil: all goes well

	// refused counts the writes that a condition has refused.
	refused atomic.Int64
}

// set has a fault chosen for each request from now on; nil: none. choose is called
// by many goroutines at once.
func (w *wire) set(choose func(request) fault) {
	if choose == nil {
		w.fault.Store(nil)
		return
	}
	w.fault.Store(&choose)
}

// fault carries a request out its own way. send sends it, once.
type fault func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error)

// request is what there is to know of one.
type request struct {
	operation string // PutItem, SendMessageBatch …
	attempt   int    // of the SDK, from 1 on
	body      []byte
}

// written gives id and version of the run that a request writes; ok is false for
// any other request.
func (r request) written() (id string, version int, ok bool) {
	if r.operation != "PutItem" {
		return "", 0, false
	}
	var put struct {
		Item struct {
			ID      struct{ S string } `json:"id"`
			Version struct{ N string } `json:"version"`
		}
	}
	if err := json.Unmarshal(r.body, &put); err != nil {
		return "", 0, false
	}
	version, err := strconv.Atoi(put.Item.Version.N)
	return put.Item.ID.S, version, err == nil
}

// Do implements aws.HTTPClient.
func (w *wire) Do(r *http.Request) (*http.Response, error) {
	send := func() (*http.Response, error) { return w.send(r) }
	choose := w.fault.Load()
	if choose == nil {
		return send()
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	seen := request{operation: operation, attempt: 1}
	// "attempt=2; max=3"
	if number, ok := strings.CutPrefix(strings.Split(r.Header.Get("Amz-Sdk-Request"), ";")[0], "attempt="); ok {
		n, err := strconv.Atoi(number)
		if err != nil {
			return nil, err
		}
		seen.attempt = n
	}
	var err error
	if seen.body, err = io.ReadAll(r.Body); err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(seen.body))
	if f := (*choose)(seen); f != nil {
		return f(r, send)
	}
	return send()
}

func (w *wire) send(r *http.Request) (*http.Response, error) {
	response, err := w.next.Do(r)
	if err != nil || response.StatusCode != http.StatusBadRequest {
		return response, err
	}
	said, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		return nil, err
	}
	if bytes.Contains(said, []byte("ConditionalCheckFailed")) {
		w.refused.Add(1)
	}
	response.Body = io.NopCloser(bytes.NewReader(said))
	return response, nil
}

// replyLost: what is asked for happens, and nobody hears of it.
func replyLost(_ *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
	response, err := send()
	if err == nil {
		response.Body.Close()
		err = io.ErrUnexpectedEOF
	}
	return nil, err
}

// notSent: the other side is not there.
func notSent(*http.Request, func() (*http.Response, error)) (*http.Response, error) {
	return nil, io.ErrUnexpectedEOF
}

// gate is where workers are stopped, as by SIGSTOP, until it is opened.
type gate struct {
	came chan struct{} // one for each that has come
	open chan struct{} // closed: go on
}

func newGate() *gate { return &gate{make(chan struct{}, 1000), make(chan struct{})} }

// pass waits until the gate is open, or whoever waits has no time any more.
func (g *gate) pass(done <-chan struct{}) {
	g.came <- struct{}{}
	select {
	case <-g.open:
	case <-done:
	}
}

// before stops a worker on its way to a request: it is sent late.
func (g *gate) before(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
	g.pass(r.Context().Done())
	return send()
}

// after stops a worker when a request has been answered: it hears of it late.
func (g *gate) after(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
	response, err := send()
	g.pass(r.Context().Done())
	return response, err
}
