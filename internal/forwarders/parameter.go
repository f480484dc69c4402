package forwarders

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Parameter is what a template says of one of its parameters.
type Parameter struct {
	Default string

	list       bool
	allowed    []string       // none: all are
	pattern    *regexp.Regexp // of a whole value; nil: any
	constraint string         // the pattern in words, "" perhaps
}

// parameterYAML is a parameter as a template has it.
type parameterYAML struct {
	Type                  string   `yaml:"Type"`
	Default               string   `yaml:"Default"`
	AllowedValues         []string `yaml:"AllowedValues"`
	AllowedPattern        string   `yaml:"AllowedPattern"`
	ConstraintDescription string   `yaml:"ConstraintDescription"`
}

func (y parameterYAML) read() (Parameter, error) {
	p := Parameter{Default: y.Default, list: y.Type == "CommaDelimitedList", allowed: y.AllowedValues, constraint: y.ConstraintDescription}
	if y.AllowedPattern == "" {
		return p, nil
	}
	var err error
	p.pattern, err = regexp.Compile("^(?:" + y.AllowedPattern + ")$")
	return p, err
}

// Check refuses a value that CloudFormation would refuse. Each value of a list
// is one that has to be allowed and to match the pattern as a whole.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
func (p Parameter) Check(value string) error {
	values := []string{value}
	if p.list {
		values = strings.Split(value, ",")
	}
	for _, one := range values {
		if p.list {
			one = strings.TrimSpace(one)
		}
		switch {
		case len(p.allowed) > 0 && !slices.Contains(p.allowed, one):
			return fmt.Errorf("%q is none of %s", one, strings.Join(p.allowed, ", "))
		case p.pattern == nil || p.pattern.MatchString(one):
		case p.constraint == "":
			return fmt.Errorf("%q does not match %s", one, p.pattern)
		case p.list:
			return fmt.Errorf("%q will not do: %s", one, p.constraint)
		default:
			return errors.New(p.constraint)
		}
	}
	return nil
}
