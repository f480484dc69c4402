package forwarders

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"gopkg.in/yaml.v3"

	"github.com/skycrafters/responder"
)

// Template is a forwarder's template.
type Template struct {
	Text       string
	Digest     string // twelve hexadecimal digits of its SHA-256
	Parameters map[string]Parameter
}

// maxTemplate is how long a template may be that is sent along with a request.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
const maxTemplate = 51_200

// ReadTemplate reads a CloudFormation template in YAML.
func ReadTemplate(text string) (Template, error) {
	if len(text) > maxTemplate {
		return Template{}, fmt.Errorf("the template is %d bytes; CloudFormation takes %d", len(text), maxTemplate)
	}
	var t struct {
		Parameters map[string]parameterYAML `yaml:"Parameters"`
		Resources  map[string]yaml.Node     `yaml:"Resources"`
	}
	if err := yaml.Unmarshal([]byte(text), &t); err != nil {
		return Template{}, fmt.Errorf("read the template: %w", err)
	}
	if len(t.Resources) == 0 {
		return Template{}, errors.New("read the template: it has no resources")
	}
	sum := sha256.Sum256([]byte(text))
	read := Template{Text: text, Digest: hex.EncodeToString(sum[:6]), Parameters: map[string]Parameter{}}
	for name, p := range t.Parameters {
		parameter, err := p.read()
		if err != nil {
			return Template{}, fmt.Errorf("read the template: parameter %s: %w", name, err)
		}
		read.Parameters[name] = parameter
	}
	return read, nil
}

// Ways home.
const (
	ViaAPI = "api" // Responder's API, with a key
	ViaBus = "bus" // Responder's event bus, without
)

// Parameters of the template that this package knows.
const (
	paramVia      = "Via"
	paramEndpoint = "Endpoint"
	paramKey      = "ApiKey"
	paramBus      = "BusArn"
)

// Wanted is what forwarders are to be.
type Wanted struct {
	Template Template
	// Home are the parameters that say where home is. They are the same in each
	// region; those that the template does not declare are left out.
	Home map[string]string
	// Endpoint, Key and KeyVersion are for forwarders that go by the API, BusARN
	// for those that go by the bus.
	Endpoint   string
	Key        responder.SecretText
	KeyVersion string // of the secret: what it says of itself, not its text
	BusARN     string
	// Said are the parameters that were said, for all regions. What is not said
	// stays as it is where there is a forwarder; a new one takes Common, else
	// the template's defaults.
	Said, Common map[string]string
}

// Check refuses what was said and the template does not know, and values that
// the template does not take, so that no region is begun for what none would do.
func (want Wanted) Check() error {
	for _, name := range slices.Sorted(maps.Keys(want.Said)) {
		if _, declared := want.Template.Parameters[name]; !declared {
			return fmt.Errorf("the forwarder has no parameter %s: it has %s", name, strings.Join(want.tunable(), ", "))
		}
		if want.fixed(name) {
			return fmt.Errorf("parameter %s follows from the stack and is not set by hand: %s can be", name, strings.Join(want.tunable(), ", "))
		}
	}
	for _, values := range []map[string]string{want.Home, want.Said} {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if err := want.Template.Parameters[name].Check(values[name]); err != nil {
				return fmt.Errorf("parameter %s=%s: %w", name, values[name], err)
			}
		}
	}
	return nil
}

// fixed reports whether a parameter says where home is, and so is nobody's choice.
func (want Wanted) fixed(name string) bool {
	_, home := want.Home[name]
	return home || name == paramEndpoint || name == paramKey || name == paramBus
}

// tunable are the parameters that may be said.
func (want Wanted) tunable() []string {
	var names []string
	for name := range want.Template.Parameters {
		if !want.fixed(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Settle says what new forwarders are like in what was not said: like those
// that are there. Where these differ it is an error to be told, for a new one
// cannot be like both.
func (want Wanted) Settle(seen []Result) (Wanted, error) {
	want.Common = map[string]string{}
	isNew := slices.ContainsFunc(seen, func(r Result) bool { return r.Did == None })
	for _, name := range want.tunable() {
		if _, said := want.Said[name]; said {
			continue
		}
		values := map[string][]string{}
		for _, r := range seen {
			if value, has := r.Stack.Parameters[name]; has && r.Stack.Complete() {
				values[value] = append(values[value], r.Region)
			}
		}
		switch {
		case len(values) == 1:
			want.Common[name] = slices.Collect(maps.Keys(values))[0]
		case len(values) > 1 && isNew:
			var differ []string
			for _, value := range slices.Sorted(maps.Keys(values)) {
				differ = append(differ, fmt.Sprintf("%q in %s", value, strings.Join(values[value], ", ")))
			}
			return want, fmt.Errorf("forwarders differ in %s (%s): say what a new one is to have", name, strings.Join(differ, "; "))
		}
	}
	return want, nil
}

// Via is the way home of a forwarder that has had these parameters; nil: none yet.
func (want Wanted) Via(before map[string]string) string { return want.value(paramVia, before) }

// value is what a tunable parameter is to be.
func (want Wanted) value(name string, before map[string]string) string {
	if value, said := want.Said[name]; said {
		return value
	}
	if value, had := before[name]; had {
		return value
	}
	if value, common := want.Common[name]; common && before == nil {
		return value
	}
	return want.Template.Parameters[name].Default
}

// values are all parameters but the key.
func (want Wanted) values(before map[string]string) map[string]string {
	values := maps.Clone(want.Home)
	for _, name := range want.tunable() {
		values[name] = want.value(name, before)
	}
	switch want.Via(before) {
	case ViaAPI:
		values[paramEndpoint] = want.Endpoint
	case ViaBus:
		values[paramBus] = want.BusARN
	}
	maps.DeleteFunc(values, func(name, _ string) bool { _, declared := want.Template.Parameters[name]; return !declared })
	return values
}

// parameters are those of a stack that has had the given ones before. A
// forwarder that goes by the bus is not given the key.
func (want Wanted) parameters(before map[string]string) ([]types.Parameter, error) {
	values := want.values(before)
	switch via := want.Via(before); {
	case via == ViaAPI && (want.Endpoint == "" || want.Key.Reveal() == ""):
		return nil, errors.New("it goes by the API, and there is no endpoint or no key to go with")
	case via == ViaBus && want.BusARN == "":
		return nil, errors.New("it goes by the event bus, and the stack has none: deploy the stack's newest template first")
	case via == ViaAPI:
		values[paramKey] = want.Key.Reveal()
	}
	var parameters []types.Parameter
	for _, name := range slices.Sorted(maps.Keys(values)) {
		parameters = append(parameters, types.Parameter{ParameterKey: aws.String(name), ParameterValue: aws.String(values[name])})
	}
	return parameters, nil
}

// tags say what a stack is made of. Those that others have put there stay:
// CloudFormation takes away what is not named.
func (want Wanted) tags(s Stack) []types.Tag {
	named := maps.Clone(s.Tags)
	if named == nil {
		named = map[string]string{}
	}
	named[templateTag] = want.Template.Digest
	delete(named, keyTag)
	if want.Via(s.Parameters) == ViaAPI {
		named[keyTag] = want.KeyVersion
	}
	var tags []types.Tag
	for _, key := range slices.Sorted(maps.Keys(named)) {
		tags = append(tags, types.Tag{Key: aws.String(key), Value: aws.String(named[key])})
	}
	return tags
}

// Plan is what Deploy would do about a region that was looked at.
func (want Wanted) Plan(seen Result) Did {
	s := seen.Stack
	switch {
	case seen.Did == Failed && !s.Exists():
		return Failed
	case !s.Exists():
		return Created
	case moveFor(s.State) == moveReplace:
		return Recreated
	case want.same(s):
		return Unchanged
	}
	return Updated
}

// same reports whether a stack is, as far as can be seen, what is wanted.
func (want Wanted) same(s Stack) bool {
	if s.Template != want.Template.Digest || want.Via(s.Parameters) == ViaAPI && s.KeyVersion != want.KeyVersion {
		return false
	}
	for name, value := range want.values(s.Parameters) {
		if s.Parameters[name] != value {
			return false
		}
	}
	return true
}
