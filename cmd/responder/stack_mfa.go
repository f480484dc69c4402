package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/skycrafters/responder/internal/stack"
)

// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
var mfaForm = regexp.MustCompile(`^[0-9]{6}$`)

// mfaCode asks whoever is at the terminal for the code of an MFA device, given
// by its serial number or ARN. Errors: stack.ErrNoCode where nobody is. It waits
// for as long as the answer takes; the SDK, which calls it, waits no longer than
// the command does.
func (a *app) mfaCode(device string) (string, error) {
	if !isTerminal(a.stdin) {
		return "", stack.ErrNoCode
	}
	fmt.Fprintf(a.stderr, "MFA code of %s: ", clean(device))
	text, err := bufio.NewReader(a.stdin).ReadString('\n')
	code := strings.TrimSpace(text)
	switch {
	case errors.Is(err, io.EOF) && code == "": // nobody types
		fmt.Fprintln(a.stderr)
		return "", stack.ErrNoCode
	case err != nil && !errors.Is(err, io.EOF):
		return "", fmt.Errorf("read the MFA code: %w", err)
	case !mfaForm.MatchString(code):
		return "", errors.New("an MFA code is six digits")
	}
	return code, nil
}
