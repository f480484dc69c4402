package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// feed gives a text and then, as an interactive user does, nothing more: it
// tells that it was read to its end, and the next read waits for ever.
type feed struct {
	text io.Reader
	read func()
}

func (f *feed) Read(p []byte) (int, error) {
	if n, err := f.text.Read(p); err == nil {
		return n, nil
	}
	f.read()
	select {}
}

// TestInterrupted: a command that waits for input ends with its context, fails,
// and says how far it came.
func TestInterrupted(t *testing.T) {
	c := newCLI(t)
	const events = `{"id":"a","source":"a","detail-type":"b","detail":{}}` + "\n" + `{"id":"b","source":"a","detail-type":"b","detail":{}}` + "\n"
	for args, want := range map[string]string{
		"replay -":       "interrupted after ",
		"try event.id -": "interrupted after ",
		"run --once - --data " + filepath.Join(c.dir, "once"):                "interrupted after 0 events of 0 taken in",
		"run - --listen 127.0.0.1:0 --data " + filepath.Join(c.dir, "serve"): "interrupted after 0 events of 0 taken in",
		"send - --key k": "interrupted after 0 accepted events",
		"secrets set slack --data " + filepath.Join(c.dir, "secrets"): "interrupted: secret slack is not changed",
	} {
		t.Run(args, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var out, errs bytes.Buffer
			code := make(chan int)
			go func() {
				code <- c.app(&feed{strings.NewReader(events), cancel}, &out, &errs).run(ctx, c.args(strings.Fields(args)))
			}()
			select {
			case got := <-code:
				if got != exitFailed || !strings.Contains(errs.String(), want) {
					t.Errorf("exit %d: %s\nwant %d and %q", got, errs.String(), exitFailed, want)
				}
			case <-time.After(overdue):
				t.Fatal("it goes on though it was interrupted")
			}
		})
	}
}

// TestSignals: the real program ends on either signal, while it reads a pipe.
func TestSignals(t *testing.T) {
	c := newCLI(t)
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd := exec.Command(os.Args[0], c.args([]string{"replay", "-", "--format", "json"})...)
		cmd.Env = append(os.Environ(), asResponder+"=1")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var errs bytes.Buffer
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		root, err := os.ReadFile(repo + "events/root-login.json")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Write(bytes.Repeat(root, 100)); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil { // it is at work
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		late := time.AfterFunc(overdue, func() { _ = cmd.Process.Kill() })
		if _, err := io.Copy(io.Discard, out); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // its exit code is asked for below
		late.Stop()
		if got := cmd.ProcessState.ExitCode(); got != exitFailed || !strings.Contains(errs.String(), "interrupted after ") {
			t.Errorf("%v: exit %d, %s", signal, got, errs.String())
		}
	}
}
