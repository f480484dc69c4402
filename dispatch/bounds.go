package dispatch

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/ansi"
)

// What a run keeps of one step, at most.
const (
	maxErrorText   = 2 << 10
	maxResultBytes = 16 << 10
	maxExcerpt     = 1 << 10 // of a result that was too large
	maxTargets     = 1000    // things that one repair touches
	maxUndoBytes   = 64 << 10
)

// cleanText makes a text from outside fit to be stored and shown on one line:
// valid UTF-8, without terminal sequences, control and direction characters, at most 2 KiB.
func cleanText(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == '\u2028', r == '\u2029':
			return -1
		}
		return r
	}, ansi.Strip(strings.ToValidUTF8(text, "\uFFFD")))
	return cut(text, maxErrorText)
}

// cut shortens a text to at most n bytes, on a character's boundary.
func cut(text string, n int) string {
	const mark = "…"
	if len(text) <= n {
		return text
	}
	n -= len(mark)
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + mark
}

// boundResult gives a result as it will be read back from the store, so that
// nothing depends on whether a run was stored in between. One over 16 KiB is
// replaced by its beginning; one that cannot be stored, by the reason: it does
// not undo what was done.
func boundResult(result map[string]any) map[string]any {
	if len(result) == 0 {
		return nil
	}
	data, err := json.Marshal(result)
	if err != nil {
		return map[string]any{"cut": cleanText(err.Error())}
	}
	if len(data) > maxResultBytes {
		return map[string]any{"cut": cut(string(data), maxExcerpt), "bytes": float64(len(data))}
	}
	var plain map[string]any
	if err := json.Unmarshal(data, &plain); err != nil {
		return map[string]any{"cut": cleanText(err.Error())}
	}
	return plain
}

// boundSurvey gives what a repair found as it will be read back from the store.
// One that would touch more things than a run keeps is refused: what is not
// known cannot be guarded. What is too large to be put back is said to be
// lasting.
func boundSurvey(found responder.Survey) (*responder.Survey, error) {
	if n := len(found.Targets); n > maxTargets {
		return nil, &responder.Permanent{Err: fmt.Errorf("it would touch %d things; one repair touches at most %d", n, maxTargets)}
	}
	found.Found = boundResult(found.Found)
	if data, err := json.Marshal(found.Undo); err != nil || len(data) > maxUndoBytes {
		found.Undo = nil
		found.Lasting = append(slices.Clone(found.Lasting), "how it was: more than a run keeps")
	}
	data, err := json.Marshal(found)
	if err != nil {
		return nil, &responder.Permanent{Err: err}
	}
	bounded := &responder.Survey{}
	if err := json.Unmarshal(data, bounded); err != nil {
		return nil, &responder.Permanent{Err: err}
	}
	return bounded, nil
}
