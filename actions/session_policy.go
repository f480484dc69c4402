package actions

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/skycrafters/responder"
)

// maxSessionPolicy is how many characters STS takes of a session policy; what it
// packs it into has a limit of its own.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
const maxSessionPolicy = 2048

// where is what CloudFormation's variables in permissions stand for.
type where struct {
	partition string
	account   string
	region    string // "" of what is global: any
}

// policiesFor gives the session policies that let an action make a call, the
// narrowest first: of what the call needs, then of what the action may ever
// need. Those too long for STS are left out; if none is left, or a permission
// cannot be told in another account, the error is *Permanent.
func policiesFor(by responder.Action, call responder.Call, at where) ([]string, error) {
	spec := by.Spec()
	wanted := [][]responder.Permission{spec.Permissions}
	if n, ok := by.(responder.Narrower); ok {
		wanted = [][]responder.Permission{n.Needs(call), spec.Permissions}
	}
	var policies []string
	shortest := 0
	for _, permissions := range wanted {
		if len(permissions) == 0 {
			continue
		}
		text, err := sessionPolicy(permissions, at)
		if err != nil {
			return nil, permanentf("%s: %w", spec.Name, err)
		}
		if len(text) <= maxSessionPolicy && !slices.Contains(policies, text) {
			policies = append(policies, text)
		}
		if shortest == 0 || len(text) < shortest {
			shortest = len(text)
		}
	}
	switch {
	case shortest == 0:
		return nil, permanentf("%s names nothing that it needs, so it is given nothing", spec.Name)
	case len(policies) == 0:
		return nil, permanentf("what %s needs takes %d characters, and a session policy holds %d", spec.Name, shortest, maxSessionPolicy)
	}
	return policies, nil
}

// statement is one of a session policy. Lists of one are written as a text.
type statement struct {
	Effect    string
	Action    oneOrMore
	Resource  oneOrMore
	Condition map[string]map[string]string `json:",omitempty"`
}

type oneOrMore []string

// MarshalJSON implements json.Marshaler.
func (l oneOrMore) MarshalJSON() ([]byte, error) {
	if len(l) == 1 {
		return encodeJSON(l[0])
	}
	return encodeJSON([]string(l))
}

// sessionPolicy writes permissions as short as a policy can be: statements of
// the same resources and conditions are one.
func sessionPolicy(permissions []responder.Permission, at where) (string, error) {
	var statements []statement
	for _, p := range permissions {
		s := statement{Effect: "Allow", Action: p.Actions, Resource: at.fillIn(p.Resources), Condition: at.conditions(p.Condition)}
		same := slices.IndexFunc(statements, func(other statement) bool {
			return slices.Equal(other.Resource, s.Resource) && maps.EqualFunc(other.Condition, s.Condition, maps.Equal)
		})
		if same < 0 {
			statements = append(statements, s)
			continue
		}
		statements[same].Action = slices.Concat(statements[same].Action, s.Action)
	}
	for i := range statements {
		statements[i].Action = slices.Compact(slices.Sorted(slices.Values(statements[i].Action)))
	}
	text, err := encodeJSON(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", statements})
	if err != nil {
		return "", fmt.Errorf("write the session policy: %w", err)
	}
	if _, rest, left := strings.Cut(string(text), "${AWS::"); left {
		name, _, _ := strings.Cut(rest, "}")
		return "", fmt.Errorf("its permissions name ${AWS::%s}, which means nothing in another account", name)
	}
	return string(text), nil
}

// fillIn puts in what the variables stand for.
func (w where) fillIn(texts []string) []string {
	region := w.region
	if region == "" {
		region = "*"
	}
	variables := strings.NewReplacer("${AWS::Partition}", w.partition, "${AWS::AccountId}", w.account, "${AWS::Region}", region)
	filled := make([]string, len(texts))
	for i, text := range texts {
		filled[i] = variables.Replace(text)
	}
	return filled
}

func (w where) conditions(all map[string]map[string]string) map[string]map[string]string {
	filled := map[string]map[string]string{}
	for operator, keys := range all {
		filled[operator] = map[string]string{}
		for key, value := range keys {
			filled[operator][key] = w.fillIn([]string{value})[0]
		}
	}
	return filled
}
