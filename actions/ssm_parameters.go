package actions

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/skycrafters/responder"
)

// assumeRole is the parameter of a runbook that names the role it takes.
const assumeRole = "AutomationAssumeRole"

// Limits of Systems Manager.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StartAutomationExecution.html
const (
	maxPairs  = 200 // parameters
	maxValues = 50  // of one parameter
)

var (
	pairName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,49}$`)
	// valueForm keeps what an event says out of what runbooks make of values:
	// scripts, and references to the Parameter Store, {{ssm:NAME}}.
	valueForm   = regexp.MustCompile(`^[A-Za-z0-9_+=,.@:/-]{1,512}$`)
	settingForm = regexp.MustCompile(`^[^\x00-\x08\x0b-\x1f\x7f]{1,512}$`)
)

// pairsParam reads a parameter that is a list of NAME=value; nil if the call does
// not have it. One bad pair makes the whole *Permanent.
func pairsParam(call responder.Call, param string, form *regexp.Regexp) (map[string][]string, error) {
	if _, given := call.Params[param]; !given {
		return nil, nil
	}
	texts, err := listTarget(call, param, regexp.MustCompile(`(?s)^.+$`), "texts NAME=value")
	if err != nil {
		return nil, err
	}
	pairs := map[string][]string{}
	for _, text := range texts {
		name, value, _ := strings.Cut(text, "=")
		switch {
		case !pairName.MatchString(name):
			return nil, permanentf("%s holds %s: NAME=value is wanted", param, malformed(text))
		case name == assumeRole:
			return nil, permanentf("%s stands among %s: write it as `role`", assumeRole, param)
		case !form.MatchString(value):
			return nil, permanentf("no target: %s of %s is %s", name, param, malformed(value))
		}
		if pairs[name] = append(pairs[name], value); len(pairs[name]) > maxValues {
			return nil, permanentf("%s of %s has more than %d values", name, param, maxValues)
		}
	}
	if len(pairs) > maxPairs {
		return nil, permanentf("%s holds %d names, and a runbook takes %d", param, len(pairs), maxPairs)
	}
	return pairs, nil
}

// ec2Things are the things of EC2 that an id names by its beginning.
var ec2Things = map[string]string{
	"i": "instance", "sg": "security-group", "eni": "network-interface", "vol": "volume", "vpc": "vpc", "subnet": "subnet",
	"snap": "snapshot", "ami": "image",
}

var ec2ID = regexp.MustCompile(`^([a-z]+)-[0-9a-f]{8,17}$`)

// touched gives what a runbook will touch, as far as its parameters say it: by
// ARNs and by ids of EC2, and what the parameter `touches` says.
func touched(there responder.Call, parameters map[string][]string) ([]responder.Target, error) {
	var targets []responder.Target
	add := func(t responder.Target) {
		t.TagsUnknown = true
		if !slices.ContainsFunc(targets, func(other responder.Target) bool { return other.ARN == t.ARN }) {
			targets = append(targets, t)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		for _, value := range parameters[name] {
			if named, ok := namedBy(there, value); ok {
				add(named)
				continue
			}
			for part := range strings.SplitSeq(value, ",") { // as some runbooks take lists
				if named, ok := namedBy(there, part); ok {
					add(named)
				}
			}
		}
	}
	if _, given := there.Params["touches"]; !given {
		return targets, nil
	}
	said, err := listTarget(there, "touches", valueForm, "ARNs")
	if err != nil {
		return nil, err
	}
	for _, text := range said {
		named, ok := namedBy(there, text)
		if !ok {
			return nil, permanentf("no target: touches holds %s: an ARN is wanted", malformed(text))
		}
		add(named)
	}
	return targets, nil
}

// namedBy gives the thing that a value names by its ARN, or by an id of EC2 where
// the runbook runs; false if it names none so.
func namedBy(there responder.Call, value string) (responder.Target, bool) {
	if named, err := arn.Parse(value); err == nil {
		t := responder.Target{ARN: value, Account: named.AccountID, Region: named.Region}
		if t.Account == "" || t.Account == "aws" {
			t.Account = there.Account
		}
		return t, true
	}
	m := ec2ID.FindStringSubmatch(value)
	if m == nil || ec2Things[m[1]] == "" {
		return responder.Target{}, false
	}
	t := ec2Target(there, ec2Things[m[1]], value, nil)
	if m[1] == "snap" || m[1] == "ami" { // their ARNs are of no account
		t.ARN = "arn:" + partition(there.Region) + ":ec2:" + there.Region + "::" + ec2Things[m[1]] + "/" + value
	}
	return t, true
}
