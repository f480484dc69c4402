package responder

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Finding is what a rule saw in an event.
type Finding struct {
	Rule      string          `json:"rule"`            // the rule's name
	ID        string          `json:"id,omitempty"`    // the rule's id, if it has one
	Title     string          `json:"title"`           // one line of text
	Severity  Severity        `json:"severity"`        //
	Message   string          `json:"message"`         //
	Resources []string        `json:"resources"`       // ids or names of what the finding is about
	Meta      map[string]any  `json:"meta,omitempty"`  // what else the rule said
	Number    int             `json:"number"`          // 0-based, among the findings of one rule on one event
	Key       string          `json:"key"`             // the event's key, or what the rule's `key:` says
	Check     *Binding        `json:"check,omitempty"` // how to see whether it still holds
	Remediate *Binding        `json:"remediate,omitempty"`
	Event     json.RawMessage `json:"event"` // unchanged
}

// RunID names the one run that a finding gives a flow, however often the event
// is delivered: 32 hexadecimal digits of a SHA-256.
func (f Finding) RunID(flow string) string {
	h := sha256.New()
	for _, part := range []string{f.Key, f.Rule, flow, strconv.Itoa(f.Number)} {
		fmt.Fprintf(h, "%d:%s", len(part), part) // lengths keep ("a","bc") and ("ab","c") apart
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}

// Binding is an action with its parameters resolved: {"EC2InstanceAlive": {"ids": ["i-1"]}}.
type Binding struct {
	Action string
	Params map[string]any
}

// MarshalJSON writes {"Action": {params}}.
func (b Binding) MarshalJSON() ([]byte, error) {
	params := b.Params
	if params == nil {
		params = map[string]any{}
	}
	return encode(map[string]any{b.Action: params})
}

// UnmarshalJSON reads {"Action": {params}}.
func (b *Binding) UnmarshalJSON(data []byte) error {
	var object map[string]map[string]any
	if err := json.Unmarshal(data, &object); err != nil {
		return err
	}
	if len(object) != 1 {
		return fmt.Errorf("a binding names one action, not %d", len(object))
	}
	for b.Action, b.Params = range object {
	}
	return nil
}

// Bell is a message on the findings queue: a finding, or the wake of a run.
// Exactly one of the two is set.
type Bell struct {
	Finding *Finding
	Wake    string // id of the run to look at
}

// bellFormat is the pinned form: {"v":1,"finding":{…}} or {"v":1,"wake":"RUN"}.
type bellFormat struct {
	V       int      `json:"v"`
	Finding *Finding `json:"finding,omitempty"`
	Wake    string   `json:"wake,omitempty"`
}

// Encode gives the bell's message body.
func (b Bell) Encode() ([]byte, error) {
	return encode(bellFormat{V: 1, Finding: b.Finding, Wake: b.Wake})
}

// DecodeBell reads a message of the findings queue. An error that is
// ErrFutureVersion means: written by a newer Responder.
func DecodeBell(body []byte) (Bell, error) {
	var f bellFormat
	if err := json.Unmarshal(body, &f); err != nil {
		return Bell{}, fmt.Errorf("findings message: %w", err)
	}
	switch {
	case f.V > 1:
		return Bell{}, fmt.Errorf("findings message of version %d: %w", f.V, ErrFutureVersion)
	case f.V < 1:
		return Bell{}, errors.New("findings message has no version")
	case (f.Finding == nil) == (f.Wake == ""):
		return Bell{}, errors.New("findings message holds neither a finding nor a wake, or both")
	case f.Finding != nil && (f.Finding.Rule == "" || f.Finding.Key == "" || len(f.Finding.Event) == 0):
		return Bell{}, errors.New("finding without rule, key or event")
	}
	return Bell{Finding: f.Finding, Wake: f.Wake}, nil
}

// encode is json.Marshal without HTML escaping, so that the raw event inside a
// finding or a run keeps its bytes.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return EscapeNoncharacters(bytes.TrimSuffix(buf.Bytes(), []byte("\n"))), nil
}
