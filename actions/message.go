package actions

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/skycrafters/responder"
)

// message is what a step's `message:` says: a header, and lines of labelled
// values. Its texts are clean; they were escaped where they came from an event.
type message struct {
	header string // "" if the step has none: the finding speaks
	values []labelled
}

type labelled struct{ label, value string }

// messageParam reads the parameter `message`: absent, a text, or
// {header, values: [{label, value}]}.
func messageParam(call responder.Call) (message, error) {
	switch m := call.Params["message"].(type) {
	case nil:
		return message{}, nil
	case map[string]any:
		return readMessage(m)
	case []any:
		return message{}, permanentf("message is a list; it is a text, or header and values")
	default:
		return message{header: clean(plain(m))}, nil
	}
}

func readMessage(m map[string]any) (message, error) {
	read := message{header: clean(plain(m["header"]))}
	values, ok := m["values"].([]any)
	if !ok && m["values"] != nil {
		return message{}, permanentf("message: values is not a list of {label, value}")
	}
	for i, v := range values {
		pair, ok := v.(map[string]any)
		if !ok {
			return message{}, permanentf("message: values[%d] is not {label, value}", i)
		}
		read.values = append(read.values, labelled{inline(plain(pair["label"])), clean(plain(pair["value"]))})
	}
	return read, nil
}

// plain writes a parameter's value as people read it: nil as nothing, whole
// numbers without exponent, lists with commas, objects as JSON.
func plain(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = plain(item)
		}
		return strings.Join(items, ", ")
	case map[string]any:
		data, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		return string(data)
	default:
		return fmt.Sprint(v)
	}
}

// title is the finding's title, or its rule's name where the rule gave none.
func title(f responder.Finding) string {
	if t := inline(f.Title); t != "" {
		return t
	}
	return inline(f.Rule)
}
