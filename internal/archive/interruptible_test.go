package archive

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// soon fails a test whose iteration does not end with its context.
func soon(t *testing.T, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it goes on though its context is done")
	}
}

// TestInterrupted: whatever is read, it ends with its context, and nothing of
// what was cut off is told as damage.
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo.json")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Skipf("no named pipes here: %v", err)
	}
	endless := func(text string) io.Reader { return &repeated{text: text} }
	for name, test := range map[string]struct {
		path  string
		stdin io.Reader
		end   int // records after which the context is done
	}{
		"waiting for standard input":        {Stdin, stuck{}, 0},
		"records without end":               {Stdin, endless("{}\n"), 100},
		"white space without end":           {Stdin, endless("  \n"), 0},
		"an element without end":            {Stdin, io.MultiReader(strings.NewReader(`[{"a":`), endless(" ")), 0},
		"a damaged line without end":        {Stdin, endless("x"), 0},
		"a named pipe that nobody writes":   {fifo, nil, 0},
		"cut off in a gzip file's head":     {Stdin, io.MultiReader(strings.NewReader("\x1f\x8b"), stuck{}), 0},
		"zipped white space, hardly packed": {Stdin, zipped(endless(" \n")), 0},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if test.end == 0 {
				time.AfterFunc(20*time.Millisecond, cancel)
			}
			soon(t, func() {
				n := 0
				for _, err := range Records(ctx, []string{test.path, test.path}, test.stdin) {
					if n++; err != nil {
						t.Errorf("told as damage: %v", err)
					}
					if n == test.end {
						cancel()
					}
				}
				if n != test.end {
					t.Errorf("%d records, want %d", n, test.end)
				}
			})
		})
	}
}

// TestPipe: what comes through a named pipe is read like any file.
func TestPipe(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Skipf("no named pipes here: %v", err)
	}
	go func() {
		if err := os.WriteFile(fifo, []byte("{}{}"), 0o600); err != nil {
			t.Error(err)
		}
	}()
	same(t, list(t, filepath.Dir(fifo), Records(t.Context(), []string{fifo}, nil)), []string{"fifo 0:1 {}", "fifo 1:1 {}"})
}

// stuck never gives anything.
type stuck struct{}

func (stuck) Read([]byte) (int, error) { select {} }

// repeated gives a text over and over.
type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.text[r.at%len(r.text)]
		r.at++
	}
	return len(p), nil
}

// zipped gives a gzip stream of what src gives, 4 MiB of it again and again.
func zipped(src io.Reader) io.Reader {
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	if _, err := io.CopyN(zw, src, 4<<20); err != nil {
		return nil
	}
	if err := zw.Close(); err != nil {
		return nil
	}
	return &repeated{text: b.String()}
}
