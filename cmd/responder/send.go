package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/skycrafters/responder"
)

// A request of send is closed when it holds so much.
const (
	sendEvents = 500
	sendBytes  = 3 << 20 // a proxy integration carries at most 6 MB, escaped
)

// localURL is where `responder run` listens.
const localURL = "http://" + defaultListen + "/events"

// sendAttempts is how often a request is sent that the other side could not take.
const sendAttempts = 6

func (a *app) sendCommand() *cobra.Command {
	s := &sending{app: a, wait: sleep}
	var given sendFlags
	cmd := &cobra.Command{
		Use:   "send PATH…",
		Short: "Post event files to an endpoint of Responder",
		Long: "Posts the events of files and folders to an ingest endpoint: of `responder run` (--url, --data), or of a\ndeployed stack (--stack), found by --profile and --region as the AWS CLI finds them. The key is that of\n--key, of the stack, of the variable RESPONDER_API_KEY, or of the data folder: the first there is.\n\n" +
			"  responder send events/ --url http://127.0.0.1:8787/events\n  responder send events/ --stack responder",
		Args: args(1, -1, "at least one path"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.setUp(cmd, given); err != nil {
				return err
			}
			return s.all(cmd.Context(), args)
		},
	}
	cmd.Flags().StringVar(&given.url, "url", "", "the endpoint's `address` (default: the stack's, or "+localURL+")")
	cmd.Flags().StringVar(&given.key, "key", "", "the API key (a command line can be seen by others: RESPONDER_API_KEY cannot)")
	cmd.Flags().StringVar(&given.keyID, "key-id", "", "which API key of the stack or data folder, if there are several")
	given.home.add(cmd.Flags())
	return cmd
}

// sendFlags say where the endpoint and its key are to be had.
type sendFlags struct {
	url, key, keyID string
	home            home
}

// sending posts events in batches.
type sending struct {
	*app
	url, key string
	client   *http.Client
	wait     func(ctx context.Context, d time.Duration) error

	accepted int
}

func (s *sending) setUp(cmd *cobra.Command, given sendFlags) error {
	if err := given.home.check(cmd); err != nil {
		return err
	}
	if given.keyID != "" && given.key != "" {
		return usagef("--key and --key-id are two keys: give one of them")
	}
	s.url, s.key = given.url, given.key
	switch {
	case given.home.stack != "":
		if err := s.ofStack(cmd.Context(), given); err != nil {
			return err
		}
	case !cmd.Flags().Changed("url"):
		s.url = localURL
	}
	u, err := url.Parse(s.url)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return usagef("--url %q is no http address", s.url)
	}
	if s.key == "" {
		s.key = s.getenv("RESPONDER_API_KEY")
	}
	if s.key == "" {
		folder, err := s.dataFolder(given.home.data)
		if err != nil {
			return err
		}
		path := filepath.Join(folder, keyFile)
		text, err := os.ReadFile(path)
		if err != nil {
			return usagef("no key: give --key, RESPONDER_API_KEY, --data or --stack (%s: %w)", path, errors.Unwrap(err))
		}
		key, err := chooseKey(responder.NewSecretText(string(text)), given.keyID)
		if err != nil {
			return fmt.Errorf("the API key in %s: %w", path, err)
		}
		s.key = key.Text.Reveal()
	}
	s.client = &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("the endpoint redirects: give its final address") // the key stays with the host it was meant for
	}}
	return nil
}

// ofStack takes address and key from a deployed stack, where they were not given.
func (s *sending) ofStack(ctx context.Context, given sendFlags) error {
	found, err := s.openStack(ctx, given.home.aws, given.home.stack)
	if err != nil {
		return err
	}
	s.url = cmp.Or(s.url, found.APIURL)
	if s.key != "" {
		return nil
	}
	cfg, err := s.operator(ctx, found)
	if err != nil {
		return err
	}
	key, err := s.stackKey(ctx, found, cfg, given.keyID)
	if err != nil {
		return err
	}
	s.key = key.Text.Reveal()
	return nil
}

func (s *sending) all(ctx context.Context, paths []string) error {
	var batch bytes.Buffer
	n, refused := 0, 0
	progress := s.progress("events sent")
	defer progress.clear()
	flush := func() error {
		if n == 0 {
			return nil
		}
		err := s.post(ctx, batch.Bytes(), n)
		progress.add(n)
		batch.Reset()
		n = 0
		return err
	}
	for record := range s.events(ctx, paths, &refused) {
		if n == sendEvents || batch.Len()+len(record.Raw) > sendBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		if err := json.Compact(&batch, record.Raw); err != nil { // one a line
			return fmt.Errorf("%s: %w", place(record), err)
		}
		batch.WriteByte('\n')
		n++
	}
	if err := interrupted(ctx, s.accepted, "accepted event"); err != nil {
		return err
	}
	if err := flush(); err != nil {
		return err
	}
	progress.clear()
	if s.format == "json" {
		if err := s.printJSON(map[string]int{"accepted": s.accepted, "damaged": refused}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(s.stdout, "%s accepted by %s\n", count(s.accepted, "event"), s.url)
	}
	if refused > 0 {
		return &inputError{fmt.Errorf("%s could not be read; the rest was sent", damaged(refused))}
	}
	return nil
}

// post sends one batch until it is taken. Sending an event twice does no harm.
func (s *sending) post(ctx context.Context, body []byte, n int) error {
	backoff := time.Second
	for attempt := 1; ; attempt++ {
		retryAfter, err := s.once(ctx, body)
		if err == nil {
			s.accepted += n
			return nil
		}
		var busy *busyError
		if !errors.As(err, &busy) || attempt == sendAttempts {
			return fmt.Errorf("%w (%s accepted before)", err, count(s.accepted, "event"))
		}
		if err := s.wait(ctx, max(backoff, retryAfter)); err != nil {
			return err
		}
		backoff *= 2
	}
}

// busyError is an answer after which the same request may be taken later.
type busyError struct{ error }

func (s *sending) once(ctx context.Context, body []byte) (retryAfter time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("send: %w", err)
	}
	request.Header.Set("APIKey", s.key)
	request.Header.Set("Content-Type", "application/x-ndjson")
	response, err := s.client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return 0, &busyError{fmt.Errorf("send: %w", err)}
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return 0, &busyError{fmt.Errorf("send: reading the answer: %w", err)}
	}
	if response.StatusCode/100 == 2 {
		return 0, nil
	}
	var problem struct{ Title, Detail string }
	if json.Unmarshal(answer, &problem) != nil || problem.Title == "" {
		problem.Title, problem.Detail = http.StatusText(response.StatusCode), line(string(answer), 200)
	}
	err = fmt.Errorf("%s answers %d %s: %s", s.url, response.StatusCode, problem.Title, problem.Detail)
	if response.StatusCode == http.StatusTooManyRequests || response.StatusCode >= 500 {
		if seconds, parseErr := strconv.Atoi(response.Header.Get("Retry-After")); parseErr == nil {
			retryAfter = min(time.Duration(seconds)*time.Second, time.Minute)
		}
		return retryAfter, &busyError{err}
	}
	return 0, err
}

// sleep waits, or not longer than ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
