package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/cmd/internal/approvals"
	"github.com/skycrafters/responder/ingest"
)

// checkAddress refuses what --listen and --host cannot mean.
func (o runOptions) checkAddress() error {
	_, port, err := net.SplitHostPort(o.listen)
	if err != nil {
		return usagef("--listen: %w: write 127.0.0.1:8787", err)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return usagef("--listen %q: a port is a number up to 65535; 0 picks a free one", o.listen)
	}
	for _, host := range o.hosts {
		if host == "" || strings.ContainsAny(host, "/[] ") || strings.Contains(host, ":") && net.ParseIP(host) == nil {
			return usagef("--host %q: write a name or an address alone, without scheme and port", host)
		}
	}
	return nil
}

// anyAddress reports whether --listen means every address of this machine.
func (o runOptions) anyAddress() bool {
	host, _, err := net.SplitHostPort(o.listen)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsUnspecified()
}

// served are the hosts that requests may be for, beside localhost.
func (o runOptions) served() []string {
	host, _, err := net.SplitHostPort(o.listen)
	if err != nil || host == "" || o.anyAddress() {
		return o.hosts
	}
	return append([]string{host}, o.hosts...)
}

// serve works on what is posted and on the paths, and tells of the paths first.
func (r *running) serve(ctx context.Context, paths []string) (err error) {
	p := r.pipeline
	made, err := ensureKey(ctx, p.db.Secrets(), r.folder, r.getenv("RESPONDER_API_KEY"))
	if err != nil {
		return err
	}
	handler, err := r.doors(ctx)
	if err != nil {
		return err
	}
	server, err := ingest.Listen(r.listen, handler, p.log)
	if err != nil {
		return fmt.Errorf("%w (--listen names another address)", err)
	}
	defer server.Close() // no harm if it served
	reception, err := r.listenControl()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reception.close()) }()
	watcher := r.watch()
	defer watcher.Close()
	return sideBySide(ctx, p.serve, server.Serve, reception.server.Serve, watcher.loop, func(ctx context.Context) error {
		if err := r.begin(ctx, paths); err != nil {
			return err
		}
		if err := r.tellServing(server.URL(), made); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	})
}

// begin takes in the paths, tells what became of them, and from then on what happens.
func (r *running) begin(ctx context.Context, paths []string) error {
	s, err := r.work(ctx, paths, r.pipeline.settled)
	if err != nil {
		return err
	}
	if len(paths) > 0 {
		if err := r.tellWork(s); err != nil {
			return err
		}
	}
	r.tally.goLive(&live{running: r})
	return nil
}

// signingSecret is the name of the secret by which Slack signs what it posts.
const signingSecret = "slack-signing"

// doors is what is served: events, and, where Slack's signing secret is set, the
// clicks of those who decide what runs ask.
func (r *running) doors(ctx context.Context) (http.Handler, error) {
	p := r.pipeline
	events := ingest.Handler(p.ingest, ingest.HandlerOptions{Hosts: r.served(), Log: p.log})
	_, err := p.db.Secrets().Get(ctx, signingSecret)
	switch {
	case errors.Is(err, responder.ErrNotFound):
		return events, nil
	case err != nil:
		return nil, fmt.Errorf("secret %s: %w", signingSecret, err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", events)
	mux.Handle(approvals.SlackPath, &approvals.Desk{
		Decider: p.dispatcher.Control(), Secrets: p.db.Secrets(), Signing: signingSecret, Counters: p.db.Counters(),
		Client: approvals.NewClient(r.wayOut), Now: r.now, Log: p.log,
	})
	return mux, nil
}

// tellServing tells where requests are taken and where their key lies.
func (r *running) tellServing(url string, made bool) error {
	if r.anyAddress() && len(r.hosts) == 0 {
		fmt.Fprintf(r.stderr, "note: %s listens to every network, and yet only requests to localhost are answered: name the hosts that others write with --host NAME\n", r.listen)
	}
	key := filepath.Join(r.folder, keyFile)
	if r.format == "json" {
		return r.printJSON(map[string]string{"serving": url + "/events", "key_file": key, "mode": string(r.mode())})
	}
	where := "The API key is in " + key
	if made {
		where = "A new API key was made; it is in " + key
	}
	acts := "dry: nothing is sent"
	if r.mode() == responder.ModeLive {
		acts = "live: notices are sent, and repairs done where a flow says so"
	}
	_, err := fmt.Fprintf(r.stdout, "Next: edit %s (reloads on save) · responder try 'action == \"iam:CreateUser\"' events/\nServing %s/events (%s). %s. Ctrl-C ends it.\n",
		r.rules, url, acts, where)
	return err
}

// sideBySide runs functions until the first ends, then stops the others.
func sideBySide(ctx context.Context, functions ...func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(functions))
	var wg sync.WaitGroup
	for i, f := range functions {
		wg.Go(func() {
			defer stop()
			errs[i] = f(ctx)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
