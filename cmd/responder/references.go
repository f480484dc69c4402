package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/cmd/internal/wiring"
	"github.com/skycrafters/responder/dispatch"
)

// missing is a reference of a flow that stands for nothing, and the steps that
// will fail for it.
type missing struct {
	flow, reference, why string
	steps                []string // "0.1 SendEmail"
}

// missingReferences looks for what the enabled flows refer to, as env:NAME or
// secret:NAME, and is not there. It reads each secret once and shows none.
func (a *app) missingReferences(ctx context.Context, d *wiring.Definitions, secrets responder.Secrets) ([]missing, error) {
	whys := map[string]string{} // by reference, "" if it is there
	catalogue := a.catalogue(secrets)
	var all []missing
	var failed error
	for _, flow := range d.Flows.All() {
		if flow.Disabled {
			continue
		}
		at := map[string]int{} // by reference, in all
		dispatch.Walk(flow.Steps, func(path string, step *responder.Step) {
			for _, reference := range references(catalogue, step) {
				why, looked := whys[reference]
				if !looked {
					var err error
					if why, err = a.lacks(ctx, secrets, reference); err != nil {
						failed = errors.Join(failed, err)
					}
					whys[reference] = why
				}
				if why == "" {
					continue
				}
				i, known := at[reference]
				if !known {
					i = len(all)
					at[reference] = i
					all = append(all, missing{flow: flow.Name, reference: reference, why: why})
				}
				all[i].steps = append(all[i].steps, path+" "+step.Action)
			}
		})
	}
	return all, failed
}

// references gives the references that a step's parameters hold.
func references(catalogue responder.Catalogue, step *responder.Step) []string {
	action, ok := catalogue[step.Action]
	if !ok {
		return nil
	}
	var found []string
	for _, p := range action.Spec().Params {
		text, given := step.Params[p.Name].(string)
		if !given {
			text = p.Default
		}
		if p.Static && (strings.HasPrefix(text, "env:") || strings.HasPrefix(text, "secret:")) {
			found = append(found, strings.TrimSpace(text))
		}
	}
	return found
}

// lacks says why a reference stands for nothing, "" if it stands for something.
func (a *app) lacks(ctx context.Context, secrets responder.Secrets, reference string) (string, error) {
	if name, ok := strings.CutPrefix(reference, "env:"); ok {
		if strings.TrimSpace(a.getenv(name)) == "" {
			return "is not set in the environment", nil
		}
		return "", nil
	}
	name := strings.TrimPrefix(reference, "secret:")
	secret, err := secrets.Get(ctx, name)
	switch {
	case errors.Is(err, responder.ErrNotFound):
		return fmt.Sprintf("is not kept (responder secrets set %s)", name), nil
	case err != nil:
		return "", fmt.Errorf("read %s: %w", reference, err)
	case strings.TrimSpace(secret.Current.Reveal()) == "":
		return "is empty", nil
	}
	return "", nil
}

// warnOfReferences tells which steps will fail for want of an address or key.
func (a *app) warnOfReferences(ctx context.Context, d *wiring.Definitions, secrets responder.Secrets) error {
	all, err := a.missingReferences(ctx, d, secrets)
	for _, m := range all {
		fmt.Fprintf(a.stderr, "warning: flow %s: %s %s: these steps will fail: %s\n", line(m.flow, 60), line(m.reference, 100), m.why, strings.Join(m.steps, ", "))
	}
	return err
}
