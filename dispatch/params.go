package dispatch

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/skycrafters/responder"
)

// CheckParams judges resolved parameters against what an action declares, and
// gives them in the types that actions get: text as string, list as []any of
// strings, number as float64, bool, and message as string or map. It is pure.
//
// A required parameter that is missing, nil or empty is an error. For a check
// or a repair so is every parameter that was given and came to nothing: a
// target that cannot be found in the event must never widen what is acted on.
// For a notice an optional one that came to nothing is left out.
func CheckParams(spec responder.Spec, params map[string]any) (map[string]any, error) {
	return checkParams(spec, params, false)
}

// checkParams is CheckParams; in what is verbatim `{{` is text like any other.
func checkParams(spec responder.Spec, params map[string]any, verbatim bool) (map[string]any, error) {
	var faults []error
	checked := make(map[string]any, len(params))
	for _, p := range spec.Params {
		value, given := params[p.Name]
		conformed, err := conform(p.Type, value)
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("parameter %s of %s %w", p.Name, spec.Name, err))
		case !isEmpty(conformed):
			checked[p.Name] = conformed
		case p.Required || given && spec.Kind != responder.Notice:
			faults = append(faults, fmt.Errorf("parameter %s of %s is empty", p.Name, spec.Name))
		}
		if spec.Kind != responder.Notice && !verbatim && unresolved(conformed) {
			faults = append(faults, fmt.Errorf("parameter %s of %s is not resolved", p.Name, spec.Name))
		}
	}
	for _, name := range sortedKeys(params) {
		if !declares(spec, name) {
			faults = append(faults, fmt.Errorf("%s has no parameter %s", spec.Name, name))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return checked, nil
}

// declares reports whether an action takes a parameter of that name.
func declares(spec responder.Spec, name string) bool {
	return name == templateParam && spec.Templates ||
		slices.ContainsFunc(spec.Params, func(p responder.Param) bool { return p.Name == name })
}

// conform turns a value into a parameter type's Go type. nil stays nil.
func conform(want responder.ParamType, value any) (any, error) {
	if value == nil {
		return nil, nil
	}
	switch want {
	case responder.TextParam:
		if text, ok := asText(value); ok {
			return text, nil
		}
	case responder.ListParam:
		return asList(value)
	case responder.NumberParam:
		if number, ok := asNumber(value); ok {
			return number, nil
		}
	case responder.BoolParam:
		if b, ok := value.(bool); ok {
			return b, nil
		}
	case responder.MessageParam:
		if m, ok := value.(map[string]any); ok {
			return m, nil
		}
		if text, ok := asText(value); ok {
			return text, nil
		}
	}
	return nil, fmt.Errorf("must be a %s, not %s", want, describe(value))
}

func asText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	}
	if number, ok := asNumber(value); ok && math.Abs(number) <= maxExact {
		return strconv.FormatFloat(number, 'f', -1, 64), true
	}
	return "", false
}

// maxExact is the largest whole number that a float64 tells from its
// neighbours: beyond it, a number may not be the one that was written.
const maxExact = 1<<53 - 1

func asNumber(value any) (float64, bool) {
	switch v := value.(type) {
	case float64:
		return v, !math.IsNaN(v) && !math.IsInf(v, 0) // neither is a number to a store
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	}
	return 0, false
}

// asList gives a list of texts, none of them empty: an element that came to
// nothing is as bad as a target that did.
func asList(value any) ([]any, error) {
	var texts []any
	for i, element := range elements(value) {
		text, ok := asText(element)
		if !ok || strings.TrimSpace(text) == "" {
			return nil, fmt.Errorf("must be a list of texts: element %d is %s", i, describe(element))
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// elements takes a single value for a list of one, and an empty text for none.
func elements(value any) []any {
	switch v := value.(type) {
	case []any:
		return v
	case []string:
		list := make([]any, len(v))
		for i, text := range v {
			list[i] = text
		}
		return list
	case string:
		if strings.TrimSpace(v) == "" {
			return nil
		}
	}
	return []any{value}
}

func isEmpty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return strings.TrimSpace(v) == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// unresolved reports whether a value still holds `{{ … }}`.
func unresolved(value any) bool {
	switch v := value.(type) {
	case string:
		return strings.Contains(v, "{{")
	case []any:
		return slices.ContainsFunc(v, unresolved)
	}
	return false
}

// describe names the shape of a value, for errors; never the value itself.
func describe(value any) string {
	switch v := value.(type) {
	case nil:
		return "nothing"
	case string:
		if strings.TrimSpace(v) == "" {
			return "empty"
		}
		return "a text"
	case bool:
		return "true or false"
	case []any, []string:
		return "a list"
	case map[string]any:
		return "a map"
	}
	if _, ok := asNumber(value); ok {
		return "a number"
	}
	return fmt.Sprintf("a %T", value)
}
