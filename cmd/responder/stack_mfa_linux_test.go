package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// terminal is a pseudo-terminal: what is typed on keyboard is read from screen.
func terminal(t *testing.T) (keyboard, screen *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { keyboard.Close() })
	control := func(request uintptr, value *uint32) {
		t.Helper()
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, keyboard.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			t.Skipf("no pseudo-terminal to be had here: %v", errno)
		}
	}
	var locked, number uint32
	control(syscall.TIOCSPTLCK, &locked)
	control(syscall.TIOCGPTN, &number)
	screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal to be had here: %v", err)
	}
	t.Cleanup(func() { screen.Close() })
	return keyboard, screen
}

// TestStackMFA: a profile with mfa_serial has its code asked for at a terminal,
// once; elsewhere people are told what to do.
func TestStackMFA(t *testing.T) {
	c, d := newStackCLI(t)
	t.Setenv("TERM", "xterm")
	t.Setenv("AWS_ENDPOINT_URL_STS", d.url) // the SDK assumes a profile's role past AWS_ENDPOINT_URL
	const device = "arn:aws:iam::111122223333:mfa/ann"
	list := []string{"runs", "list", "--stack", "responder", "--profile", "mfa"}
	for _, test := range []struct {
		typed string
		exit  int
		says  string
		codes []string
	}{
		{" 123456 \n", exitDone, "", []string{device + " 123456"}},
		{"12345\n", exitFailed, "an MFA code is six digits", nil},
		{"\n", exitFailed, "an MFA code is six digits", nil},
		{"\x04", exitFailed, "there is no terminal to ask for it", nil},
	} {
		t.Run(test.typed, func(t *testing.T) {
			keyboard, screen := terminal(t)
			d.codes = nil
			if _, err := keyboard.WriteString(test.typed); err != nil {
				t.Fatal(err)
			}
			var out, errs bytes.Buffer
			exit := c.app(screen, &out, &errs).run(t.Context(), c.args(slices.Clone(list)))
			if asked := strings.Count(errs.String(), "MFA code of "+device+": "); exit != test.exit || asked != 1 || !strings.Contains(errs.String(), test.says) || !slices.Equal(d.codes, test.codes) {
				t.Errorf("exit %d, codes %q, it says %s", exit, d.codes, errs.String())
			}
		})
	}
	d.codes = nil
	_, errs := c.runWith("123456\n", exitFailed, list...)
	c.has(errs, "responder: the AWS profile needs an MFA code, and there is no terminal to ask for it: at one, run `eval \"$(aws configure export-credentials")
	if strings.Contains(errs, "MFA code of") || d.codes != nil {
		t.Errorf("it asks: %s", errs)
	}
}
