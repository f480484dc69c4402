package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	awssecrets "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/ingest"
	"github.com/skycrafters/responder/internal/forwarders"
	"github.com/skycrafters/responder/internal/memory"
)

// Wrong use is told before AWS is asked for anything.
func TestRegionsWrongUse(t *testing.T) {
	c := newCLI(t)
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1") // nobody is there
	for args, want := range map[string]string{
		"deploy x":                             "takes no arguments",
		"deploy --via road":                    "--via is api or bus, not \"road\"",
		"deploy --parameter Via=road":          "--via is api or bus, not \"road\"",
		"deploy --parameter Sources":           "write NAME=VALUE",
		"deploy --parameter =x":                "write NAME=VALUE",
		"deploy --via bus --parameter Via=api": "contradict each other",
		"deploy --read-only-events --parameter ReadOnlyEvents=false": "contradict each other",
		"deploy --via bus --rotate-key":                              "have no key",
		"deploy --parallel 0":                                        "--parallel is from 1 to 64",
		"status --parallel 65":                                       "--parallel is from 1 to 64",
		"remove --stack a_b":                                         "cannot be the name of a stack",
		"status --dry-run":                                           "unknown flag",
		"forget":                                                     "Give --account ID",
		"forget 111122223333":                                        "takes no arguments but --account",
		"forget --account 11112222333":                               "--account \"11112222333\": an account is twelve digits",
		"forget --account 111122223333 --regions europe":             "--regions: \"europe\" cannot be the name of a region",
	} {
		_, stderr := c.run(exitUsage, append([]string{"regions"}, strings.Fields(args)...)...)
		c.has(stderr, want)
	}
}

func TestFleetView(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(region string) responder.Place { return responder.Place{Account: "111122223333", Region: region} }
	made := func(state types.StackStatus, ago time.Duration, template, key string) forwarders.Stack {
		return forwarders.Stack{ID: "arn", State: state, Changed: now.Add(-ago), Template: template, KeyVersion: key, Parameters: map[string]string{"Via": "api"}}
	}
	denied := errors.New("no permission in this region: AccessDenied: you\x1b[2J may not")
	results := []forwarders.Result{
		{Region: "ap-south-1", Did: forwarders.Unchanged, Stack: made("CREATE_COMPLETE", time.Hour, "t2", "k2")},
		{Region: "ap-southeast-4", Did: forwarders.Failed, Err: denied},
		{Region: "eu-central-1", Did: forwarders.Unchanged, Stack: made("UPDATE_COMPLETE", 3*time.Minute, "t1", "k1")},
		{Region: "eu-west-1", Did: forwarders.Unchanged, Stack: made("UPDATE_COMPLETE", time.Hour, "", "")},
		{Region: "eu-west-2", Did: forwarders.None},
		{Region: "us-east-1", Did: forwarders.Failed, Stack: made("UPDATE_ROLLBACK_FAILED", time.Hour, "t2", "k2"), Err: &forwarders.Failure{State: "UPDATE_ROLLBACK_FAILED", Cause: "Dead (AWS::SQS::Queue): it is gone"}},
		{Region: "us-east-2", Did: forwarders.Unchanged, Stack: made("CREATE_IN_PROGRESS", time.Second, "t2", "k2")},
		{Region: "us-west-2", Did: forwarders.Unchanged, Stack: made("CREATE_COMPLETE", 3*time.Hour, "t2", "k2")},
	}
	var out bytes.Buffer
	a := &app{stdout: &out, stderr: &out, format: "text", getenv: func(string) string { return "" }}
	view := fleetView{app: a, now: now, account: "111122223333", template: "t2", keyVersion: "k2", heard: map[responder.Place]time.Time{
		at("ap-south-1"): now.Add(-4 * time.Minute), at("eu-west-1"): now.Add(-40 * time.Minute), at("eu-west-2"): now.Add(-30 * time.Second),
		{Account: "444455556666", Region: "us-east-1"}: now.Add(-72 * time.Hour), {Account: "444455556666", Region: "eu-west-1"}: now.Add(-time.Minute),
	}}
	if err := errors.Join(view.show(results), view.showOthers()); err != nil {
		t.Fatal(err)
	}
	want := `REGION          STATE                    HEARD
ap-south-1      CREATE_COMPLETE          heard 4 min ago
ap-southeast-4  -                        could not be looked at
  no permission in this region: AccessDenied: you may not
eu-central-1    UPDATE_COMPLETE          never heard (deployed 3 min ago)
  made from another version's template; has not got the present key: ` + "`responder regions deploy`" + ` brings it up to date
eu-west-1       UPDATE_COMPLETE          dark since 2026-03-01 11:20 UTC (40 min ago)
  not deployed by this command: ` + "`responder regions deploy`" + ` brings it up to date
eu-west-2       -                        heard just now
us-east-1       UPDATE_ROLLBACK_FAILED   never heard (deployed 60 min ago)
  Dead (AWS::SQS::Queue): it is gone
us-east-2       CREATE_IN_PROGRESS       never heard (deployed just now)
us-west-2       CREATE_COMPLETE          never heard (deployed 3 h ago)
8 regions: 2 dark, 2 failed, 2 heard, 2 not heard yet

Heard from other accounts
444455556666 eu-west-1       heard 1 min ago
444455556666 us-east-1       dark since 2026-02-26 12:00 UTC (3 days ago)
`
	if out.String() != want {
		t.Errorf("it shows\n%s\nwant\n%s", out.String(), want)
	}
	if failed, dark := view.troubles(results); failed != 2 || dark != 2 {
		t.Errorf("%d failed, %d dark", failed, dark)
	}

	if got := view.darkOthers("home"); got != "1 dark in other accounts (mend their forwarders; those that are gone for good: responder regions forget --stack home --account 444455556666)" {
		t.Errorf("it says %s", got)
	}
	view.heard[responder.Place{Account: "777788889999", Region: "us-east-1"}] = now.Add(-time.Hour)
	if got := view.darkOthers("home"); !strings.HasPrefix(got, "2 dark") || !strings.Contains(got, "--account ID)") {
		t.Errorf("it says %s", got)
	}
	delete(view.heard, responder.Place{Account: "777788889999", Region: "us-east-1"})

	out.Reset()
	a.format = "json"
	if err := errors.Join(view.show(results[1:4]), view.showOthers()); err != nil {
		t.Fatal(err)
	}
	want = `{"region":"ap-southeast-4","did":"failed","cause":"no permission in this region: AccessDenied: you\u001b[2J may not"}
{"region":"eu-central-1","state":"UPDATE_COMPLETE","via":"api","template":"outdated","key":"outdated","stack":"arn","changed":"2026-03-01T11:57:00Z"}
{"region":"eu-west-1","state":"UPDATE_COMPLETE","via":"api","template":"unknown","key":"unknown","heard":"2026-03-01T11:20:00Z","dark":true,"stack":"arn","changed":"2026-03-01T11:00:00Z"}
{"account":"444455556666","region":"eu-west-1","heard":"2026-03-01T11:59:00Z"}
{"account":"444455556666","region":"us-east-1","heard":"2026-02-26T12:00:00Z","dark":true}
`
	if out.String() != want {
		t.Errorf("JSON is\n%s\nwant\n%s", out.String(), want)
	}
}

func TestRegionsForget(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const all = "111122223333/eu-west-1 111122223333/us-east-1 444455556666/eu-west-1 444455556666/us-east-1"
	for _, test := range []struct {
		account, regions string
		dry              bool
		shows, fails     string
		left             string
	}{
		{"444455556666", "", true, "444455556666 eu-west-1       would be forgotten, heard 1 min ago: known again with its next canary, if it has a forwarder still\n444455556666 us-east-1       would be forgotten, dark since 2026-02-26 12:00 UTC (3 days ago)\n", "", all},
		{"444455556666", "", false, "444455556666 eu-west-1       forgotten, heard 1 min ago: known again with its next canary, if it has a forwarder still\n444455556666 us-east-1       forgotten, dark since 2026-02-26 12:00 UTC (3 days ago)\n", "", "111122223333/eu-west-1 111122223333/us-east-1"},
		{"444455556666", "us-east-1", false, "444455556666 us-east-1       forgotten, dark since 2026-02-26 12:00 UTC (3 days ago)\n", "", "111122223333/eu-west-1 111122223333/us-east-1 444455556666/eu-west-1"},
		{"111122223333", " us-east-1,us-east-1,eu-west-9", false, "111122223333 us-east-1       forgotten, dark since 2026-03-01 11:00 UTC (60 min ago)\n", "account 111122223333 was not heard from eu-west-9: responder regions status --stack home lists", "111122223333/eu-west-1 444455556666/eu-west-1 444455556666/us-east-1"},
		{"000011112222", "", false, "", "account 000011112222 was never heard: heard were 111122223333, 444455556666", all},
		{"000011112222", "us-east-1", false, "", "account 000011112222 was not heard from us-east-1", all},
	} {
		t.Run(test.account+test.regions, func(t *testing.T) {
			beats := new(memory.Heartbeats)
			for place, ago := range map[responder.Place]time.Duration{
				{Account: "111122223333", Region: "us-east-1"}: time.Hour, {Account: "111122223333", Region: "eu-west-1"}: time.Minute,
				{Account: "444455556666", Region: "us-east-1"}: 72 * time.Hour, {Account: "444455556666", Region: "eu-west-1"}: time.Minute,
			} {
				if err := beats.Beat(t.Context(), place, now.Add(-ago)); err != nil {
					t.Fatal(err)
				}
			}
			var out bytes.Buffer
			r := &regional{app: &app{stdout: &out, format: "text", now: func() time.Time { return now }, getenv: func(string) string { return "" }}, stack: "home"}
			if test.regions != "" {
				r.regions = strings.Split(test.regions, ",")
			}
			asked, err := r.places(test.account)
			if err != nil {
				t.Fatal(err)
			}
			err = r.forgetPlaces(t.Context(), beats, test.account, asked, test.dry)
			var input *inputError
			if errors.As(err, &input) != (test.fails != "") || err != nil && !strings.Contains(err.Error(), test.fails) {
				t.Errorf("%v, want %q", err, test.fails)
			}
			if out.String() != test.shows {
				t.Errorf("it shows\n%swant\n%s", out.String(), test.shows)
			}
			heard, err := beats.Beats(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var left []string
			for place := range heard {
				left = append(left, place.String())
			}
			slices.Sort(left)
			if got := strings.Join(left, " "); got != test.left {
				t.Errorf("known is %s, want %s", got, test.left)
			}
		})
	}
	var out bytes.Buffer
	place := responder.Place{Account: "444455556666", Region: "us-east-1"}
	view := fleetView{app: &app{stdout: &out, format: "json"}, now: now, dry: true, heard: map[responder.Place]time.Time{place: now.Add(-time.Hour)}}
	if err := view.forgotten([]responder.Place{place}); err != nil || out.String() != `{"account":"444455556666","region":"us-east-1","heard":"2026-03-01T11:00:00Z","dark":true,"did":"forgotten","dry_run":true}`+"\n" {
		t.Errorf("JSON is %s, %v", out.String(), err)
	}
}

func TestRegionsOutcome(t *testing.T) {
	results := []forwarders.Result{{Did: forwarders.Updated}, {Did: forwarders.Failed}}
	if err := outcome(results, nil, sameAgain); err == nil || err.Error() != "1 region of 2 failed: mend what the table says, then run the same command again: it does what is left" {
		t.Error(err)
	}
	if err := outcome(results[:1], nil, sameAgain); err != nil {
		t.Error(err)
	}
	if err := outcome(results, context.Canceled, sameAgain); err != context.Canceled {
		t.Error(err)
	}
}

func TestFleetViewOfWork(t *testing.T) {
	var out bytes.Buffer
	a := &app{stdout: &out, stderr: &out, format: "text", getenv: func(string) string { return "" }}
	var results []forwarders.Result
	for i, did := range []forwarders.Did{forwarders.Created, forwarders.Recreated, forwarders.Updated, forwarders.Unchanged, forwarders.Removed, forwarders.None, forwarders.Failed, forwarders.UnderWay, forwarders.NotBegun} {
		results = append(results, forwarders.Result{Region: fmt.Sprintf("eu-west-%d", i), Did: did})
	}
	results[1].Note = "deleted first"
	if err := (fleetView{app: a}).show(results); err != nil {
		t.Fatal(err)
	}
	want := `REGION          STATE                    WHAT HAPPENED
eu-west-0       -                        created
eu-west-1       -                        created again
  deleted first
eu-west-2       -                        updated
eu-west-3       -                        unchanged
eu-west-4       -                        removed
eu-west-5       -                        none
eu-west-6       -                        failed
eu-west-7       -                        under way
eu-west-8       -                        not begun
9 regions: 1 created, 1 created again, 1 failed, 1 none, 1 not begun, 1 removed, 1 unchanged, 1 under way, 1 updated
`
	if out.String() != want {
		t.Errorf("it shows\n%s\nwant\n%s", out.String(), want)
	}
}

func TestFleetProgress(t *testing.T) {
	var out bytes.Buffer
	p := &fleetProgress{out: &out, total: 17, underWay: map[string]string{}}
	busy := func(region string, state types.StackStatus, did forwarders.Did) {
		p.tell(forwarders.Result{Region: region, Did: did, Stack: forwarders.Stack{State: state}})
	}
	busy("us-east-1", "CREATE_IN_PROGRESS", forwarders.NotBegun)
	busy("eu-west-1", "DELETE_IN_PROGRESS", forwarders.NotBegun)
	busy("us-east-1", "CREATE_COMPLETE", forwarders.Created)
	shown := strings.Split(out.String(), "\r\x1b[K")
	if got := strings.Join(shown, "|"); got != "|0 of 17 regions done · us-east-1 CREATE_IN_PROGRESS|0 of 17 regions done · eu-west-1 DELETE_IN_PROGRESS · us-east-1 CREATE_IN_PROGRESS|1 of 17 regions done · eu-west-1 DELETE_IN_PROGRESS" {
		t.Errorf("%s", got)
	}
}

// putter takes a new version of a secret, or fails.
type putter struct {
	text string
	err  error
}

func (p *putter) PutSecretValue(_ context.Context, in *awssecrets.PutSecretValueInput, _ ...func(*awssecrets.Options)) (*awssecrets.PutSecretValueOutput, error) {
	p.text = *in.SecretString
	return &awssecrets.PutSecretValueOutput{VersionId: aws.String("v2")}, p.err
}

func TestRotate(t *testing.T) {
	const list = `{"keys":[{"id":"prod","key":"0123456789abcdef-prod","accounts":["111122223333"]},{"id":"test","key":"0123456789abcdef-test"}]}`
	for _, tt := range []struct{ name, secret, id, want string }{
		{"bare", "an-old-bare-key", "", "NEW"},
		{"one of several", list, "prod", strings.Replace(list, "0123456789abcdef-prod", "NEW", 1)},
		{"the other", list, "test", strings.Replace(list, "0123456789abcdef-test", "NEW", 1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			secret := responder.NewSecretText(tt.secret)
			key, err := chooseKey(secret, tt.id)
			if err != nil {
				t.Fatal(err)
			}
			k := &stackKeys{arn: "arn", secret: secret, version: "v1", key: key}
			var put putter
			if err := k.rotate(t.Context(), &put); err != nil {
				t.Fatal(err)
			}
			fresh := k.key.Text.Reveal()
			if put.text != strings.Replace(tt.want, "NEW", fresh, 1) || len(fresh) < 24 || k.version != "v2" {
				t.Errorf("it puts %s of version %s", put.text, k.version)
			}
			read, err := ingest.ParseKeys(responder.NewSecretText(put.text))
			if err != nil || len(read) == 0 {
				t.Errorf("ingest cannot read it: %v", err)
			}
			again := &stackKeys{secret: secret, key: key}
			if err := again.rotate(t.Context(), &put); err != nil || again.key.Text.Reveal() == fresh {
				t.Errorf("the same key twice, %v", err)
			}
			put.err = errors.New("denied")
			err = k.rotate(t.Context(), &put)
			if err == nil || strings.Contains(err.Error(), put.text) || k.key.Text.Reveal() != fresh || k.version != "v2" {
				t.Errorf("refused: %v", err)
			}
		})
	}
}

func TestSenders(t *testing.T) {
	stack := func(state types.StackStatus, via, version string) forwarders.Stack {
		return forwarders.Stack{State: state, KeyVersion: version, Parameters: map[string]string{"Via": via}}
	}
	results := []forwarders.Result{
		{Region: "none", Did: forwarders.None},
		{Region: "bus", Stack: stack("CREATE_COMPLETE", "bus", "")},
		{Region: "present", Stack: stack("CREATE_COMPLETE", "api", "v2")},
		{Region: "before", Stack: stack("UPDATE_ROLLBACK_COMPLETE", "api", "v1")},
		{Region: "being updated", Stack: stack("UPDATE_IN_PROGRESS", "api", "v2")},
		{Region: "by hand", Stack: stack("UPDATE_COMPLETE", "api", "")},
		{Region: "dead", Stack: stack("ROLLBACK_COMPLETE", "api", "v1")},
	}
	version := "v2"
	if got := strings.Join(senders(results, &version), ", "); got != "before, being updated, by hand" {
		t.Errorf("without the present key: %s", got)
	}
	if got := strings.Join(senders(results, nil), ", "); got != "present, before, being updated, by hand" {
		t.Errorf("with a key: %s", got)
	}
}
