package main

import (
	"io"
	"strings"
	"testing"

	"github.com/skycrafters/responder/cmd/internal/lambdas/lambdastest"
)

// TestMembers: a role that cannot be taken is told at the start, not when it is
// to be taken.
func TestMembers(t *testing.T) {
	f := newFunction(t)
	for want, env := range map[string]map[string]string{
		"":                                 {"MEMBER_ROLE": "responder-member", "MEMBER_ACCOUNTS": "111122223333,444455556666", "MEMBER_EXTERNAL_ID": "x-1"},
		"no account where it may be taken": {"MEMBER_ROLE": "responder-member"},
		"no member role to act through":    {"MEMBER_ACCOUNTS": "111122223333"},
		"which is malformed":               {"MEMBER_ROLE": "responder-member", "MEMBER_ACCOUNTS": "*"},
	} {
		_, err := newHandler(lambdastest.Host(t, io.Discard, env), f.ports())
		if (err == nil) != (want == "") || err != nil && !(strings.Contains(err.Error(), want) && strings.Contains(err.Error(), "MEMBER_ACCOUNTS")) {
			t.Errorf("%v: got %v, want %q", env, err, want)
		}
	}
}
