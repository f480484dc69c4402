package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	awssecrets "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/spf13/cobra"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/forwarders"
	"github.com/skycrafters/responder/internal/stack"
)

// deployFlags are what people say of forwarders.
type deployFlags struct {
	via                   string
	readOnly, failedCalls bool
	parameters            []string
	keyID                 string
	rotate, dry           bool
}

func (r *regional) deployCommand() *cobra.Command {
	var f deployFlags
	cmd := &cobra.Command{
		Use:   "deploy",
		Short: "Deploy or update the forwarder of each region",
		Long: "Deploys the forwarder of each region, updates those that are there, and creates anew those whose\n" +
			"creation had failed. Regions are independent: where one fails, the others are done, the table shows the\n" +
			"first cause, and the same command again does what is left. It may be interrupted at any time.\n\n" +
			"--via api (the default) sends by HTTPS to Responder's API, with the API key; --via bus puts events on\n" +
			"Responder's event bus, without a key. What is not said stays as it is where there is a forwarder, and a\n" +
			"new one is like the others: --via, --read-only-events, --failed-calls and --parameter count for all regions.\n\n" +
			"The key is read from the stack's secret (through the operator role) and handed to CloudFormation as a hidden\n" +
			"parameter. Of several keys, --key-id says which; it has to speak for this account.\n\n" +
			"--rotate-key makes a new random key, puts it into the stack's secret, and then deploys it everywhere.\n" +
			"The order loses no event: Responder takes the new key within seconds, and the previous one for another\n" +
			"24 hours. If it is interrupted, or a region fails, run the command again WITHOUT --rotate-key within\n" +
			"these 24 hours: that deploys the key that is in the secret. It refuses to rotate while a forwarder has\n" +
			"not got the present key yet, for only one previous key counts. Whoever else sends with the key (`responder\n" +
			"send`, other accounts' StackSets) needs the new one as well. It needs secretsmanager:PutSecretValue.\n\n" +
			"  responder regions deploy --stack responder\n" +
			"  responder regions deploy --via bus --regions eu-west-1,us-east-1 --dry-run\n" +
			"  responder regions deploy --parameter Sources=aws.iam,aws.signin\n" +
			"  responder regions deploy --rotate-key",
		Args: args(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			said, err := f.said(cmd)
			if err != nil {
				return err
			}
			return r.deploy(cmd.Context(), f, said)
		},
	}
	cmd.Flags().StringVar(&f.via, "via", forwarders.ViaAPI, "the way home: api or bus")
	cmd.Flags().BoolVar(&f.readOnly, "read-only-events", false, "forward calls that only read, too: many times more events, and their cost")
	cmd.Flags().BoolVar(&f.failedCalls, "failed-calls", true, "forward calls that were refused or failed")
	cmd.Flags().StringArrayVar(&f.parameters, "parameter", nil, "another parameter of forwarder.yaml, NAME=VALUE; may be repeated")
	cmd.Flags().StringVar(&f.keyID, "key-id", "", "the key to send with, where the secret holds several")
	cmd.Flags().BoolVar(&f.rotate, "rotate-key", false, "make a new key first, and send with that")
	cmd.Flags().BoolVar(&f.dry, "dry-run", false, "show what would be done, and do nothing")
	return cmd
}

// said are the template's parameters that the command line sets.
func (f *deployFlags) said(cmd *cobra.Command) (map[string]string, error) {
	said := map[string]string{}
	for _, text := range f.parameters {
		name, value, err := splitParameter(text)
		if err != nil {
			return nil, err
		}
		said[name] = value
	}
	for flag, p := range map[string]struct{ name, value string }{
		"via":              {"Via", f.via},
		"read-only-events": {"ReadOnlyEvents", strconv.FormatBool(f.readOnly)},
		"failed-calls":     {"FailedCalls", strconv.FormatBool(f.failedCalls)},
	} {
		if !cmd.Flags().Changed(flag) {
			continue
		}
		if value, twice := said[p.name]; twice && value != p.value {
			return nil, usagef("--%s and --parameter %s=%s contradict each other", flag, p.name, value)
		}
		said[p.name] = p.value
	}
	if via, there := said["Via"]; there {
		if err := checkVia(via); err != nil {
			return nil, err
		}
		if via == forwarders.ViaBus && f.rotate {
			return nil, usagef("--rotate-key: forwarders that go by the bus have no key")
		}
	}
	return said, nil
}

func (r *regional) deploy(ctx context.Context, f deployFlags, said map[string]string) error {
	s, err := r.home(ctx)
	if err != nil {
		return err
	}
	regions, err := r.chosen(ctx)
	if err != nil {
		return err
	}
	want, err := r.wanted(s, said)
	if err != nil {
		return err
	}
	seen, err := r.look(ctx, regions)
	if err != nil {
		return err
	}
	if want, err = want.Settle(seen); err != nil {
		return usagef("%w", err)
	}
	if err := r.giveKey(ctx, s, f, seen, &want); err != nil {
		return err
	}
	view := fleetView{app: r.app, now: r.now(), dry: f.dry}
	if f.dry {
		for i := range seen {
			seen[i].Did = want.Plan(seen[i])
			if f.rotate && seen[i].Did == forwarders.Unchanged {
				seen[i].Did = forwarders.Updated
			}
			if seen[i].Did != forwarders.Failed {
				seen[i].Err = nil
			}
		}
		return errors.Join(view.show(seen), outcome(seen, nil, sameAgain))
	}
	fleet, progress := r.fleet(len(regions))
	results, ended := fleet.Deploy(ctx, regions, want)
	progress.clear()
	if err := view.show(results); err != nil {
		return err
	}
	if f.rotate {
		return outcome(results, ended, "the command again WITHOUT --rotate-key, within 24 hours")
	}
	return outcome(results, ended, sameAgain)
}

// wanted is what forwarders are to be, but for the key.
func (r *regional) wanted(s *stack.Stack, said map[string]string) (forwarders.Wanted, error) {
	template, err := forwarders.ReadTemplate(responder.ForwarderTemplate)
	if err != nil {
		return forwarders.Wanted{}, err
	}
	want := forwarders.Wanted{
		Template: template,
		Home:     map[string]string{"Name": s.Name, "HomeAccount": s.Account, "HomeRegion": s.Region},
		Endpoint: s.APIURL, BusARN: s.EventBusARN,
		Said: said,
	}
	if err := want.Check(); err != nil {
		return want, usagef("%w", err)
	}
	if said["Via"] == forwarders.ViaBus && s.EventBusARN == "" {
		return want, fmt.Errorf("stack %s has no event bus (output EventBusArn): deploy this version first (sam build && sam deploy), or use --via api", s.Name)
	}
	return want, nil
}

// giveKey reads the key for those forwarders that go by the API, a new one if it
// is to be rotated.
func (r *regional) giveKey(ctx context.Context, s *stack.Stack, f deployFlags, seen []forwarders.Result, want *forwarders.Wanted) error {
	byAPI := slices.ContainsFunc(seen, func(one forwarders.Result) bool {
		return want.Via(one.Stack.Parameters) == forwarders.ViaAPI
	})
	if !byAPI {
		if f.rotate {
			return usagef("--rotate-key: these forwarders go by the bus, and have no key")
		}
		return nil
	}
	keys, err := r.openKeys(ctx, s, f.keyID)
	if err != nil {
		return err
	}
	if f.rotate {
		if err := r.mayRotate(ctx, seen, keys.version); err != nil {
			return err
		}
		if !f.dry {
			if err := keys.rotate(ctx, awssecrets.NewFromConfig(s.Config())); err != nil {
				return err
			}
			fmt.Fprintf(r.stderr, "The new key is in the secret; the one before counts for 24 hours. Deploying it; if that breaks off, run the command again WITHOUT --rotate-key …\n")
		}
	}
	want.Key, want.KeyVersion = keys.key.Text, keys.version
	return nil
}

// mayRotate refuses to make a key while some forwarder still sends with one
// before the present: after another, Responder would know that one no more.
// seen are the regions that the new key will be deployed to.
func (r *regional) mayRotate(ctx context.Context, seen []forwarders.Result, version string) error {
	all, err := r.every(ctx)
	if err != nil {
		return err
	}
	everywhere := seen
	if others := slices.DeleteFunc(all, func(region string) bool {
		return slices.ContainsFunc(seen, func(one forwarders.Result) bool { return one.Region == region })
	}); len(others) > 0 {
		left, err := r.look(ctx, others)
		if err != nil {
			return err
		}
		if by := senders(left, nil); len(by) > 0 {
			return usagef("--rotate-key has to reach every forwarder, and --regions leaves out %s, which would be dark in 24 hours", strings.Join(by, ", "))
		}
	}
	if by := senders(everywhere, &version); len(by) > 0 {
		return &inputError{fmt.Errorf("not rotated: the forwarders of %s have not got the present key yet, and another would cut them off: run the command without --rotate-key first", strings.Join(by, ", "))}
	}
	return nil
}

// senders are the regions of forwarders that show a key: of those that surely
// have that of this version not, if one is given.
func senders(results []forwarders.Result, version *string) (regions []string) {
	for _, one := range results {
		s := one.Stack
		byAPI := cmp.Or(s.Parameters["Via"], forwarders.ViaAPI) == forwarders.ViaAPI
		has := version != nil && s.KeyVersion == *version && !s.Busy()
		if s.Sends() && byAPI && !has {
			regions = append(regions, one.Region)
		}
	}
	return regions
}
