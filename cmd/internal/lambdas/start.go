// Package lambdas is what the Lambda programs under cmd share: how a function
// starts, how it answers a batch of SQS messages, and how it tells its metrics.
//
// It imports the root, internal/lang, internal/metrics, internal/sqs, the AWS
// SDK's configuration and aws-lambda-go.
package lambdas

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/rs/zerolog"

	"github.com/skycrafters/responder/internal/lang"
)

// Host is what a function finds where it runs.
type Host struct {
	AWS     aws.Config
	Getenv  func(string) string
	Log     zerolog.Logger // JSON lines; CloudWatch takes stderr
	Stdout  io.Writer      // CloudWatch takes it as well: for metrics
	Version string
}

// Setup makes a function's handler, once for all invocations of a process. Its
// error says why the function cannot work here.
type Setup func(context.Context, Host) (lambda.Handler, error)

// Start sets a function up and serves its invocations; it does not return. A
// function that cannot be set up is logged and ends the process, so that Lambda
// reports a failed start and what invoked it tries again.
func Start(name, version string, setup Setup) {
	signal.Ignore(syscall.SIGPIPE) // a stdout that is closed is not to end the process
	log, err := newLog(os.Stderr, name, version, os.Getenv("LOG_LEVEL"))
	if err != nil {
		log.Fatal().Err(err).Msg("the function cannot start")
	}
	ctx := context.Background()
	cfg, err := environment()
	if err != nil {
		log.Fatal().Err(err).Msg("the function cannot start: AWS configuration")
	}
	restored := uncollected(os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
	handler, err := setup(ctx, Host{AWS: cfg, Getenv: os.Getenv, Log: log, Stdout: os.Stdout, Version: version})
	restored()
	if err != nil {
		log.Fatal().Err(err).Msg("the function cannot start")
	}
	lambda.Start(handler)
}

// uncollected lets the garbage collector rest while no more than half of the
// memory of the function is in use (in MB, as Lambda says it), until restored is
// called: what a function sets up it keeps, and on a heap that begins empty the
// collector would run every few megabytes, for a third of the time that rules
// take to load. Where the memory is not known nothing changes.
func uncollected(memory string) (restored func()) {
	size, err := strconv.ParseInt(memory, 10, 32)
	if err != nil || size <= 0 {
		return func() {}
	}
	percent, limit := debug.SetGCPercent(-1), debug.SetMemoryLimit(size<<20/2)
	return func() {
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
	}
}

// newLog gives the logger of a level, "" for info. With an error, the logger
// is good to log it.
func newLog(w io.Writer, name, version, level string) (zerolog.Logger, error) {
	log := zerolog.New(w).With().Timestamp().Str("function", name).Str("version", version).Logger()
	if level == "" {
		return log.Level(zerolog.InfoLevel), nil
	}
	l, err := zerolog.ParseLevel(strings.ToLower(level))
	if err != nil {
		return log, fmt.Errorf("LOG_LEVEL: %w", err)
	}
	return log.Level(l), nil
}

// Beside is the path of a file that was shipped beside the program.
func (h Host) Beside(name string) string {
	return filepath.Join(h.Getenv("LAMBDA_TASK_ROOT"), name)
}

// Tell logs the problems of loaded files, each with its place. The error says
// that some are errors.
func (h Host) Tell(problems lang.Problems) error {
	for _, p := range problems {
		line := h.Log.Error()
		if p.Warning {
			line = h.Log.Warn()
		}
		line.Str("file", p.File).Int("line", p.Line).Int("column", p.Column).Str("hint", p.Hint).Msg(p.Message)
	}
	if n := len(problems.Errors()); n > 0 {
		return fmt.Errorf("rules and flows have %d errors, told above", n)
	}
	return nil
}

// Variables reads environment variables that a function cannot work without.
type Variables struct {
	getenv  func(string) string
	missing []string
}

// Variables reads those of the host.
func (h Host) Variables() *Variables { return &Variables{getenv: h.Getenv} }

// Get gives a variable, "" if it is not set; then Err says so.
func (v *Variables) Get(name string) string {
	value := v.getenv(name)
	if value == "" {
		v.missing = append(v.missing, name)
	}
	return value
}

// Err names all variables that Get did not find.
func (v *Variables) Err() error {
	if len(v.missing) == 0 {
		return nil
	}
	return fmt.Errorf("the environment does not say %s", strings.Join(v.missing, ", "))
}
