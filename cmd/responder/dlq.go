package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/skycrafters/responder"
)

// lookAtMost is how many dead letters of a queue are looked at in one go: SQS
// has no look without a receive.
const lookAtMost = 1000

func (a *app) dlqCommand() *cobra.Command {
	var h home
	cmd := &cobra.Command{Use: "dlq", Short: "See to dead letters: messages that could not become a finding or a run",
		Long: "Lists dead letters with their cause and stage, puts them back on their queues (redrive), or forgets them\n(purge). They are those of the data folder that `responder run` uses (--data), or of a deployed stack\n(--stack), found by --profile and --region as the AWS CLI finds them.\n\n" +
			"A letter that is put back begins anew: where the cause has not gone, it dies again. Sending an event\ntwice does no harm. On a stack, looking hides the letters from others for as long as it takes.\n\n" +
			"  responder dlq redrive --stack responder --dry-run",
		Args: args(0, 0, "a subcommand: list, redrive or purge"), RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	h.add(cmd.PersistentFlags())
	cmd.AddCommand(
		&cobra.Command{Use: "list", Short: "List dead letters with their cause and stage", Args: args(0, 0, "no arguments"),
			RunE: func(cmd *cobra.Command, _ []string) error {
				return a.withStore(cmd, &h, toLook, func(s *store) error { return a.listDead(cmd.Context(), s) })
			}},
		a.takeDeadCommand(&h, taking{
			use: "redrive", short: "Put dead letters back on their queues, all if none is named", done: "put back", would: "would be put back",
			do: responder.Dead.Redrive,
		}),
		a.takeDeadCommand(&h, taking{
			use: "purge", short: "Forget dead letters, all if none is named", done: "forgotten", would: "would be forgotten",
			do: responder.Dead.Purge,
		}),
	)
	return cmd
}

func (a *app) listDead(ctx context.Context, s *store) error {
	n := 0
	for _, dead := range s.dead {
		letters, err := dead.List(ctx, lookAtMost)
		if err != nil {
			return s.told(err)
		}
		for _, l := range letters {
			if err := a.tellLetter(l); err != nil {
				return err
			}
		}
		n += len(letters)
		a.tellLimit(dead.queue, len(letters))
	}
	if a.format == "text" {
		if _, err := fmt.Fprintln(a.stdout, count(n, "dead letter")); err != nil {
			return err
		}
	}
	return nil
}

// tellLimit says that there may be more dead letters than were looked at.
func (a *app) tellLimit(queue string, seen int) {
	if seen >= lookAtMost {
		fmt.Fprintf(a.stderr, "responder: at most %d dead letters of the queue %s are looked at, and there may be more\n", lookAtMost, queue)
	}
}

func (a *app) tellLetter(l responder.DeadLetter) error {
	if a.format == "json" {
		return a.printJSON(map[string]any{
			"id": l.ID, "queue": l.Queue, "stage": stages[l.Queue], "cause": l.Cause, "receives": l.Receives, "died": l.Died, "body": string(l.Body),
		})
	}
	_, err := fmt.Fprintf(a.stdout, "%s  %-8s  %s  received %d×  %s\n", l.ID, stageOf(l.Queue), l.Died.UTC().Format(time.RFC3339), l.Receives, line(l.Cause, 120))
	return err
}

// stageOf names what a queue feeds, for people; the queue itself if nothing is known.
func stageOf(queue string) string { return cmp.Or(stages[queue], queue) }

// taking is what is done with dead letters that are taken out.
type taking struct {
	use, short, done, would string
	do                      func(dead responder.Dead, ctx context.Context, ids ...string) (int, error)
}

func (a *app) takeDeadCommand(h *home, t taking) *cobra.Command {
	var dry bool
	cmd := &cobra.Command{Use: t.use + " [ID…]", Short: t.short, Args: args(0, -1, "ids"),
		RunE: func(cmd *cobra.Command, ids []string) error {
			if slices.Contains(ids, "") {
				return usagef("an id is empty: a name that means nothing must not mean all")
			}
			to := toChange
			if dry {
				to = toLook
			}
			return a.withStore(cmd, h, to, func(s *store) error { return a.takeDead(cmd.Context(), s, t, ids, dry) })
		}}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "tell which, and change nothing")
	return cmd
}

// taken is what became of one queue's letters, as `--format json` gives it.
type taken struct {
	Queue  string       `json:"queue"`
	Stage  string       `json:"stage"`
	Count  int          `json:"count"`
	Causes []causeCount `json:"causes"`
}

type causeCount struct {
	Cause string `json:"cause"`
	Count int    `json:"count"`
}

// takeDead takes out the letters of the given ids, or all, and tells by queue
// and cause how many there were.
func (a *app) takeDead(ctx context.Context, s *store, t taking, ids []string, dry bool) error {
	missing := map[string]bool{}
	for _, id := range ids {
		missing[id] = true
	}
	began := a.now()
	total := 0
	queues := []taken{} // an empty list in JSON, too
	for _, dead := range s.dead {
		of := taken{Queue: dead.queue, Stage: stageOf(dead.queue)}
		causes := map[string]int{}
		seen, err := eachLetter(ctx, dead, began, ids, func(letters []responder.DeadLetter) (int, error) {
			chosen := make([]string, len(letters))
			for i, l := range letters {
				chosen[i] = l.ID
				causes[l.Cause]++
				delete(missing, l.ID)
			}
			if dry {
				of.Count += len(chosen)
				return 0, nil
			}
			n, err := t.do(dead, ctx, chosen...)
			of.Count += n
			return n, err
		})
		of.Causes = counted(causes)
		total += of.Count
		if len(causes) > 0 {
			queues = append(queues, of)
		}
		if err != nil {
			return fmt.Errorf("%w (%s %s before)", s.told(err), count(total, "dead letter"), t.done)
		}
		a.tellLimit(dead.queue, seen)
	}
	if err := a.tellTaken(queues, total, t, dry); err != nil {
		return err
	}
	if len(missing) > 0 {
		return &inputError{fmt.Errorf("no dead letter was found by the id %s (responder dlq list shows them)", slices.Sorted(maps.Keys(missing))[0])}
	}
	return nil
}

// eachLetter shows do the letters of the given ids, or all that died before
// began, until there are no more or do has taken none of them. seen is how many
// letters the last look met.
func eachLetter(ctx context.Context, dead responder.Dead, began time.Time, ids []string, do func([]responder.DeadLetter) (int, error)) (seen int, err error) {
	for {
		letters, err := dead.List(ctx, lookAtMost)
		if err != nil {
			return 0, err
		}
		seen := len(letters)
		letters = slices.DeleteFunc(letters, func(l responder.DeadLetter) bool {
			return len(ids) > 0 && !slices.Contains(ids, l.ID) || len(ids) == 0 && l.Died.After(began)
		})
		if len(letters) == 0 {
			return seen, nil
		}
		took, err := do(letters)
		if err != nil || took == 0 || seen < lookAtMost {
			return seen, err
		}
	}
}

// counted gives causes, the commonest first.
func counted(causes map[string]int) []causeCount {
	list := []causeCount{}
	for cause, n := range causes {
		list = append(list, causeCount{cause, n})
	}
	slices.SortFunc(list, func(a, b causeCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Cause, b.Cause))
	})
	return list
}

func (a *app) tellTaken(queues []taken, total int, t taking, dry bool) error {
	if a.format == "json" {
		return a.printJSON(map[string]any{"count": total, "dry_run": dry, "queues": queues})
	}
	done := t.done
	if dry {
		done = t.would
	}
	for _, q := range queues {
		fmt.Fprintf(a.stdout, "%s: %d %s\n", q.Stage, q.Count, done)
		for _, c := range q.Causes {
			fmt.Fprintf(a.stdout, "  %4d × %s\n", c.Count, line(c.Cause, 120))
		}
	}
	_, err := fmt.Fprintf(a.stdout, "%s %s\n", count(total, "dead letter"), done)
	return err
}
