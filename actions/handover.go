package actions

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/skycrafters/responder"
)

// What repairs have in common that hand a finding over to a program of one's
// own. Which program it is, the flow's author says: an event never does.

// ownARN reads a static parameter that holds an ARN of a form, or env:NAME with
// one. The call it gives is about the ARN's account, whatever the event's is.
func (r references) ownARN(call responder.Call, param string, form *regexp.Regexp) (arn.ARN, responder.Call, error) {
	text, err := referenceParam(call, param, "")
	if err != nil {
		return arn.ARN{}, call, err
	}
	if name, isEnv := strings.CutPrefix(text, "env:"); isEnv {
		if text = strings.TrimSpace(r.getenv(name)); text == "" {
			return arn.ARN{}, call, permanentf("env:%s is not set", inline(name))
		}
	}
	named, err := arn.Parse(text)
	if err != nil || !form.MatchString(text) || !regionName.MatchString(named.Region) {
		return arn.ARN{}, call, permanentf("no target: %s %s", param, malformed(text))
	}
	call.Account, call.Region = named.AccountID, named.Region
	return named, call, nil
}

// handover is what the program is given.
type handover struct {
	Key     string            `json:"key"`     // the same for each attempt of a step
	Flow    string            `json:"flow"`    //
	Account string            `json:"account"` // of the event
	Region  string            `json:"region"`  // of the event
	Finding responder.Finding `json:"finding"` // its event null where all would be too big
}

// handedOver gives what a program is given, in max bytes at most: where it would
// be more, the event is left out.
func handedOver(call responder.Call, max int) ([]byte, error) {
	h := handover{call.Key, call.Flow, call.Account, call.Region, call.Finding}
	text, err := h.encode()
	if err == nil && len(text) > max {
		h.Finding.Event = json.RawMessage("null")
		text, err = h.encode()
	}
	switch {
	case err != nil:
		return nil, permanentf("write the finding: %w", err)
	case len(text) > max:
		return nil, permanentf("the finding has %d bytes without its event, more than the %d that can be handed over", len(text), max)
	}
	return text, nil
}

func (h handover) encode() ([]byte, error) {
	if len(h.Finding.Event) == 0 {
		h.Finding.Event = json.RawMessage("null")
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(h)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// flag reads a parameter that is true or false, false if it is not given.
func flag(call responder.Call, param string) bool {
	on, _ := call.Params[param].(bool)
	return on
}
