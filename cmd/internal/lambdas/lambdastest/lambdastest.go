// Package lambdastest is what the tests of the Lambda programs share. Tests
// alone import it; it reads the repository from a package two folders below it.
package lambdastest

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/rs/zerolog"
	"gopkg.in/yaml.v3"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/cmd/internal/lambdas"
)

const repository = "../.."

// Host is a host that logs to a writer, with nothing in its environment but
// env. Beside the program lie rules, flows and templates as they are shipped,
// without what tunes them here.
func Host(t *testing.T, log io.Writer, env map[string]string) lambdas.Host {
	t.Helper()
	folder := t.TempDir()
	for _, name := range []string{"rules.yml", "flows.yml"} {
		data, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"rules", "templates"} {
		if err := os.CopyFS(filepath.Join(folder, name), os.DirFS(filepath.Join(repository, name))); err != nil {
			t.Fatal(err)
		}
	}
	return HostAt(folder, log, env)
}

// HostAt is a host whose program lies in a folder.
func HostAt(folder string, log io.Writer, env map[string]string) lambdas.Host {
	return lambdas.Host{Log: zerolog.New(zerolog.SyncWriter(log)), Stdout: io.Discard, Getenv: func(name string) string {
		if name == "LAMBDA_TASK_ROOT" {
			return folder
		}
		return env[name]
	}}
}

// Sample is what a function is invoked with, of events/_lambda.
func Sample(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(repository, "events", "_lambda", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Batch is deliveries as Lambda gives them to a function.
func Batch(t *testing.T, deliveries ...responder.Delivery) []byte {
	t.Helper()
	var event events.SQSEvent
	for _, d := range deliveries {
		event.Records = append(event.Records, events.SQSMessage{
			MessageId: d.ID, ReceiptHandle: d.Receipt, Body: string(d.Body), EventSource: "aws:sqs",
			Attributes: map[string]string{"ApproximateReceiveCount": strconv.Itoa(d.Receives)},
		})
	}
	raw, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Environment is what template.yaml puts into a function's environment, that of
// all functions included, each variable with its own name as value.
func Environment(t *testing.T, function string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repository, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	type properties struct {
		Environment struct {
			Variables map[string]any `yaml:"Variables"`
		} `yaml:"Environment"`
	}
	var template struct {
		Globals struct {
			Function properties `yaml:"Function"`
		} `yaml:"Globals"`
		Resources map[string]struct {
			Properties properties `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(data, &template); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for _, of := range []properties{template.Globals.Function, template.Resources[function].Properties} {
		for name := range of.Environment.Variables {
			env[name] = name
		}
	}
	return env
}
