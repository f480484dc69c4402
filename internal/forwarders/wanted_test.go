package forwarders_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/forwarders"
)

func TestReadTemplate(t *testing.T) {
	for name, text := range map[string]string{
		"empty":        "",
		"no YAML":      "a: b: c",
		"no resources": "Parameters: {A: {Type: String}}",
		"too long":     "Resources: {A: {}}" + strings.Repeat(" ", 51_200),
		"no pattern":   "Parameters: {A: {AllowedPattern: '('}}\nResources: {A: {}}",
	} {
		if _, err := forwarders.ReadTemplate(text); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	read, err := forwarders.ReadTemplate(templateText)
	defaults := map[string]string{}
	for name, p := range read.Parameters {
		defaults[name] = p.Default
	}
	if err != nil || len(read.Digest) != 12 || fmt.Sprint(defaults) != "map[ApiKey: BusArn: Endpoint: FailedCalls:true Name:responder ReadOnlyEvents:false Via:api]" {
		t.Errorf("%+v, %v", read, err)
	}
}

func TestCheck(t *testing.T) {
	for said, want := range map[string]string{
		"ReadOnlyEvents": "",
		"ReadOnlyEvent":  "has no parameter ReadOnlyEvent: it has FailedCalls, ReadOnlyEvents, Via",
		"ApiKey":         "follows from the stack",
		"Name":           "follows from the stack",
		"Via":            `parameter Via=x: "x" is none of api, bus`,
	} {
		w := wanted(t)
		w.Said = map[string]string{said: "x"}
		if err := w.Check(); (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", said, err, want)
		}
	}
}

// What CloudFormation would refuse in each region is refused before the first,
// by what forwarder.yaml says.
func TestCheckValues(t *testing.T) {
	template, err := forwarders.ReadTemplate(responder.ForwarderTemplate)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, value, want string }{
		{"Sources", "", ""},
		{"Sources", "aws.iam", ""},
		{"Sources", "aws.iam, aws.signin", ""},
		{"Sources", "foo", `parameter Sources=foo: "foo" will not do: each must begin with aws.`},
		{"Sources", "aws.iam,foo", `parameter Sources=aws.iam,foo: "foo" will not do: each must begin with aws.`},
		{"Sources", "aws.iam\nfoo", "each must begin with aws."},
		{"DetailTypes", "Anything, whatever", ""},
		{"ReadOnlyEvents", "true", ""},
		{"ReadOnlyEvents", "yes", `parameter ReadOnlyEvents=yes: "yes" is none of true, false`},
		{"FailedCalls", "", `"" is none of true, false`},
		{"Via", "bus", ""},
		{"Via", "api,bus", `"api,bus" is none of api, bus`},
	} {
		w := forwarders.Wanted{Template: template, Said: map[string]string{test.name: test.value}}
		err := w.Check()
		if (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s=%q: %v, want %q", test.name, test.value, err, test.want)
		}
	}
	for name, p := range template.Parameters {
		if err := p.Check(p.Default); err != nil {
			t.Errorf("its own default of %s: %v", name, err)
		}
	}
	w := forwarders.Wanted{Template: template, Home: map[string]string{"Name": strings.Repeat("n", 40)}}
	if err := w.Check(); err == nil || !strings.Contains(err.Error(), "must be the name of a stack, of 39 characters at most") {
		t.Errorf("a home of too long a name: %v", err)
	}
}

func TestSettle(t *testing.T) {
	with := func(region, via string) forwarders.Result {
		return forwarders.Result{Region: region, Did: forwarders.Unchanged, Stack: forwarders.Stack{State: "CREATE_COMPLETE", Parameters: map[string]string{"Via": via}}}
	}
	none := forwarders.Result{Region: "new", Did: forwarders.None}
	settled, err := wanted(t).Settle([]forwarders.Result{with("a", "bus"), with("b", "bus"), none})
	if err != nil || settled.Via(nil) != "bus" {
		t.Errorf("a new one beside two by the bus goes by %s, %v", settled.Via(nil), err)
	}
	if _, err := wanted(t).Settle([]forwarders.Result{with("a", "bus"), with("b", "api")}); err != nil {
		t.Errorf("two that differ and stay as they are: %v", err)
	}
	_, err = wanted(t).Settle([]forwarders.Result{with("a", "bus"), with("b", "api"), none})
	if err == nil || err.Error() != `forwarders differ in Via ("api" in b; "bus" in a): say what a new one is to have` {
		t.Errorf("a new one beside two that differ: %v", err)
	}
	w := wanted(t)
	w.Said = map[string]string{"Via": "api"}
	if settled, err := w.Settle([]forwarders.Result{with("a", "bus"), with("b", "api"), none}); err != nil || settled.Via(nil) != "api" {
		t.Errorf("said: %v", err)
	}
}

// A plan foretells what deploying does.
func TestPlan(t *testing.T) {
	c := newCloud("none", "same", "older", "template", "broken", "stuck")
	want := wanted(t)
	if _, err := c.fleet().Deploy(t.Context(), []string{"same", "older", "template"}, want); err != nil {
		t.Fatal(err)
	}
	older := c.regions["older"]
	older.stack.Tags, older.parameters["ApiKey"] = nil, "an-older-key"
	other := c.regions["template"]
	other.template = "another"
	for i, tag := range other.stack.Tags {
		if *tag.Key == "responder:template" {
			other.stack.Tags[i].Value = aws.String("0123456789ab")
		}
	}
	c.regions["broken"].has("ROLLBACK_COMPLETE", before())
	c.regions["stuck"].has("UPDATE_ROLLBACK_FAILED", before())
	seen, err := c.fleet().Look(t.Context(), c.names())
	if err != nil {
		t.Fatal(err)
	}
	done, err := c.fleet().Deploy(t.Context(), c.names(), want)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range seen {
		if plan := want.Plan(r); plan != done[i].Did {
			t.Errorf("%s: the plan is %s, done was %s", r.Region, plan, done[i].Did)
		}
	}
}

type regions struct{ err error }

func (r regions) DescribeRegions(_ context.Context, in *ec2.DescribeRegionsInput, _ ...func(*ec2.Options)) (*ec2.DescribeRegionsOutput, error) {
	region := func(name, status string) ec2types.Region {
		return ec2types.Region{RegionName: &name, OptInStatus: &status}
	}
	if !aws.ToBool(in.AllRegions) {
		return nil, errors.New("not all")
	}
	return &ec2.DescribeRegionsOutput{Regions: []ec2types.Region{
		region("us-east-1", "opt-in-not-required"), region("ap-east-1", "not-opted-in"), region("eu-south-1", "opted-in"),
	}}, r.err
}

func TestRegions(t *testing.T) {
	for asked, want := range map[string]string{
		"":                                "eu-south-1 us-east-1",
		"us-east-1":                       "us-east-1",
		"us-east-1, eu-south-1,us-east-1": "eu-south-1 us-east-1",
	} {
		var list []string
		if asked != "" {
			list = strings.Split(asked, ",")
		}
		got, err := forwarders.Regions(t.Context(), regions{}.DescribeRegions, list...)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %v, %v; want %s", asked, got, err, want)
		}
	}
	var unknown *forwarders.UnknownRegionError
	if _, err := forwarders.Regions(t.Context(), regions{}.DescribeRegions, "us-east1"); !errors.As(err, &unknown) || len(unknown.Known) != 3 {
		t.Errorf("a region that is none: %v", err)
	}
	var disabled *forwarders.DisabledRegionError
	if _, err := forwarders.Regions(t.Context(), regions{}.DescribeRegions, "ap-east-1"); !errors.As(err, &disabled) {
		t.Errorf("a region not opted in to: %v", err)
	}
	if _, err := forwarders.Regions(t.Context(), regions{err: refusal("UnauthorizedOperation", "no")}.DescribeRegions); err == nil || !strings.Contains(err.Error(), "which regions are enabled") {
		t.Errorf("denied: %v", err)
	}
}

func FuzzReadTemplate(f *testing.F) {
	f.Add(templateText)
	f.Add("Resources: {A: {B: !Sub x}}")
	f.Add("Parameters: {A: {Default: [1]}}\nResources: {A: 1}")
	f.Add("Parameters: {A: {Type: CommaDelimitedList, AllowedPattern: '^a*$', AllowedValues: [a, 1]}}\nResources: {A: 1}")
	f.Add("Parameters: &a {A: *a}\nResources: *a")
	f.Fuzz(func(t *testing.T, text string) {
		read, err := forwarders.ReadTemplate(text)
		if err == nil && (read.Text != text || len(read.Digest) != 12) {
			t.Errorf("%+v", read)
		}
	})
}
