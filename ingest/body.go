package ingest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// MaxBodyBytes is the largest request body taken, as sent and inflated.
const MaxBodyBytes = 5 << 20

// usualBytes is room to begin with.
const usualBytes = 32 << 10

// BodyError says what is wrong with a request's body. Sending it again cannot help.
type BodyError struct {
	Status  int    // of HTTP: 400, 403 (foreign account), 413 (too large) or 415 (unknown Content-Encoding)
	Detail  string // for the sender; it quotes nothing of the body but key names and account ids
	Element int    // 0-based, of the element at fault; -1: the body as a whole
	Line    int    // 1-based, where that element begins; 0 for the body as a whole
}

func (e *BodyError) Error() string {
	if e.Element < 0 {
		return e.Detail
	}
	return fmt.Sprintf("element %d (line %d): %s", e.Element, e.Line, e.Detail)
}

func wholeBody(status int, format string, args ...any) *BodyError {
	return &BodyError{Status: status, Detail: fmt.Sprintf(format, args...), Element: -1}
}

func tooLarge() *BodyError {
	return wholeBody(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", MaxBodyBytes)
}

// readBody reads a body to its end and inflates it as its Content-Encoding
// says. It holds no more than MaxBodyBytes, however large the body or what is
// in it.
func readBody(body io.Reader, encoding string) ([]byte, error) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
	case "gzip", "x-gzip":
		zr, err := gzip.NewReader(&limited{body, MaxBodyBytes})
		if err != nil {
			return nil, unreadable(err)
		}
		body = zr
	default:
		return nil, wholeBody(http.StatusUnsupportedMediaType, "only gzip is taken as Content-Encoding")
	}
	var data bytes.Buffer
	data.Grow(usualBytes)
	if _, err := data.ReadFrom(&limited{body, MaxBodyBytes}); err != nil {
		return nil, unreadable(err)
	}
	return data.Bytes(), nil
}

func unreadable(err error) error {
	var tooMany *http.MaxBytesError
	if errors.Is(err, errTooLong) || errors.As(err, &tooMany) {
		return tooLarge()
	}
	return wholeBody(http.StatusBadRequest, "the body cannot be read: %v", err)
}

var errTooLong = errors.New("longer than allowed")

// limited gives up to left bytes of a reader and errTooLong instead of more.
type limited struct {
	src  io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left < 0 {
		return 0, errTooLong
	}
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.src.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return n - 1, errTooLong
	}
	return n, err
}
