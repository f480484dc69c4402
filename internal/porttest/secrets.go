package porttest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// grace is how long the value that a secret replaced still counts.
const grace = 24 * time.Hour

// cached is the longest that an adapter may give what it read before.
const cached = 5 * time.Minute

// SecretsHarness is a fresh, empty set of secrets.
type SecretsHarness struct {
	Secrets responder.Secrets
	Set     func(t *testing.T, name, value string) // as the owner of the secrets would
	Now     func() time.Time                       // the adapter's clock
	Advance func(time.Duration)                    // tells it; nil: real time must pass
}

// Secrets is the conformance suite of responder.Secrets. open is called once a case.
func Secrets(t *testing.T, open func(t *testing.T) SecretsHarness) {
	for name, run := range map[string]func(*testing.T, SecretsHarness){
		"a secret is read as set":        testSecret,
		"no such secret":                 testNoSecret,
		"a secret does not show itself":  testSecretHidden,
		"what was replaced counts still": testPrevious,
		"what was replaced is forgotten": testPreviousEnds,
	} {
		t.Run(name, func(t *testing.T) { run(t, open(t)) })
	}
}

func testSecret(t *testing.T, h SecretsHarness) {
	for name, value := range map[string]string{
		"slack": "https://hooks.example.com/services/T/B/x", "path/like.name_1": "ü😀 '\"", "long": strings.Repeat("x", 4096),
	} {
		h.Set(t, name, value)
		secret := h.get(t, name)
		if secret.Current.Reveal() != value {
			t.Errorf("secret %s is not as set", name)
		}
		if secret.Previous.Reveal() != "" {
			t.Errorf("secret %s, set once, has a previous value", name)
		}
	}
}

func testNoSecret(t *testing.T, h SecretsHarness) {
	h.Set(t, "slack", "v")
	for _, name := range []string{"nobody", "Slack", "slac"} {
		if secret, err := h.Secrets.Get(t.Context(), name); !errors.Is(err, responder.ErrNotFound) {
			t.Errorf("Get %s: %v, %v; want ErrNotFound", name, secret, err)
		}
	}
}

func testSecretHidden(t *testing.T, h SecretsHarness) {
	h.Set(t, "slack", "s3cr3t")
	if shown := fmt.Sprintf("%v %+v %#v %s", h.get(t, "slack"), h.get(t, "slack"), h.get(t, "slack"), h.get(t, "slack")); strings.Contains(shown, "s3cr3t") {
		t.Errorf("the secret prints as %s", shown)
	}
}

func testPrevious(t *testing.T, h SecretsHarness) {
	told(t, h.Advance)
	h.Set(t, "key", "old")
	h.get(t, "key")
	h.Set(t, "key", "new")
	h.Advance(cached)
	secret := h.get(t, "key")
	if secret.Current.Reveal() != "new" || secret.Previous.Reveal() != "old" {
		t.Fatal("after the second Set, current and previous are not the new and the old value")
	}
	if left := secret.Until.Sub(h.Now()); left <= 0 || left > grace {
		t.Errorf("the old value counts for another %v, want up to %v", left, grace)
	}
}

func testPreviousEnds(t *testing.T, h SecretsHarness) {
	told(t, h.Advance)
	h.Set(t, "key", "old")
	h.Set(t, "key", "new")
	h.Advance(grace + cached)
	secret := h.get(t, "key")
	if secret.Current.Reveal() != "new" {
		t.Error("the current value is not the new one")
	}
	if secret.Previous.Reveal() != "" && secret.Until.After(h.Now()) {
		t.Errorf("the old value counts %v after it was replaced", grace+cached)
	}
}

func (h SecretsHarness) get(t *testing.T, name string) responder.Secret {
	t.Helper()
	secret, err := h.Secrets.Get(t.Context(), name)
	if err != nil {
		t.Fatalf("Get %s: %v", name, err)
	}
	return secret
}
