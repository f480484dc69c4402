package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/smithy-go/logging"
	"github.com/spf13/cobra"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/dynamodb"
	"github.com/skycrafters/responder/internal/forwarders"
	"github.com/skycrafters/responder/internal/lang"
	"github.com/skycrafters/responder/internal/stack"
)

func (a *app) regionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "regions",
		Short: "Deploy, look at, remove and forget the forwarders of every region",
		Long: "A forwarder is a CloudFormation stack in a region, NAME-forwarder, that sends what happens there to\n" +
			"the Responder whose stack is NAME: an EventBridge rule, its way home, dead letters, and a canary\n" +
			"every 15 minutes, by which it is known whether the region is heard.\n\n" +
			"Without --regions, these commands are about every region that is enabled in the account. --region\n" +
			"is where the stack NAME itself is. Other accounts of an organization are best served by a StackSet of\n" +
			"the same template, forwarder.yaml.\n\n" +
			"Exit codes: 0 all is well; 2 wrong use; 3 something failed, in some region at least. The other regions\n" +
			"are done then, and the same command again does what is left.",
		Args: args(0, 0, "a subcommand: deploy, status, remove or forget"),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	r := &regional{app: a}
	r.aws.add(cmd.PersistentFlags())
	cmd.PersistentFlags().StringVar(&r.stack, "stack", "responder", "the deployed stack that forwarders send to")
	cmd.PersistentFlags().StringSliceVar(&r.regions, "regions", nil, "these regions only, comma-separated (default: all that are enabled)")
	cmd.PersistentFlags().IntVar(&r.parallel, "parallel", 8, "so many regions at a time")
	cmd.AddCommand(r.deployCommand(), r.statusCommand(), r.removeCommand(), r.forgetCommand())
	return cmd
}

// regional is a command on the forwarders of many regions.
type regional struct {
	*app
	aws      awsFlags
	stack    string
	regions  []string
	parallel int

	cfg      aws.Config  // of the stack's region, with the caller's own credentials
	operated *aws.Config // the same with the operator role, once that is assumed
}

// check refuses wrong use of the flags that all have in common.
func (r *regional) check() error {
	if err := stack.CheckName(r.stack); err != nil {
		return usagef("--stack: %w", err)
	}
	if r.parallel < 1 || r.parallel > 64 {
		return usagef("--parallel is from 1 to 64, not %d", r.parallel)
	}
	return nil
}

// home finds the stack that forwarders send to.
func (r *regional) home(ctx context.Context) (*stack.Stack, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	var err error
	if r.cfg, err = r.awsConfig(ctx, r.aws); err != nil {
		return nil, err
	}
	return r.findStack(ctx, r.cfg, r.stack)
}

// chosen are the regions that the command is about, and every gives all that
// are enabled.
func (r *regional) chosen(ctx context.Context) ([]string, error) { return r.enabled(ctx, r.regions...) }
func (r *regional) every(ctx context.Context) ([]string, error)  { return r.enabled(ctx) }

func (r *regional) enabled(ctx context.Context, asked ...string) ([]string, error) {
	regions, err := forwarders.Regions(ctx, ec2.NewFromConfig(r.cfg).DescribeRegions, asked...)
	var (
		unknown  *forwarders.UnknownRegionError
		disabled *forwarders.DisabledRegionError
	)
	switch {
	case errors.As(err, &unknown):
		if hint := lang.Suggest(unknown.Name, unknown.Known); hint != "" {
			return nil, usagef("--regions: %w, %s", err, hint)
		}
		return nil, usagef("--regions: %w", err)
	case errors.As(err, &disabled):
		return nil, usagef("--regions: %w", err)
	}
	return regions, err
}

// retries is how often the SDK tries a request that is throttled, before the
// fleet takes longer pauses.
const retries = 5

// fleet is the forwarders of the stack. Its progress is shown on a terminal.
func (r *regional) fleet(regions int) (*forwarders.Fleet, *fleetProgress) {
	progress := r.fleetProgress(regions)
	return &forwarders.Fleet{
		Open: func(region string) forwarders.Client {
			cfg := r.cfg.Copy()
			cfg.Region, cfg.RetryMaxAttempts = region, retries
			cfg.Logger = logging.Nop{} // the SDK's remarks on connections, in the middle of the progress
			return cloudformation.NewFromConfig(cfg)
		},
		Stack:    forwarders.StackName(r.stack),
		Parallel: r.parallel,
		Now:      r.now,
		Sleep:    sleep,
		Progress: progress.tell,
	}, progress
}

// look sees how the forwarders of some regions are.
func (r *regional) look(ctx context.Context, regions []string) ([]forwarders.Result, error) {
	fleet, progress := r.fleet(len(regions))
	defer progress.clear()
	return fleet.Look(ctx, regions)
}

// operate is the configuration for what the stack consists of.
func (r *regional) operate(ctx context.Context, s *stack.Stack) (aws.Config, error) {
	if r.operated == nil {
		cfg, err := r.operator(ctx, s)
		if err != nil {
			return aws.Config{}, err
		}
		r.operated = &cfg
	}
	return *r.operated, nil
}

// heartbeats are those that the stack has heard.
func (r *regional) heartbeats(ctx context.Context, s *stack.Stack) (*dynamodb.Heartbeats, error) {
	cfg, err := r.operate(ctx, s)
	if err != nil {
		return nil, err
	}
	return dynamodb.NewHeartbeats(awsdynamodb.NewFromConfig(cfg), s.CountersTable), nil
}

// sameAgain is what to do about regions that failed.
const sameAgain = "the same command again"

// outcome ends a command: with what ended the work early, else with how many
// regions failed, and what to run then.
func outcome(results []forwarders.Result, err error, again string) error {
	if err != nil {
		return err
	}
	failed := 0
	for _, result := range results {
		if result.Did == forwarders.Failed {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%s of %d failed: mend what the table says, then run %s: it does what is left", count(failed, "region"), len(results), again)
	}
	return nil
}

func (r *regional) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show the forwarder of each region: its stack, and when it was last heard",
		Long: "Shows for each region the state of its forwarder's stack, whether it was made from this version's\n" +
			"template and knows the present key, and when its canary was last heard. Canaries come every 15\n" +
			"minutes; a region unheard for 40 is dark, and the stack's alarm dark-forwarders says so, too. Places that\n" +
			"are heard from other accounts (an organization's StackSet) are listed below.\n\n" +
			"Exit code 3 if a forwarder has failed or is dark, or could not be looked at, or a listed place of another\n" +
			"account is dark; a region without a forwarder is no fault. `regions forget` takes away places that are\n" +
			"no more.\n\n" +
			"  responder regions status --stack responder --profile security",
		Args: args(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return r.status(cmd.Context()) },
	}
}

func (r *regional) status(ctx context.Context) error {
	s, err := r.home(ctx)
	if err != nil {
		return err
	}
	regions, err := r.chosen(ctx)
	if err != nil {
		return err
	}
	beats, err := r.heartbeats(ctx, s)
	if err != nil {
		return err
	}
	heard, err := beats.Beats(ctx)
	if err != nil {
		return fmt.Errorf("stack %s: when its forwarders were last heard: %w", s.Name, stack.Explain(err))
	}
	template, err := forwarders.ReadTemplate(responder.ForwarderTemplate)
	if err != nil {
		return err
	}
	keys, err := r.readKeys(ctx, s)
	if err != nil {
		return err
	}
	results, ended := r.look(ctx, regions)
	view := fleetView{app: r.app, account: s.Account, heard: heard, now: r.now(), template: template.Digest, keyVersion: keys.version}
	if err := view.show(results); err != nil {
		return err
	}
	var troubles []string
	if failed, dark := view.troubles(results); failed+dark > 0 {
		troubles = append(troubles, fmt.Sprintf("%d failed, %d dark (responder regions deploy --stack %s mends what it can)", failed, dark, s.Name))
	}
	if len(r.regions) == 0 {
		if err := view.showOthers(); err != nil {
			return err
		}
		if dark := view.darkOthers(s.Name); dark != "" {
			troubles = append(troubles, dark)
		}
	}
	switch {
	case ended != nil:
		return ended
	case len(troubles) > 0:
		return errors.New(strings.Join(troubles, "; "))
	}
	return nil
}

func (r *regional) removeCommand() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:   "remove",
		Short: "Delete the forwarder of each region",
		Long: "Deletes the forwarders' stacks, with what could not be delivered and lies in their dead letters, and\n" +
			"forgets when these regions were heard, so that they do not count as dark. It asks nothing; --dry-run shows\n" +
			"what it would delete. The stack NAME itself stays; where it is gone already, the forwarders are\n" +
			"removed all the same. Forwarders that a StackSet has made are the StackSet's to remove.\n\n" +
			"  responder regions remove --stack responder --regions eu-north-1",
		Args: args(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return r.remove(cmd.Context(), dry) },
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "show what would be deleted, and delete nothing")
	return cmd
}

func (r *regional) remove(ctx context.Context, dry bool) error {
	s, err := r.homeIfAny(ctx)
	if err != nil {
		return err
	}
	regions, err := r.chosen(ctx)
	if err != nil {
		return err
	}
	view := fleetView{app: r.app, now: r.now(), dry: dry}
	if dry {
		results, ended := r.look(ctx, regions)
		for i, seen := range results {
			if seen.Stack.Exists() {
				results[i].Did, results[i].Err = forwarders.Removed, nil
			}
		}
		return errors.Join(view.show(results), outcome(results, ended, sameAgain))
	}
	fleet, progress := r.fleet(len(regions))
	results, ended := fleet.Remove(ctx, regions)
	progress.clear()
	if err := view.show(results); err != nil {
		return err
	}
	if s != nil && ctx.Err() == nil {
		if err := r.forget(ctx, s, results); err != nil {
			return errors.Join(outcome(results, ended, sameAgain), err)
		}
	}
	return outcome(results, ended, sameAgain)
}

// homeIfAny finds the stack that forwarders send to, or nil where there is none
// that works: its forwarders can be removed all the same.
func (r *regional) homeIfAny(ctx context.Context) (*stack.Stack, error) {
	s, err := r.home(ctx)
	var state *stack.StateError
	if err == nil || !errors.Is(err, responder.ErrNotFound) && !errors.As(err, &state) {
		return s, err
	}
	fmt.Fprintf(r.stderr, "responder: %s; looking for its forwarders all the same\n", clean(err.Error()))
	return nil, nil
}

// forget makes the places unknown whose forwarders are gone, in this run or in
// one that was interrupted. One that is heard all the same, by a StackSet's
// forwarder, is known again with its next canary.
func (r *regional) forget(ctx context.Context, s *stack.Stack, results []forwarders.Result) error {
	var gone []responder.Place
	for _, result := range results {
		if result.Did == forwarders.Removed || result.Did == forwarders.None {
			gone = append(gone, responder.Place{Account: s.Account, Region: result.Region})
		}
	}
	beats, err := r.heartbeats(ctx, s)
	if err != nil {
		return err
	}
	if err := beats.Forget(ctx, gone...); err != nil {
		return fmt.Errorf("the forwarders are gone, but stack %s still waits for their canaries and will call them dark: run the same command again: %w", s.Name, stack.Explain(err))
	}
	return nil
}

// splitParameter reads NAME=VALUE.
func splitParameter(text string) (name, value string, err error) {
	name, value, found := strings.Cut(text, "=")
	if !found || name == "" {
		return "", "", usagef("--parameter %q: write NAME=VALUE, such as Sources=aws.iam,aws.signin", text)
	}
	return name, value, nil
}

// ways are what --via takes.
var ways = []string{forwarders.ViaAPI, forwarders.ViaBus}

func checkVia(via string) error {
	if !slices.Contains(ways, via) {
		return usagef("--via is api or bus, not %q", via)
	}
	return nil
}
