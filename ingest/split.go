package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/elements"
)

// Split gives the normalised events of a request body: one event, an array,
// JSON lines, or a CloudTrail file {"Records": […]}, of events or raw records
// as Normalise tells them. One bad element refuses the whole body, as does a
// body without any. The error is a *BodyError.
func Split(body []byte) ([]json.RawMessage, error) {
	var events []json.RawMessage
	err := split(body, func(e normal) error {
		events = append(events, e.raw)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return events, nil
}

// split is Split, one event at a time. An error of each refuses the body for
// that element.
func split(body []byte, each func(normal) error) error {
	if len(body) > MaxBodyBytes {
		return tooLarge()
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return wholeBody(http.StatusBadRequest, "the body is empty")
	}
	r := elements.NewReader(bytes.NewReader(body), MaxBodyBytes)
	for none := true; ; none = false {
		element, err := r.Next()
		switch {
		case err == io.EOF && none:
			return wholeBody(http.StatusBadRequest, "the body holds no events")
		case err == io.EOF:
			return nil
		case err != nil:
			return damaged(err)
		}
		e, err := normalise(element.Raw)
		if err == nil {
			err = each(e)
		}
		if err != nil {
			return refused(element, err)
		}
	}
}

func damaged(err error) error {
	var d *elements.Damage
	if !errors.As(err, &d) {
		return wholeBody(http.StatusBadRequest, "the body cannot be read: %v", err)
	}
	return &BodyError{Status: http.StatusBadRequest, Detail: d.Err.Error(), Element: d.Index, Line: d.Line}
}

func refused(element elements.Element, err error) error {
	status := http.StatusBadRequest
	switch {
	case errors.Is(err, responder.ErrTooLarge):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, errForeign):
		status = http.StatusForbidden
	}
	return &BodyError{Status: status, Detail: err.Error(), Element: element.Index, Line: element.Line}
}
