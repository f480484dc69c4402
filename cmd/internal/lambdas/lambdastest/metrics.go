package lambdastest

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/skycrafters/responder/internal/metrics"
)

// Stack is the name of the stack in the tests of the Lambda programs.
const Stack = "responder"

// Metrics reads what a function told on stdout: by metric, followed by
// "/VALUE" where it is told by a dimension beside Stack, its values. What is not
// of the embedded metric format, or not one of Responder's metrics, fails the
// test.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
func Metrics(t *testing.T, stdout string) map[string][]float64 {
	t.Helper()
	told := map[string][]float64{}
	for line := range strings.Lines(stdout) {
		var meta struct {
			AWS struct {
				Timestamp         int64
				CloudWatchMetrics []struct {
					Namespace  string
					Dimensions [][]string
					Metrics    []struct {
						Name metrics.Metric
						Unit string
					}
				}
			} `json:"_aws"`
		}
		var members map[string]any
		for _, into := range []any{&meta, &members} {
			if err := json.Unmarshal([]byte(line), into); err != nil {
				t.Fatalf("%v in %s", err, line)
			}
		}
		if len(line) > 256<<10 || meta.AWS.Timestamp == 0 || len(meta.AWS.CloudWatchMetrics) != 1 || members[metrics.Stack] != Stack {
			t.Errorf("not in the format, or not of the stack: %s", line)
			continue
		}
		declared := 2 // _aws and Stack
		directive := meta.AWS.CloudWatchMetrics[0]
		for _, m := range directive.Metrics {
			declared++
			key := string(m.Name)
			want := [][]string{{metrics.Stack}}
			if by, given := members[m.Name.By()].(string); given {
				key, want = key+"/"+by, m.Name.Dimensions()
			}
			if !slices.Contains(metrics.All(), m.Name) || m.Unit != m.Name.Unit() || directive.Namespace != metrics.Namespace || !reflect.DeepEqual(directive.Dimensions, want) {
				t.Errorf("%s is not told as it is declared: %s", m.Name, line)
			}
			told[key] = append(told[key], values(t, members[string(m.Name)])...)
		}
		if len(directive.Dimensions[len(directive.Dimensions)-1]) == 2 {
			declared++
		}
		if len(members) != declared {
			t.Errorf("a line says more than its metrics: %s", line)
		}
	}
	return told
}

// values are a number, or a list of up to a hundred.
func values(t *testing.T, member any) []float64 {
	t.Helper()
	switch member := member.(type) {
	case float64:
		return []float64{member}
	case []any:
		var all []float64
		for _, element := range member {
			number, ok := element.(float64)
			if !ok {
				t.Errorf("%v is no number", element)
			}
			all = append(all, number)
		}
		if n := len(all); n == 0 || n > 100 {
			t.Errorf("%d values in a line", n)
		}
		return all
	}
	t.Errorf("%v is no metric's value", member)
	return nil
}

// Want fails the test where what was told differs. A metric that is wanted as
// nil may have any values.
func Want(t *testing.T, stdout string, want map[string][]float64) {
	t.Helper()
	told := Metrics(t, stdout)
	for key, values := range told {
		if wanted, ok := want[key]; !ok || wanted != nil && !slices.Equal(values, wanted) {
			t.Errorf("told of %s: %v, want %v", key, values, wanted)
		}
	}
	for key := range want {
		if _, ok := told[key]; !ok {
			t.Errorf("not told of %s", key)
		}
	}
}
