package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"
	"unsafe"
)

// onTerminal runs a command whose output goes to a terminal of so many columns,
// and gives the lines that stand there, without colours.
func onTerminal(t *testing.T, c *cli, width int, args ...string) []string {
	t.Helper()
	t.Setenv("TERM", "xterm")
	keyboard, screen := terminal(t)
	size := [4]uint16{24, uint16(width)}
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, screen.Fd(), syscall.TIOCSWINSZ, uintptr(unsafe.Pointer(&size))); errno != 0 {
		t.Skipf("no terminal can be made narrow here: %v", errno)
	}
	shown := make(chan []byte)
	go func() {
		all, _ := io.ReadAll(keyboard) // its error is that nobody writes any more
		shown <- all
	}()
	var errs bytes.Buffer
	if exit := c.app(bytes.NewReader(nil), screen, &errs).run(t.Context(), c.args(args)); exit != exitDone {
		t.Errorf("exit %d: %s", exit, errs.String())
	}
	screen.Close()
	text := colours.ReplaceAllString(string(<-shown), "")
	return strings.Split(strings.TrimSuffix(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), "\n")
}

// TestNarrowTerminals: no line is broken by the terminal, in the midst of an id or
// a word; a wide one has columns; a pipe is told as ever.
func TestNarrowTerminals(t *testing.T) {
	c := newCLI(t)
	c.run(exitDone, "run", "--once", "--data", c.data, repo+"events")
	id := c.runID("--rule", "UnauthorizedInstanceCreated")
	for width, lines := range map[int]int{60: 14, 80: 14, 130: 8, 200: 7} {
		for command, wants := range map[string][]string{
			"runs list --data " + c.data:            {" succeeded", "UnauthorizedInstanceCreated", "6 runs"},
			"replay " + repo + "events":             {"UnauthorizedInstanceCreated", "first ", "[t2.micro]"},
			"runs show " + id + " --data " + c.data: {id, "would terminate", "i-0123456789abcdef0"},
			"run --once --data " + filepath.Join(t.TempDir(), "data") + " " + repo + "events": {"└ ", "would terminate"},
		} {
			told := onTerminal(t, c, width, strings.Fields(command)...)
			for _, want := range wants {
				if !strings.Contains(strings.Join(told, "\n"), want) {
					t.Errorf("%s at %d columns does not say %q:\n%s", command, width, want, strings.Join(told, "\n"))
				}
			}
			for _, row := range told {
				if utf8.RuneCountInString(row) > width && len(strings.Fields(row)) > 2 { // an ARN or a key stays whole, behind its name
					t.Errorf("%s at %d columns tells a line of %d: %s", command, width, utf8.RuneCountInString(row), row)
				}
			}
			if strings.HasPrefix(command, "runs list") && len(told) != lines {
				t.Errorf("%s at %d columns takes %d lines, want %d:\n%s", command, width, len(told), lines, strings.Join(told, "\n"))
			}
		}
	}
	piped, _ := c.run(exitDone, "runs", "list", "--data", c.data)
	if n := strings.Count(piped, "\n"); n != 7 {
		t.Errorf("in a pipe it takes %d lines:\n%s", n, piped)
	}
}

// TestColumns: what is no terminal has none.
func TestColumns(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, stream := range []any{file, new(bytes.Buffer), nil} {
		if n := columns(stream); n != 0 {
			t.Errorf("%T has %d columns", stream, n)
		}
	}
}
