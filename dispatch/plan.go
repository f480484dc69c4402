package dispatch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// plan gives the repairs that the question at a path is about.
func (w *worker) plan(path string) []responder.Planned {
	about, perhaps := following(w.run.Flow.Steps, path)
	var plan []responder.Planned
	for _, at := range about {
		step := locate(w.run.Flow.Steps, at)
		begun, spec, err := w.scene.cast(w.run, Task{Begin, at, step})
		if begun.Kind != responder.Repair {
			continue
		}
		p := w.planned(at, begun.Action, nil)
		p.Perhaps = perhaps[at]
		if err == nil {
			p.Params, _, err = w.scene.resolve(w.run, Task{Begin, at, step}, spec, stepEnv(w.scene.finding, w.run, at))
		}
		if err != nil {
			p.Params, p.Unknown = nil, cleanText(err.Error())
		} else {
			whole := w.wouldWhole(Task{Attempt, at, step}, &responder.StepState{Action: p.Action, Kind: begun.Kind, Params: p.Params})
			if p.Would = cut(whole, maxWould); p.Would != whole { // nobody says yes to what they do not see
				p.Params, p.Unknown = nil, tooLong
			}
		}
		if p.Would == "" {
			p.Would = string(step.Kind)
		}
		p.Would = w.there(p.Would)
		plan = append(plan, p)
	}
	return plan
}

// planned is a repair as a question is about it.
func (w *worker) planned(path, action string, params map[string]any) responder.Planned {
	return responder.Planned{
		Step: path, Action: action, Params: params, Would: action,
		Account: w.scene.event.Account(), Region: w.scene.event.Region(),
	}
}

// there adds to what would be done where: the account, by its name where
// `accounts` gives it one, and the region.
func (w *worker) there(would string) string {
	account, region := w.scene.event.Account(), w.scene.event.Region()
	if name, ok := w.Accounts()[account]["name"].(string); ok && name != "" {
		account = fmt.Sprintf("%s (%s)", cut(cleanText(name), maxAuditText), account)
	}
	places := slices.DeleteFunc([]string{account, region}, func(place string) bool { return place == "" })
	if len(places) == 0 {
		return would
	}
	return would + " in " + strings.Join(places, ", ")
}

// digestOf identifies exactly what is asked: SHA-256, in hexadecimal.
func digestOf(run *responder.Run, path string, a *responder.Approval) (string, error) {
	data, err := json.Marshal(struct {
		Run, Step, Flow string
		Veto            bool
		Text            string
		By              responder.Approvers
		Not             responder.Barred
		Plan            []responder.Planned
		Asked, Until    time.Time
	}{run.ID, path, run.Flow.Digest, a.Veto, a.Text, a.By, a.Not, a.Plan, a.Asked.UTC(), a.Until.UTC()})
	if err != nil {
		return "", fmt.Errorf("what is asked cannot be stored: %w", err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// same reports whether two repairs are the same one.
func same(a, b responder.Planned) bool {
	a.Would, a.Perhaps, b.Would, b.Perhaps = "", false, "", false
	one, err := json.Marshal(a)
	other, otherErr := json.Marshal(b)
	return err == nil && otherErr == nil && a.Unknown == "" && bytes.Equal(one, other)
}
