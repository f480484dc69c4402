package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/stack"
)

func (r *regional) forgetCommand() *cobra.Command {
	var (
		account string
		dry     bool
	)
	cmd := &cobra.Command{
		Use:   "forget --account ID",
		Short: "Forget when an account's regions were heard, so that they are dark no more",
		Long: "A place that was heard once is waited for until somebody says otherwise: unheard, it is dark, and the\n" +
			"stack's alarm dark-forwarders stays on. This forgets the places of an account, all or those of --regions:\n" +
			"of an account that was closed or has left the organization, whose StackSet instances were deleted, or\n" +
			"that never was, in a canary that somebody made up. `regions status` lists the places that are known.\n\n" +
			"It takes nothing away in that account: a forwarder that still is there is heard, and known again, within\n" +
			"15 minutes. Those of this account are removed and forgotten by `regions remove`.\n\n" +
			"Exit code 1 if a place was not known; the others are forgotten then.\n\n" +
			"  responder regions forget --stack responder --account 444455556666 --dry-run\n" +
			"  responder regions forget --stack responder --account 444455556666 --regions eu-west-1,us-east-1",
		Args: args(0, 0, "no arguments but --account"),
		RunE: func(cmd *cobra.Command, _ []string) error { return r.forgetAccount(cmd.Context(), account, dry) },
	}
	cmd.Flags().StringVar(&account, "account", "", "the account, its twelve digits")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "show what would be forgotten, and forget nothing")
	return cmd
}

func (r *regional) forgetAccount(ctx context.Context, account string, dry bool) error {
	asked, err := r.places(account)
	if err != nil {
		return err
	}
	s, err := r.home(ctx)
	if err != nil {
		return err
	}
	beats, err := r.heartbeats(ctx, s)
	if err != nil {
		return err
	}
	return r.forgetPlaces(ctx, beats, account, asked, dry)
}

// forgetPlaces forgets the places of an account that were heard, those asked for
// if any are.
func (r *regional) forgetPlaces(ctx context.Context, beats responder.Heartbeats, account string, asked []responder.Place, dry bool) error {
	heard, err := beats.Beats(ctx)
	if err != nil {
		return fmt.Errorf("stack %s: which places it has heard: %w", r.stack, stack.Explain(err))
	}
	places, unknown := known(heard, account, asked)
	if !dry {
		if err := beats.Forget(ctx, places...); err != nil {
			return fmt.Errorf("stack %s: run the same command again: %w", r.stack, stack.Explain(err))
		}
	}
	view := fleetView{app: r.app, now: r.now(), dry: dry, heard: heard}
	if err := view.forgotten(places); err != nil {
		return err
	}
	switch {
	case len(unknown) > 0:
		return &inputError{fmt.Errorf("account %s was not heard from %s: responder regions status --stack %s lists the places that are known", account, strings.Join(unknown, ", "), r.stack)}
	case len(places) == 0:
		return &inputError{fmt.Errorf("account %s was never heard: %s", account, heardAccounts(heard))}
	}
	return nil
}

// places are those of an account and --regions; none without --regions. The
// regions need not be those of today: AWS is not asked.
func (r *regional) places(account string) ([]responder.Place, error) {
	if account == "" {
		return nil, usagef("whose places? Give --account ID")
	}
	if (responder.Place{Account: account, Region: "us-east-1"}).Check() != nil {
		return nil, usagef("--account %q: an account is twelve digits", account)
	}
	var places []responder.Place
	for _, region := range r.regions {
		place := responder.Place{Account: account, Region: strings.TrimSpace(region)}
		if place.Check() != nil {
			return nil, usagef("--regions: %q cannot be the name of a region", place.Region)
		}
		if !slices.Contains(places, place) {
			places = append(places, place)
		}
	}
	return places, nil
}

// known are the places of an account that were heard, those asked for if any
// are; unknown are the regions of those that were not.
func known(heard map[responder.Place]time.Time, account string, asked []responder.Place) (places []responder.Place, unknown []string) {
	for _, place := range asked {
		if _, ok := heard[place]; !ok {
			unknown = append(unknown, place.Region)
		}
	}
	return placesOf(heard, func(p responder.Place) bool {
		return p.Account == account && (len(asked) == 0 || slices.Contains(asked, p))
	}), unknown
}

// heardAccounts says which accounts were heard.
func heardAccounts(heard map[responder.Place]time.Time) string {
	accounts := map[string]bool{}
	for place := range heard {
		accounts[place.Account] = true
	}
	if len(accounts) == 0 {
		return "no account was"
	}
	return "heard were " + strings.Join(slices.Sorted(maps.Keys(accounts)), ", ")
}
