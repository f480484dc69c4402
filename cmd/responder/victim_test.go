package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// asResponder makes the test binary be the real program, in a process of its
// own that can be killed.
const asResponder = "RESPONDER_TEST_BE_RESPONDER"

// programToKill names the program in place of the test binary: one as it is
// shipped, but for the points that the tag `faults` builds in.
const programToKill = "RESPONDER_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asResponder) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// victim is the real program, serving in a process of its own.
type victim struct {
	*cli
	cmd  *exec.Cmd
	out  *transcript
	gone chan struct{} // closed when the process has ended
}

// launch starts the program with more in its environment.
func (c *cli) launch(env ...string) *victim {
	c.t.Helper()
	v := &victim{cli: c, out: &transcript{changed: make(chan struct{})}, gone: make(chan struct{})}
	program := os.Getenv(programToKill)
	if program == "" {
		program = os.Args[0]
	}
	arguments := append([]string{program}, c.args([]string{"run", "--live", "--listen", "127.0.0.1:0", "--data", c.data})...)
	if c.shell != "" {
		arguments = append([]string{"/bin/sh", "-c", c.shell + ` && exec "$@"`, "sh"}, arguments...)
	}
	v.cmd = exec.Command(arguments[0], arguments[1:]...)
	v.cmd.Env = append(append(os.Environ(), asResponder+"=1"), env...)
	v.cmd.Stdout, v.cmd.Stderr = v.out, v.out
	if err := v.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func() {
		_ = v.cmd.Wait() // how it ended is asked of ProcessState
		close(v.gone)
	}()
	c.t.Cleanup(v.kill)
	return v
}

// kill ends the process at once, by SIGKILL.
func (v *victim) kill() {
	_ = v.cmd.Process.Kill() // an error means that it is gone already
	<-v.gone
}

// stop ends the process as a user does, and wants it to end well.
func (v *victim) stop() {
	v.t.Helper()
	if err := v.cmd.Process.Signal(os.Interrupt); err != nil {
		v.t.Fatal(err)
	}
	select {
	case <-v.gone:
	case <-time.After(overdue):
		v.t.Fatalf("it did not stop; it said\n%s", v.said())
	}
	if code := v.cmd.ProcessState.ExitCode(); code != exitDone {
		v.t.Fatalf("it stopped with exit %d; it said\n%s", code, v.said())
	}
}

// ended waits for the process to end by itself, and gives its exit code: -1 for a signal.
func (v *victim) ended() int {
	v.t.Helper()
	select {
	case <-v.gone:
		return v.cmd.ProcessState.ExitCode()
	case <-time.After(overdue):
		v.t.Fatalf("it has not ended after %v; it said\n%s", overdue, v.said())
		return 0
	}
}

// said is what the process has written up to now.
func (v *victim) said() string { return v.out.String() }

var serving = regexp.MustCompile(`Serving (http://\S+/events)`)

// address waits until the process serves, and gives where; "" if ctx or the
// process is over before.
func (v *victim) address(ctx context.Context) string {
	for {
		text, changed := v.out.read()
		if m := serving.FindStringSubmatch(text); m != nil {
			return m[1]
		}
		select {
		case <-changed:
		case <-v.gone:
			return ""
		case <-ctx.Done():
			return ""
		}
	}
}

// served waits until the process serves, and gives where to post.
func (v *victim) served() *door {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), overdue)
	defer cancel()
	url := v.address(ctx)
	if url == "" {
		v.t.Fatalf("it does not serve; it said\n%s", v.said())
	}
	return v.doorAt(url)
}

// door is where events are posted to.
type door struct {
	url, key string
	client   *http.Client
}

func (c *cli) doorAt(url string) *door {
	c.t.Helper()
	key, err := os.ReadFile(filepath.Join(c.data, keyFile))
	if err != nil {
		c.t.Fatal(err)
	}
	return &door{url, strings.TrimSpace(string(key)), &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}}
}

// event posts one CreateUser whose user and event have a name, and gives the
// status of the answer; 0 without one.
func (p *door) event(t *testing.T, name string) int {
	t.Helper()
	record := fmt.Sprintf(`{"eventSource":"iam.amazonaws.com","eventName":"CreateUser","eventID":%q,"recipientAccountId":"111122223333","eventTime":%q,"requestParameters":{"userName":%q}}`, name, time.Now().UTC().Format(time.RFC3339), name)
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, p.url, bytes.NewReader([]byte(record)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("APIKey", p.key)
	response, err := p.client.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}
