package actions

import (
	"context"
	"errors"
	"strings"

	"github.com/skycrafters/responder"
)

// references resolves the references that a flow's author writes in place of
// a value: env:NAME, secret:NAME. Errors name the reference, never its value.
type references struct {
	getenv  func(string) string
	secrets responder.Secrets
}

// referenceParam gives the reference that a parameter holds, or the default if
// the step does not have the parameter. An empty one is not taken for none: the
// message would go elsewhere than its author thinks.
func referenceParam(call responder.Call, name, otherwise string) (string, error) {
	switch v := call.Params[name].(type) {
	case nil:
		return otherwise, nil
	case string:
		if strings.TrimSpace(v) != "" {
			return strings.TrimSpace(v), nil
		}
	}
	return "", permanentf("%s is empty or not a text", name)
}

// resolve gives what a reference stands for; a text that is none stands for
// itself. Nothing there is *Permanent, a store that does not answer *Transient.
func (r references) resolve(ctx context.Context, ref string) (string, error) {
	if name, ok := strings.CutPrefix(ref, "env:"); ok {
		if value := strings.TrimSpace(r.getenv(name)); value != "" {
			return value, nil
		}
		return "", permanentf("%s is not set", ref)
	}
	if name, ok := strings.CutPrefix(ref, "secret:"); ok {
		return r.secret(ctx, ref, name)
	}
	return ref, nil
}

func (r references) secret(ctx context.Context, ref, name string) (string, error) {
	if r.secrets == nil {
		return "", permanentf("%s: there is no secret store here", ref)
	}
	secret, err := r.secrets.Get(ctx, name)
	switch {
	case errors.Is(err, responder.ErrNotFound):
		return "", permanentf("%s is not set: %w", ref, err)
	case err != nil:
		return "", transientf("read %s: %w", ref, err)
	}
	if value := strings.TrimSpace(secret.Current.Reveal()); value != "" {
		return value, nil
	}
	return "", permanentf("%s is empty", ref)
}
