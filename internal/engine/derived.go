package engine

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/skycrafters/responder/internal/lang"
)

// derivation works out a value from slots of the event. What it means is
// internal/lang's to say (EventEnv); here it is read from slots.
type derivation func(f *frame) value

// partner begins the source of events that a partner of AWS has sent; see
// responder.Event.OfPartner.
const partner = "aws.partner/"

// derive gives the slot of a name that is not simply a path; ok is false if it
// is none of those.
func (b *builder) derive(path []string) (at slot, ok bool) {
	name := strings.Join(path, "\x00")
	if at, ok := b.named[name]; ok {
		return at, true
	}
	make := b.derivation(path)
	if make == nil {
		return 0, false
	}
	return b.derivedSlot(name, make), true
}

// derivedSlot gives the slot of a derivation, made once for a name.
func (b *builder) derivedSlot(name string, make func() derivation) slot {
	if at, ok := b.named[name]; ok {
		return at
	}
	made := make() // may ask for other derivations first
	b.derivations = append(b.derivations, made)
	at := slot(-len(b.derivations))
	b.named[name] = at
	return at
}

func (b *builder) derivation(path []string) func() derivation {
	switch path[0] {
	case "action", "ok", "denied", "ip", "region", "time":
		if len(path) > 1 {
			return nil
		}
	case "actor", "account":
		if len(path) != 2 {
			return nil
		}
	}
	switch path[0] {
	case "action":
		return b.action
	case "ok":
		return b.worked
	case "denied":
		return b.denied
	case "ip":
		return b.ip
	case "region":
		return b.region
	case "time":
		return b.time
	case "actor":
		return b.actor(path[1])
	case "account":
		return b.account(path[1])
	}
	return nil
}

// at gives the slot of a path of keys.
func (b *builder) at(path ...string) slot {
	steps := make([]step, len(path))
	for i, name := range path {
		steps[i] = key(name)
	}
	return slot(b.paths.add(steps))
}

// call is read by all that is told of calls alone.
func (b *builder) call() func(f *frame) (source, name string, ok bool) {
	source, name, of := b.at("detail", "eventSource"), b.at("detail", "eventName"), b.at("source")
	return func(f *frame) (string, string, bool) {
		s, n := f.text(source), f.text(name)
		return s, n, s != "" && n != "" && !strings.HasPrefix(f.text(of), partner)
	}
}

func (b *builder) action() derivation {
	call := b.call()
	return func(f *frame) value {
		source, name, ok := call(f)
		if !ok {
			return value{}
		}
		return textValue(f.join(lang.Service(source), ":", name))
	}
}

func (b *builder) worked() derivation {
	call, code, login := b.call(), b.at("detail", "errorCode"), b.at("detail", "responseElements", "ConsoleLogin")
	return func(f *frame) value {
		_, name, ok := call(f)
		if !ok {
			return value{}
		}
		failed := f.get(code)
		return truthValue(lang.Worked(failed.kind != isNil && !(failed.kind == isText && failed.text == ""), name, f.text(login)))
	}
}

func (b *builder) denied() derivation {
	call, code := b.call(), b.at("detail", "errorCode")
	return func(f *frame) value {
		if _, _, ok := call(f); !ok {
			return value{}
		}
		return truthValue(lang.Denied(f.text(code)))
	}
}

func (b *builder) ip() derivation {
	at := b.at("detail", "sourceIPAddress")
	return func(f *frame) value {
		v := f.get(at)
		if v.kind != isText {
			return value{}
		}
		if _, ok := lang.ParseAddress(v.text); !ok {
			return value{}
		}
		return *v
	}
}

func (b *builder) region() derivation {
	own, event := b.at("detail", "awsRegion"), b.at("region")
	return func(f *frame) value {
		if region := f.text(own); region != "" {
			return textValue(region)
		}
		return textOrNil(f.text(event))
	}
}

func (b *builder) time() derivation {
	own, event := b.at("detail", "eventTime"), b.at("time")
	return func(f *frame) value {
		for _, at := range [...]slot{own, event} {
			text := f.text(at)
			if text == "" {
				continue
			}
			if t, err := time.Parse(time.RFC3339, text); err == nil {
				f.time = t
				return timeValue(&f.time)
			}
		}
		return value{}
	}
}

// actor gives the derivation of one of the actor's keys, nil for another.
func (b *builder) actor(name string) func() derivation {
	field := func(name string) slot { return b.at("detail", "userIdentity", name) }
	plain := map[string]string{"type": "type", "arn": "arn", "id": "principalId", "account": "accountId", "key": "accessKeyId"}
	switch {
	case plain[name] != "":
		return func() derivation {
			at := field(plain[name])
			return func(f *frame) value { return textOrNil(f.text(at)) }
		}
	case name == "session":
		return func() derivation {
			kind, principal := field("type"), field("principalId")
			return func(f *frame) value {
				session, ok := lang.Identity{Type: f.text(kind), PrincipalID: f.text(principal)}.Session()
				if !ok {
					return value{}
				}
				return textValue(session)
			}
		}
	case name == "name":
		return func() derivation {
			kind, arn, principal, user, by := field("type"), field("arn"), field("principalId"), field("userName"), field("invokedBy")
			issuer := b.at("detail", "userIdentity", "sessionContext", "sessionIssuer", "userName")
			return func(f *frame) value {
				return textOrNil(lang.Identity{
					Type: f.text(kind), ARN: f.text(arn), PrincipalID: f.text(principal), UserName: f.text(user), InvokedBy: f.text(by), Issuer: f.text(issuer),
				}.Name())
			}
		}
	}
	return nil
}

// account gives the derivation of one of the account's keys.
func (b *builder) account(name string) func() derivation {
	return func() derivation {
		at := b.at("account")
		if name == "id" {
			return func(f *frame) value { return textOrNil(f.text(at)) }
		}
		said := map[string]value{}
		for id, fields := range b.accounts {
			if v, ok := fields[name]; ok {
				said[id] = constant(v)
			}
		}
		return func(f *frame) value {
			id := f.text(at)
			if v, ok := said[id]; ok {
				return v
			}
			if name == "name" {
				return textOrNil(id)
			}
			return value{}
		}
	}
}

// folded is a slot's text for conditions of which case is no part: an ASCII text
// in lower case, nil of nil, and unknown of all else, for other letters fold in
// ways of their own, and lower() of what is no text fails.
func (b *builder) folded(of slot) slot {
	return b.derivedSlot(fmt.Sprint("folded ", of), func() derivation {
		return func(f *frame) value {
			switch v := f.get(of); {
			case v.kind == isNil:
				return value{}
			case v.kind != isText || !isASCII(v.text):
				return value{kind: unknown}
			default:
				return textValue(f.swapped(v.text, 'A'))
			}
		}
	})
}

// swapped is an ASCII text with the letters of one case, which begin with first,
// in the other, in the frame's own bytes.
func (f *frame) swapped(text string, first byte) string {
	room := f.event.room(len(text))
	from := len(room)
	room = append(room, text...)
	f.event.undone = room
	i := from
	for ; i+8 <= len(room); i += 8 {
		here := room[i : i+8 : i+8]
		eight := binary.LittleEndian.Uint64(here)
		behind := eight + ones*(utf8.RuneSelf-uint64(first)) // its highest bits: from first on
		beyond := behind - ones*26                           // and here: behind the last
		binary.LittleEndian.PutUint64(here, eight^(behind&^beyond&highs)>>2)
	}
	for ; i < len(room); i++ {
		if room[i]-first < 26 {
			room[i] ^= ' '
		}
	}
	return between(room, from, len(room))
}

// join puts a text together in the frame's own bytes.
func (f *frame) join(parts ...string) string {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	room := f.event.room(n)
	from := len(room)
	for _, p := range parts {
		room = append(room, p...)
	}
	f.event.undone = room
	return between(room, from, len(room))
}
