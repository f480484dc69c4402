package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/skycrafters/responder"
)

func TestAccept(t *testing.T) {
	s := newSetup()
	const noID = `{"source":"a","detail-type":"b","detail":{}}`
	const recordKey = `{"source":"a","detail-type":"b","account":"111122223333","detail":{"eventID":"d"}}`
	ids, err := s.Accept(t.Context(), Request{Key: rightKey, Body: strings.NewReader(event1 + record3 + noID + recordKey)})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := responder.DecodeEvent([]byte(noID))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"1", "3", hash.Key(), "111122223333/d"}; !slices.Equal(ids, want) {
		t.Errorf("ids %q, want %q", ids, want)
	}
	if want := []string{event1, event3, noID, recordKey}; len(s.queue.calls) != 1 || !slices.Equal(s.queue.sent(), want) {
		t.Errorf("sent, in %d calls, %q, want in one %q", len(s.queue.calls), s.queue.sent(), want)
	}
}

func TestAcceptKeys(t *testing.T) {
	tests := []struct {
		name   string
		key    string
		change func(*setup)
		err    error // nil: taken
	}{
		{"current", rightKey, nil, nil},
		{"previous", previousKey, nil, nil},
		{"previous, at its last moment", previousKey, func(s *setup) { s.now = s.secrets.secret.Until.Add(-1) }, nil},
		{"previous, run out", previousKey, func(s *setup) { s.now = s.secrets.secret.Until }, ErrKey},
		{"current after the previous ran out", rightKey, func(s *setup) { s.now = s.now.AddDate(1, 0, 0) }, nil},
		{"previous without an end", previousKey, func(s *setup) { s.secrets.secret.Until = time.Time{} }, ErrKey},
		{"wrong", "wrong", nil, ErrKey},
		{"missing", "", nil, ErrKey},
		{"beginning of the right one", rightKey[:5], nil, ErrKey},
		{"right one with a space", rightKey + " ", nil, ErrKey},
		{"in other case", strings.ToUpper(rightKey), nil, ErrKey},
		{"redacted", "[redacted]", nil, ErrKey},
		{"empty secret, empty key", "", func(s *setup) { s.secrets.secret = responder.Secret{Until: s.now.Add(1)} }, ErrKey},
		{"empty secret", "x", func(s *setup) { s.secrets.secret = responder.Secret{Until: s.now.Add(1)} }, errSecret},
		{"no previous secret", "x", func(s *setup) { s.secrets.secret.Previous = responder.SecretText{} }, ErrKey},
		{"secret store is down", rightKey, func(s *setup) { s.secrets.err = errDown }, errDown},
		{"secret store is down, wrong key", "wrong", func(s *setup) { s.secrets.err = errDown }, errDown},
		{"no such secret", rightKey, func(s *setup) { s.secrets.name = "other" }, responder.ErrNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSetup()
			if tt.change != nil {
				tt.change(s)
			}
			body := &countingReader{src: strings.NewReader(event1)}
			ids, err := s.Accept(t.Context(), Request{Key: tt.key, Body: body})
			if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			if taken := tt.err == nil; taken != (len(ids) == 1) || taken != (len(s.queue.sent()) == 1) {
				t.Errorf("ids %q, sent %q", ids, s.queue.sent())
			}
			if tt.err != nil && body.n > 0 {
				t.Error("the body was read before the key was known to be right")
			}
		})
	}
}

// cachedSecrets give what they cached, and look past it only when asked.
type cachedSecrets struct {
	fakeSecrets
	behind fakeSecrets
	looked int
}

func (s *cachedSecrets) Fresh(ctx context.Context, name string) (responder.Secret, error) {
	s.looked++
	return s.behind.Get(ctx, name)
}

func TestAcceptLooksPastACache(t *testing.T) {
	tests := []struct {
		key    string
		behind error
		looked int
		err    error
	}{
		{"old", nil, 0, nil},
		{"new", nil, 1, nil},
		{"wrong", nil, 1, ErrKey},
		{"", nil, 0, ErrKey},
		{"wrong", errDown, 1, errDown},
		{"old", errDown, 0, nil},
	}
	for _, tt := range tests {
		secrets := &cachedSecrets{
			fakeSecrets: fakeSecrets{name: "k", secret: responder.Secret{Current: responder.NewSecretText("old")}},
			behind:      fakeSecrets{name: "k", secret: responder.Secret{Current: responder.NewSecretText("new")}, err: tt.behind},
		}
		in := New(&fakeQueue{}, Keys{Secrets: secrets, Name: "k", Now: time.Now})
		_, err := in.Accept(t.Context(), Request{Key: tt.key, Body: strings.NewReader(event1)})
		if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) || secrets.looked != tt.looked {
			t.Errorf("key %q, store %v: error %v after %d looks; want %v after %d", tt.key, tt.behind, err, secrets.looked, tt.err, tt.looked)
		}
	}
}

type countingReader struct {
	src io.Reader
	n   int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.src.Read(p)
	c.n += n
	return n, err
}

func TestAcceptQueueFails(t *testing.T) {
	for name, failure := range map[string]error{
		"wholly":  errDown,
		"in part": &responder.SendError{Failed: map[int]error{1: errDown}},
	} {
		s := newSetup()
		s.queue.err = failure
		ids, err := s.Accept(t.Context(), Request{Key: rightKey, Body: strings.NewReader(event1 + event2)})
		if !errors.Is(err, failure) || ids != nil {
			t.Errorf("%s: ids %q claimed with error %v", name, ids, err)
		}
	}
}

func TestAcceptBodies(t *testing.T) {
	zipped := func(text string) string {
		var b bytes.Buffer
		zw := gzip.NewWriter(&b)
		_, err := io.WriteString(zw, text)
		if err := errors.Join(err, zw.Close()); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	spaces := func(n int) string { return strings.Repeat(" ", n-len(event1)) + event1 }
	good := zipped(event1)
	tests := []struct {
		name, encoding string
		body           io.Reader
		status         int // 0: taken
		want           string
	}{
		{"plain", "", strings.NewReader(event1), 0, ""},
		{"identity", "identity", strings.NewReader(event1), 0, ""},
		{"gzip", "gzip", strings.NewReader(good), 0, ""},
		{"gzip in other words", " X-GZIP", strings.NewReader(good), 0, ""},
		{"gzip byte by byte", "gzip", iotest.OneByteReader(strings.NewReader(good)), 0, ""},
		{"as large as may be", "", strings.NewReader(spaces(MaxBodyBytes)), 0, ""},
		{"too large", "", strings.NewReader(spaces(MaxBodyBytes + 1)), 413, "the body is larger than 5242880 bytes"},
		{"as large as may be inflated", "gzip", strings.NewReader(zipped(spaces(MaxBodyBytes))), 0, ""},
		{"too large inflated", "gzip", strings.NewReader(zipped(spaces(MaxBodyBytes + 1))), 413, "the body is larger than 5242880 bytes"},
		{"without end", "", neverending{}, 413, "the body is larger than 5242880 bytes"},
		{"gzip that is none", "gzip", strings.NewReader(event1), 400, "the body cannot be read: gzip: invalid header"},
		{"gzip cut off", "gzip", strings.NewReader(good[:20]), 400, "the body cannot be read: unexpected EOF"},
		{"gzip of nothing", "gzip", strings.NewReader(zipped("")), 400, "the body is empty"},
		{"gzip, no body", "gzip", strings.NewReader(""), 400, "the body cannot be read: EOF"},
		{"gzip not declared", "", strings.NewReader(good), 400, "element 0 (line 1): expected a JSON object or array"},
		{"brotli", "br", strings.NewReader(event1), 415, "only gzip is taken as Content-Encoding"},
		{"sender gone", "", io.MultiReader(strings.NewReader(event1), iotest.ErrReader(io.ErrUnexpectedEOF)), 400, "the body cannot be read: unexpected EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSetup()
			ids, err := s.Accept(context.Background(), Request{Key: rightKey, Body: tt.body, ContentEncoding: tt.encoding})
			var wrong *BodyError
			switch {
			case tt.status == 0 && (err != nil || !slices.Equal(ids, []string{"1"}) || !slices.Equal(s.queue.sent(), []string{event1})):
				t.Errorf("ids %q, sent %.200q, error %v", ids, s.queue.sent(), err)
			case tt.status != 0 && (!errors.As(err, &wrong) || wrong.Status != tt.status || err.Error() != tt.want):
				t.Errorf("error %v, want %d %q", err, tt.status, tt.want)
			case tt.status != 0 && (ids != nil || len(s.queue.calls) > 0):
				t.Errorf("ids %q, sent %q in spite of %v", ids, s.queue.sent(), err)
			}
		})
	}
}

type neverending struct{}

func (neverending) Read(p []byte) (int, error) { return len(p), nil }
