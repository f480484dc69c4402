package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/cmd/internal/wiring"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/lang"
)

// maxWhy bounds the reason for a halt, in bytes: it stands in every run it parks.
const maxWhy = 200

func (a *app) haltCommand() *cobra.Command {
	var (
		h         home
		flow, why string
		show      bool
	)
	cmd := &cobra.Command{
		Use: "halt", Short: "Stop all repairs, or those of one flow, at once", Args: args(0, 0, "no arguments"),
		Long: "Stops repairs at once, wherever workers are: of every flow, or of the one that --flow names. It is read before each\nattempt of a repair; one that is under way comes to its end. Runs go on telling people, and park before their repair.\n`responder resume` ends it.\n\n" +
			"  responder halt --why \"incident 42\" --stack responder\n  responder halt --flow denied-instance --why \"too eager\"\n  responder halt --show",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if show {
				return a.withStore(cmd, &h, toLook, func(s *store) error { return a.showHalts(cmd.Context(), s) })
			}
			if err := checkFlow(cmd, flow); err != nil {
				return err
			}
			switch why = strings.TrimSpace(why); {
			case why == "":
				return usagef("--why is needed: it is what everybody will read who wonders")
			case len(why) > maxWhy:
				return usagef("--why is %d bytes long, at most %d are taken", len(why), maxWhy)
			}
			a.noteUnknown(flow)
			return a.withHalts(cmd, &h, func(s *store, halts responder.Halts, _ control, by string) error {
				return a.halt(cmd.Context(), s, halts, responder.Halt{Flow: flow, By: by, Why: clean(why), At: a.now().UTC()})
			})
		},
	}
	h.add(cmd.Flags())
	cmd.Flags().StringVar(&flow, "flow", "", "only this flow")
	cmd.Flags().StringVar(&why, "why", "", "the reason; it stands in the runs that are parked")
	cmd.Flags().BoolVar(&show, "show", false, "only say what is halted")
	return cmd
}

func (a *app) resumeCommand() *cobra.Command {
	var (
		h     home
		flow  string
		retry bool
	)
	cmd := &cobra.Command{
		Use: "resume", Short: "Let repairs act again after a halt", Args: args(0, 0, "no arguments"),
		Long: "Ends the halt of every flow, or that of the flow that --flow names; the two are apart. Says how many runs the halt has\nparked; they go on with `responder runs retry`, or all with --retry. What they repair may be old by then.\n\n" +
			"  responder resume --stack responder\n  responder resume --flow denied-instance --retry",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFlow(cmd, flow); err != nil {
				return err
			}
			return a.withHalts(cmd, &h, func(s *store, halts responder.Halts, c control, by string) error {
				return a.resume(cmd.Context(), s, halts, c, flow, by, retry)
			})
		},
	}
	h.add(cmd.Flags())
	cmd.Flags().StringVar(&flow, "flow", "", "only the halt of this flow")
	cmd.Flags().BoolVar(&retry, "retry", false, "carry on the runs that the halt has parked")
	return cmd
}

// checkFlow refuses an empty --flow, a variable that was not set perhaps: it
// must not mean every flow.
func checkFlow(cmd *cobra.Command, flow string) error {
	if cmd.Flags().Changed("flow") && flow == "" {
		return usagef("--flow is empty: give the name of a flow, or leave it out for every flow")
	}
	return nil
}

// noteUnknown says if the flows here have none of a name: it is perhaps misspelt,
// or of another place, and halted all the same.
func (a *app) noteUnknown(flow string) {
	definitions, _ := wiring.Load(a.rules, a.flows, a.catalogue(nil))
	if flow == "" || definitions == nil {
		return
	}
	if _, known := definitions.Flows.Get(flow); known {
		return
	}
	var names []string
	for _, f := range definitions.Flows.All() {
		names = append(names, f.Name)
	}
	fmt.Fprintf(a.stderr, "note: %s has no flow %q. %s\n", a.flows, line(flow, 60), lang.Suggest(flow, names))
}

// withHalts does something with the halts at the place that a command's flags
// name: those of the process that uses the data folder, if one does.
func (a *app) withHalts(cmd *cobra.Command, h *home, do func(s *store, halts responder.Halts, c control, by string) error) error {
	return a.withControl(cmd, h, func(s *store, c control, by string) error {
		if r, ok := c.(*remote); ok {
			return do(s, remoteHalts{s.halts, r}, c, by)
		}
		return do(s, s.halts, c, by)
	})
}

// what names what a halt is of.
func what(flow string) string {
	if flow == "" {
		return "every flow"
	}
	return "the flow " + line(flow, 60)
}

func (a *app) halt(ctx context.Context, s *store, halts responder.Halts, halt responder.Halt) error {
	err := halts.Halt(ctx, halt)
	again := errors.Is(err, responder.ErrExists)
	switch {
	case err != nil && !again:
		return s.told(err)
	case again:
		if err := a.showHalts(ctx, s); err != nil || a.format == "json" {
			return err
		}
		_, err := fmt.Fprintf(a.stdout, "%s is halted already\n", what(halt.Flow))
		return err
	case a.format == "json":
		return a.printJSON(halt)
	}
	_, err = fmt.Fprintf(a.stdout, "%s is halted: nothing is repaired until `responder resume`\n", what(halt.Flow))
	return err
}

// showHalts tells what is halted.
func (a *app) showHalts(ctx context.Context, s *store) error {
	all, err := s.halts.Halts(ctx)
	if err != nil {
		return s.told(err)
	}
	for _, h := range all {
		if a.format == "json" {
			err = a.printJSON(h)
		} else {
			_, err = fmt.Fprintln(a.stdout, a.haltLine(h))
		}
		if err != nil {
			return err
		}
	}
	if len(all) == 0 && a.format == "text" {
		_, err = fmt.Fprintln(a.stdout, "nothing is halted")
	}
	return err
}

// tellHalts tells what is halted, if anything is.
func (a *app) tellHalts(ctx context.Context, s *store) error {
	all, err := s.halts.Halts(ctx)
	if err != nil {
		return s.told(err)
	}
	for _, h := range all {
		if _, err := fmt.Fprintln(a.stdout, a.haltLine(h)); err != nil {
			return err
		}
	}
	return nil
}

// haltLine tells of a halt.
func (a *app) haltLine(h responder.Halt) string {
	return a.paint().red("halted") + fmt.Sprintf("  %s, by %s since %s: %s", what(h.Flow), line(h.By, 100), h.At.UTC().Format(time.DateTime), line(h.Why, 200))
}

// resumed is what `--format json` says of a resume.
type resumed struct {
	Halt    responder.Halt `json:"halt"`
	Parked  []string       `json:"parked"`  // ids of the runs that it has parked
	Retried int            `json:"retried"` // how many of them go on
}

func (a *app) resume(ctx context.Context, s *store, halts responder.Halts, c control, flow, by string, retry bool) error {
	halt, err := halts.Resume(ctx, flow)
	switch {
	case errors.Is(err, responder.ErrNotFound):
		return &inputError{fmt.Errorf("%s is not halted (responder halt --show tells what is)", what(flow))}
	case err != nil:
		return s.told(err)
	}
	result := resumed{Halt: halt, Parked: []string{}}
	for q := (responder.RunQuery{State: responder.RunParked, Flow: flow, Max: 1000}); ; {
		page, err := s.runs.List(ctx, q)
		if err != nil {
			return s.told(err)
		}
		for _, r := range page.Runs {
			if dispatch.Halted(r, halt) {
				result.Parked = append(result.Parked, r.ID)
			}
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if retry {
		for _, id := range result.Parked {
			var refused *dispatch.Refused
			switch _, err := c.Retry(ctx, id, by); {
			case errors.As(err, &refused), errors.Is(err, responder.ErrNotFound):
				fmt.Fprintf(a.stderr, "responder: note: run %s: %s\n", id, clean(err.Error()))
			case err != nil:
				return s.told(err)
			default:
				result.Retried++
			}
		}
	}
	if a.format == "json" {
		return a.printJSON(result)
	}
	text := what(flow) + " repairs again"
	switch n := len(result.Parked); {
	case retry:
		text += fmt.Sprintf("; %s that it had parked go on", count(result.Retried, "run"))
	case n > 0:
		text += fmt.Sprintf("; %s parked by the halt: `responder runs retry ID` carries one on", count(n, "run"))
	}
	_, err = fmt.Fprintln(a.stdout, text)
	return err
}

// haltPath is where the process that serves takes halts and resumes.
const haltPath = "/halts"

// haltRequest is a halt, or with Resume the end of one.
type haltRequest struct {
	Resume bool           `json:"resume,omitempty"`
	Halt   responder.Halt `json:"halt"`
}

// haltReply is the answer to it.
type haltReply struct {
	Halt     responder.Halt `json:"halt"`
	Exists   bool           `json:"exists,omitempty"`
	NotFound bool           `json:"not_found,omitempty"`
	Error    string         `json:"error,omitempty"`
}

func (re *reception) serveHalt(w http.ResponseWriter, r *http.Request) {
	var request haltRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&request); err != nil {
		http.Error(w, "this is no request", http.StatusBadRequest)
		return
	}
	request.Halt.By = re.by
	answer := haltReply{Halt: request.Halt}
	var err error
	if request.Resume {
		answer.Halt, err = re.halts.Resume(r.Context(), request.Halt.Flow)
	} else {
		err = re.halts.Halt(r.Context(), request.Halt)
	}
	if err != nil {
		answer.Exists, answer.NotFound, answer.Error = errors.Is(err, responder.ErrExists), errors.Is(err, responder.ErrNotFound), err.Error()
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // fails only if the asker has gone; the halt can be seen
}

// remoteHalts changes halts by requests to the process that serves, and reads
// them where they are.
type remoteHalts struct {
	kept responder.Halts
	to   *remote
}

var _ responder.Halts = remoteHalts{}

// Halts implements responder.Halts.
func (h remoteHalts) Halts(ctx context.Context) ([]responder.Halt, error) { return h.kept.Halts(ctx) }

// Halt implements responder.Halts.
func (h remoteHalts) Halt(ctx context.Context, halt responder.Halt) error {
	_, err := h.ask(ctx, haltRequest{Halt: halt})
	return err
}

// Resume implements responder.Halts.
func (h remoteHalts) Resume(ctx context.Context, flow string) (responder.Halt, error) {
	return h.ask(ctx, haltRequest{Resume: true, Halt: responder.Halt{Flow: flow}})
}

func (h remoteHalts) ask(ctx context.Context, request haltRequest) (responder.Halt, error) {
	var answer haltReply
	if err := h.to.send(ctx, haltPath, request, &answer); err != nil {
		return answer.Halt, fmt.Errorf("ask the Responder that is running: %w", err)
	}
	switch {
	case answer.Exists:
		return answer.Halt, responder.ErrExists
	case answer.NotFound:
		return answer.Halt, responder.ErrNotFound
	case answer.Error != "":
		return answer.Halt, errors.New(answer.Error)
	}
	return answer.Halt, nil
}
