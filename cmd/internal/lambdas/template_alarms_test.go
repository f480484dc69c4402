package lambdas

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/skycrafters/responder/internal/metrics"
)

// known are AWS's own metrics that alarms and the dashboard use, by namespace.
var known = map[string][]string{
	"AWS/SQS":        {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"},
	"AWS/Lambda":     {"Errors", "Throttles", "Duration", "ConcurrentExecutions"},
	"AWS/ApiGateway": {"5XXError"},
}

// checkMetric refuses a metric that nobody tells, or tells under other dimensions.
func checkMetric(t *testing.T, where, namespace, name string, dimensions []string) {
	t.Helper()
	if names, ok := known[namespace]; ok {
		if !slices.Contains(names, name) {
			t.Errorf("%s: %s has no metric %s", where, namespace, name)
		}
		return
	}
	if namespace != metrics.Namespace || !slices.Contains(metrics.All(), metrics.Metric(name)) {
		t.Errorf("%s: nobody tells the metric %s %s", where, namespace, name)
		return
	}
	if sets := metrics.Metric(name).Dimensions(); !slices.ContainsFunc(sets, func(set []string) bool { return slices.Equal(set, dimensions) }) {
		t.Errorf("%s: the metric %s is told by %v, not by %v", where, name, sets, dimensions)
	}
}

func alarms(t *testing.T) map[string]node {
	t.Helper()
	return withEverything(t).ofType(t, "AWS::CloudWatch::Alarm")
}

func TestAlarms(t *testing.T) {
	var names []string
	for id, alarm := range alarms(t) {
		name := fmt.Sprint(alarm["AlarmName"])
		names = append(names, strings.TrimPrefix(name, "responder-"))
		var dimensions []string
		for _, d := range alarm.objects("Dimensions") {
			dimensions = append(dimensions, fmt.Sprint(d["Name"]))
		}
		checkMetric(t, id, fmt.Sprint(alarm["Namespace"]), fmt.Sprint(alarm["MetricName"]), dimensions)

		description := fmt.Sprint(alarm["AlarmDescription"])
		if len(description) > 1024 || !regexp.MustCompile(` - (responder|aws) [a-z].*--region eu-west-1`).MatchString(description) {
			t.Errorf("%s does not say what to type: %s", name, description)
		}
		if strings.Contains(description, "responder ") && !strings.Contains(description, "--stack responder") {
			t.Errorf("%s does not name the stack: %s", name, description)
		}
		if !slices.Equal(texts(alarm["AlarmActions"]), []string{"AlarmTopic"}) {
			t.Errorf("%s tells %v", name, alarm["AlarmActions"])
		}
		want := "notBreaching"
		if name == "responder-silence" || name == "responder-sweep" {
			want = "breaching" // silence is what they are about
		}
		if alarm["TreatMissingData"] != want {
			t.Errorf("%s: missing data are %v", name, alarm["TreatMissingData"])
		}
	}
	slices.Sort(names)
	want := []string{
		"api-5xx", "approve-errors", "approve-throttles", "breaker", "dark-forwarders", "detect-errors", "detect-throttles", "dispatch-errors", "dispatch-throttles",
		"events-dead-letters", "events-dead-oldest", "events-oldest", "failed-runs", "findings-dead-letters", "findings-dead-oldest", "findings-oldest",
		"ingest-errors", "ingest-throttles", "repairs-stopped", "rule-errors", "silence", "sweep",
	}
	if !slices.Equal(names, want) {
		t.Errorf("the alarms are %v, want %v", names, want)
	}
}

// TestAlarmsWithoutAddresses: they are there to be seen.
func TestAlarmsWithoutAddresses(t *testing.T) {
	stack := evaluate(t, template, nil)
	quiet := stack.ofType(t, "AWS::CloudWatch::Alarm")
	if len(quiet) != len(alarms(t)) {
		t.Errorf("there are %d alarms without addresses and %d with", len(quiet), len(alarms(t)))
	}
	for id, alarm := range quiet {
		if alarm["AlarmActions"] != nil {
			t.Errorf("%s tells %v", id, alarm["AlarmActions"])
		}
	}
	if _, there := stack.at(t, "Resources")["AlarmTopic"]; there {
		t.Error("there is a topic that nobody reads")
	}
}

// TestAlarmsTime: each looks back as long as its description says.
func TestAlarmsTime(t *testing.T) {
	for name, want := range map[string]int{"SilenceAlarm": 3600, "SweepAlarm": 600, "IngestThrottlesAlarm": 900} {
		alarm := alarms(t)[name]
		if got := alarm.number(t, "Period") * alarm.number(t, "EvaluationPeriods"); got != want {
			t.Errorf("%s looks back %d s, want %d", name, got, want)
		}
	}
	stack := withEverything(t)
	for queue, alarm := range map[string]string{"Events": "EventsDeadOldestAlarm", "Findings": "FindingsDeadOldestAlarm"} {
		// SQS keeps a letter from when its message was sent, and counts its age from when it died.
		left := stack.properties(t, queue+"Dead").number(t, "MessageRetentionPeriod") - stack.properties(t, queue+"Queue").number(t, "MessageRetentionPeriod")
		if got := alarms(t)[alarm].number(t, "Threshold"); got > left-24*3600 {
			t.Errorf("%s alarms after %d s, and letters may be gone after %d", alarm, got, left)
		}
	}
}

// TestAlarmsOfAbsence: they count what is told only of what went well.
func TestAlarmsOfAbsence(t *testing.T) {
	for id, metric := range map[string]metrics.Metric{"SilenceAlarm": metrics.Events, "SweepAlarm": metrics.Due} {
		alarm := alarms(t)[id]
		if alarm["MetricName"] != string(metric) || alarm["Statistic"] != "SampleCount" || alarm["ComparisonOperator"] != "LessThanThreshold" || alarm["Threshold"] != 1 {
			t.Errorf("%s looks for %v of %v %v %v", id, alarm["Statistic"], alarm["MetricName"], alarm["ComparisonOperator"], alarm["Threshold"])
		}
	}
}

var searched = regexp.MustCompile(`\{Responder,([A-Za-z,]+)\} MetricName="(\w+)" Stack="(\w+)"`)

func TestDashboard(t *testing.T) {
	stack := withEverything(t)
	var body struct {
		Widgets []struct {
			Type                string
			X, Y, Width, Height int
			Properties          struct {
				Title, Region string
				Alarms        []string
				Metrics       [][]any
			}
		}
	}
	if err := json.Unmarshal([]byte(fmt.Sprint(stack.properties(t, "Dashboard")["DashboardBody"])), &body); err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	taken := map[[2]int]string{}
	for _, w := range body.Widgets {
		title := w.Properties.Title
		for x := w.X; x < w.X+w.Width; x++ {
			for y := w.Y; y < w.Y+w.Height; y++ {
				if other, ok := taken[[2]int{x, y}]; ok || x >= 24 {
					t.Fatalf("%q lies at %d, %d, where %q is", title, x, y, other)
				}
				taken[[2]int{x, y}] = title
			}
		}
		if w.Type == "alarm" {
			var all []string
			for id := range alarms(t) {
				all = append(all, id+".Arn")
			}
			if got := slices.Sorted(slices.Values(w.Properties.Alarms)); !slices.Equal(got, slices.Sorted(slices.Values(all))) {
				t.Errorf("the dashboard shows the alarms %v of %v", got, all)
			}
			continue
		}
		if w.Properties.Region != "eu-west-1" {
			t.Errorf("%q is of the region %q", title, w.Properties.Region)
		}
		for _, metric := range w.Properties.Metrics {
			if options, ok := metric[0].(map[string]any); ok {
				found := searched.FindStringSubmatch(fmt.Sprint(options["expression"]))
				if found == nil || found[3] != "responder" {
					t.Errorf("%q searches for %v", title, options)
					continue
				}
				checkMetric(t, title, metrics.Namespace, found[2], strings.Split(found[1], ","))
				shown[found[2]] = true
				continue
			}
			var dimensions []string
			for i := 2; i+1 < len(metric); i += 2 {
				dimensions = append(dimensions, fmt.Sprint(metric[i]))
			}
			checkMetric(t, title, fmt.Sprint(metric[0]), fmt.Sprint(metric[1]), dimensions)
			shown[fmt.Sprint(metric[1])] = true
		}
	}
	for _, m := range metrics.All() {
		if !shown[string(m)] {
			t.Errorf("the dashboard does not show %s", m)
		}
	}
	for _, name := range slices.Concat(slices.Collect(maps.Values(known))...) {
		if !shown[name] {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
}
