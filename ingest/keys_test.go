package ingest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/rs/zerolog"

	"github.com/skycrafters/responder"
)

func digestOf(text string) [sha256.Size]byte { return sha256.Sum256([]byte(text)) }

// keep sets both values of the secret; the previous one counts for an hour.
func (s *setup) keep(current, previous string) {
	s.secrets.secret = responder.Secret{
		Current: responder.NewSecretText(current), Previous: responder.NewSecretText(previous), Until: s.now.Add(time.Hour),
	}
}

// eventOf is an event of an account, with a detail.
func eventOf(account, detail string) string {
	return `{"id":"x","source":"aws.iam","detail-type":"b","account":` + account + `,"detail":` + detail + `}`
}

func TestAcceptWhoseKey(t *testing.T) {
	list := listOf(keyOf("prod", prodKey, prod), keyOf("stage", stageKey, stage))
	const newKey = "new-key-0123456789abcdef"
	for name, test := range map[string]struct {
		current, previous string
		key               string
		later             bool // an hour later
		id                string
		old               bool
		speaks            string // for this account; "": for all
		err               error
	}{
		"the first of a list":                {current: list, key: prodKey, id: "prod", speaks: prod},
		"the last of a list":                 {current: list, key: stageKey, id: "stage", speaks: stage},
		"the list itself":                    {current: list, key: list, err: ErrKey},
		"an id":                              {current: list, key: "prod", err: ErrKey},
		"one bare key":                       {current: prodKey, key: prodKey},
		"one bare key, its file's end less":  {current: prodKey + "\n", key: prodKey},
		"bare before, a list now":            {current: list, previous: newKey, key: newKey, old: true},
		"a list before, bare now":            {current: newKey, previous: list, key: prodKey, id: "prod", old: true, speaks: prod},
		"a list before, bare now: new":       {current: newKey, previous: list, key: newKey},
		"a list before, and time is up":      {current: newKey, previous: list, key: prodKey, later: true, err: ErrKey},
		"in both: what it may now":           {current: listOf(keyOf("less", prodKey, stage)), previous: listOf(keyOf("more", prodKey)), key: prodKey, id: "less", speaks: stage},
		"in both: bare before, narrowed now": {current: list, previous: prodKey, key: prodKey, id: "prod", speaks: prod},
		"taken out, in its time":             {current: listOf(keyOf("stage", stageKey)), previous: list, key: prodKey, id: "prod", old: true, speaks: prod},
		"taken out at once: set twice":       {current: newKey, previous: newKey, key: prodKey, err: ErrKey},
		"a text in quotes now":               {current: `"` + prodKey + `"`, previous: list, key: prodKey, err: errSecret},
		"broken JSON now":                    {current: list[:40], previous: list, key: prodKey, err: errSecret},
		"broken JSON before":                 {current: list, previous: list[:40], key: prodKey, id: "prod", speaks: prod},
		"broken JSON before, wrong key":      {current: list, previous: list[:40], key: newKey, err: ErrKey},
		"broken JSON shown as the key":       {current: list[:40], key: list[:40], err: errSecret},
		"broken JSON before, as the key":     {current: list, previous: list[:40], key: list[:40], err: ErrKey},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetup()
			s.keep(test.current, test.previous)
			if test.later {
				s.now = s.secrets.secret.Until
			}
			who, err := s.keys.check(t.Context(), test.key)
			if !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			if who.ID != test.id || who.previous != test.old {
				t.Errorf("it is %q's, previous %v; want %q, %v", who.ID, who.previous, test.id, test.old)
			}
			for _, account := range []string{prod, stage, stranger} {
				if want := err != nil || test.speaks == "" || test.speaks == account; who.SpeaksFor(account) != want {
					t.Errorf("it speaks for %s: %v, want %v", account, !want, want)
				}
			}
		})
	}
}

// A secret is parsed once, however many requests come, and again when it changes.
func TestSecretIsParsedOnce(t *testing.T) {
	s := newSetup()
	s.keep(listOf(keyOf("prod", prodKey)), previousKey)
	check := func() *pair {
		if _, err := s.keys.check(t.Context(), prodKey); err != nil {
			t.Fatal(err)
		}
		return s.keys.last.Load()
	}
	first := check()
	if check() != first {
		t.Error("the same secret was parsed again")
	}
	s.keep(listOf(keyOf("prod", prodKey)), "another")
	if check() == first {
		t.Error("another previous value was not parsed")
	}
	if n := testing.AllocsPerRun(100, func() { check() }); n > 4 {
		t.Errorf("%v allocations a check", n)
	}
}

func TestAcceptForeignEvents(t *testing.T) {
	quoted := func(account string) string { return `"` + account + `"` }
	record := func(more string) string {
		return `{"eventSource":"iam.amazonaws.com","eventName":"CreateUser"` + more + `}`
	}
	for name, test := range map[string]struct{ event, want string }{ // want "": taken
		"own":                                {eventOf(quoted(prod), `{}`), ""},
		"foreign":                            {eventOf(quoted(stranger), `{}`), "its `account` 999900001111 is none of the key's"},
		"of another key":                     {eventOf(quoted(stage), `{}`), "its `account` 444455556666 is none of the key's"},
		"of none":                            {event1, "it names no `account`"},
		"empty":                              {eventOf(quoted(""), `{}`), "it names no `account`"},
		"a number":                           {eventOf(prod, `{}`), "it names no `account`"},
		"a list":                             {eventOf(`["`+prod+`"]`, `{}`), "it names no `account`"},
		"own and more":                       {eventOf(quoted(prod+" "), `{}`), "its `account` is none"},
		"Account":                            {strings.Replace(eventOf(quoted(prod), `{}`), "account", "Account", 1), "it names no `account`"},
		"said twice, the last counts":        {`{"account":"` + prod + `",` + eventOf(quoted(stranger), `{}`)[1:], "its `account` 999900001111"},
		"said twice, own last":               {`{"account":"` + stranger + `",` + eventOf(quoted(prod), `{}`)[1:], ""},
		"record's own":                       {eventOf(quoted(prod), `{"recipientAccountId":"`+prod+`"}`), ""},
		"record's null":                      {eventOf(quoted(prod), `{"recipientAccountId":null}`), ""},
		"record's foreign":                   {eventOf(quoted(prod), `{"recipientAccountId":"`+stranger+`"}`), "its `detail.recipientAccountId` 999900001111 is none"},
		"record's own, envelope foreign":     {eventOf(quoted(stranger), `{"recipientAccountId":"`+prod+`"}`), "its `account` 999900001111"},
		"record's number":                    {eventOf(quoted(prod), `{"recipientAccountId":`+stranger+`}`), "its `detail.recipientAccountId` is none"},
		"record's empty":                     {eventOf(quoted(prod), `{"recipientAccountId":""}`), "its `detail.recipientAccountId` is none"},
		"record's said twice":                {eventOf(quoted(prod), `{"recipientAccountId":"`+prod+`","recipientAccountId":"`+stranger+`"}`), "its `detail.recipientAccountId` 999900001111"},
		"escaped, and so the same":           {eventOf(quoted(prod), `{"recipientAccount\u0049d":"`+stranger+`"}`), "its `detail.recipientAccountId` 999900001111"},
		"a foreign caller":                   {eventOf(quoted(prod), `{"recipientAccountId":"`+prod+`","userIdentity":{"accountId":"`+stranger+`"}}`), ""},
		"raw record, own":                    {record(`,"recipientAccountId":"` + prod + `"`), ""},
		"raw record, foreign":                {record(`,"recipientAccountId":"` + stranger + `"`), "its `account` 999900001111"},
		"raw record, own, foreign caller":    {record(`,"recipientAccountId":"` + prod + `","userIdentity":{"accountId":"` + stranger + `"}`), ""},
		"raw record, of its caller":          {record(`,"userIdentity":{"accountId":"` + prod + `"}`), ""},
		"raw record, of its foreign caller":  {record(`,"userIdentity":{"accountId":"` + stranger + `"}`), "its `account` 999900001111"},
		"raw record, of none":                {record(""), "it names no `account`"},
		"raw record with an account written": {record(`,"account":"` + prod + `"`), "it names no `account`"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetup()
			s.keep(listOf(keyOf("prod", prodKey, prod), keyOf("stage", stageKey, stage), keyOf("all", rightKey+"-of-the-list")), "")
			body := "[" + eventOf(quoted(prod), `{}`) + ",\n" + test.event + ",\n" + eventOf(quoted(prod), `{}`) + "]"
			ids, err := s.Accept(t.Context(), Request{Key: prodKey, Body: strings.NewReader(body)})
			var wrong *BodyError
			switch {
			case test.want == "" && (err != nil || len(ids) != 3 || len(s.queue.sent()) != 3):
				t.Errorf("%d ids, %d sent, %v", len(ids), len(s.queue.sent()), err)
			case test.want != "" && (!errors.As(err, &wrong) || wrong.Status != http.StatusForbidden || wrong.Element != 1 || wrong.Line != 2 || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error %v, want 403 of element 1 on line 2: %s", err, test.want)
			case test.want != "" && (ids != nil || len(s.queue.calls) > 0):
				t.Errorf("ids %q, sent %q in spite of %v", ids, s.queue.sent(), err)
			}
			if _, err := s.Accept(t.Context(), Request{Key: rightKey + "-of-the-list", Body: strings.NewReader(body)}); err != nil {
				t.Errorf("of the key for all accounts: %v", err)
			}
		})
	}
}

// fronts post a body with a key, by either front, and give status, answer and log.
var fronts = map[string]func(t *testing.T, s *setup, key, body string) (int, string, string){
	"Handler": func(t *testing.T, s *setup, key, body string) (int, string, string) {
		var log bytes.Buffer
		res := serve(s, &log, post(body, func(r *http.Request) { r.Header.Set("X-Api-Key", key) }))
		answer, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(answer), log.String()
	},
	"Lambda": func(t *testing.T, s *setup, key, body string) (int, string, string) {
		var log bytes.Buffer
		res, err := Lambda(s.Ingest, zerolog.New(&log))(t.Context(), events.APIGatewayProxyRequest{
			HTTPMethod: "POST", Resource: "/events", Headers: map[string]string{"x-API-key": key}, Body: body})
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, res.Body, log.String()
	},
}

// What both fronts answer, log and let be counted, by key.
func TestFrontsByKey(t *testing.T) {
	list := listOf(keyOf("prod", prodKey, prod), keyOf("all", stageKey))
	own, foreign := eventOf(`"`+prod+`"`, `{}`), eventOf(`"`+stranger+`"`, `{}`)
	for name, test := range map[string]struct {
		current, previous string
		key, body         string
		queue             error
		want              Observation
		answer, log       string // parts
	}{
		"a list's key":         {list, "", prodKey, own + own, nil, Observation{202, 2, "prod"}, `"accepted":2`, `"key":"prod","events":2`},
		"a bare key":           {rightKey, "", rightKey, own, nil, Observation{202, 1, ""}, `"accepted":1`, `"events":1`},
		"an old key":           {rightKey, list, prodKey, own, nil, Observation{202, 1, "prod"}, `"accepted":1`, `"key":"prod","previous_key":true,"events":1`},
		"a foreign event":      {list, "", prodKey, own + foreign, nil, Observation{403, 0, "prod"}, "element 1 (line 1): the API key may not speak for this event", `"key":"prod","status":403`},
		"no event":             {list, "", prodKey, "[]", nil, Observation{400, 0, "prod"}, "no events", `"key":"prod","status":400`},
		"a wrong key":          {list, "", "wrong", own, nil, Observation{401, 0, ""}, "missing or wrong", "missing or wrong"},
		"queue is down":        {list, "", prodKey, own, errDown, Observation{503, 0, "prod"}, "send them all again", `"key":"prod","error":"send 1 events to the queue: it is down"`},
		"queue is down partly": {list, "", prodKey, own + own, &responder.SendError{Failed: map[int]error{1: errDown}}, Observation{503, 0, "prod"}, "send them all again", "#1: it is down"},
		"broken JSON":          {list[:60], rightKey, rightKey, own, nil, Observation{503, 0, ""}, "send them all again", "the API keys cannot be told: the secret begins like JSON, but is none from byte 60 on"},
		"broken JSON before":   {list, list[:60], rightKey, own, nil, Observation{401, 0, ""}, `"detail":"the API key is missing or wrong"`, "previous value are not known: the secret begins like JSON"},
		"a short key":          {listOf(keyOf("a", "short")), "", "short", own, nil, Observation{503, 0, ""}, "send them all again", "keys[0] has no `key` of at least 16 characters"},
	} {
		for front, send := range fronts {
			t.Run(name+"/"+front, func(t *testing.T) {
				s := newSetup()
				s.keep(test.current, test.previous)
				s.queue.err = test.queue
				var seen []Observation
				s.Observe = func(o Observation) { seen = append(seen, o) }
				status, answer, log := send(t, s, test.key, test.body)
				if status != test.want.Status || len(seen) != 1 || seen[0] != test.want {
					t.Errorf("status %d, observed %+v; want %+v", status, seen, test.want)
				}
				if !strings.Contains(answer, test.answer) || !strings.Contains(log, test.log) || strings.Count(log, "\n") != 1 {
					t.Errorf("answered %s and logged %s; want %s and %s", answer, log, test.answer, test.log)
				}
				for _, secret := range []string{prodKey, stageKey, rightKey, prodKey[:12], "short"} {
					if name != "a short key" && secret == "short" {
						continue
					}
					if strings.Contains(answer+log, secret) {
						t.Errorf("%q is told: %s %s", secret, answer, log)
					}
				}
				if status != 202 && test.queue == nil && len(s.queue.calls) > 0 {
					t.Errorf("sent %q", s.queue.sent())
				}
			})
		}
	}
}

// Requests that never reach the key are observed as well.
func TestObserveOtherRequests(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*http.Request)
		status int
	}{
		"health":       {func(r *http.Request) { r.Method, r.URL.Path = "GET", "/healthz" }, 200},
		"elsewhere":    {func(r *http.Request) { r.URL.Path = "/" }, 404},
		"foreign host": {func(r *http.Request) { r.Host = "evil.example" }, 403},
		"a browser":    {func(r *http.Request) { r.Header.Set("Origin", "null") }, 403},
		"too large":    {func(r *http.Request) { r.ContentLength = MaxBodyBytes + 1 }, 413},
	} {
		s := newSetup()
		var seen []Observation
		s.Observe = func(o Observation) { seen = append(seen, o) }
		serve(s, io.Discard, post(event1, test.change))
		if want := (Observation{Status: test.status}); len(seen) != 1 || seen[0] != want {
			t.Errorf("%s: observed %+v, want %+v", name, seen, want)
		}
	}
}

// A secret that makes no sense counts from the moment it is mended.
func TestMendedSecretCountsAtOnce(t *testing.T) {
	value := func(text string) responder.Secret { return responder.Secret{Current: responder.NewSecretText(text)} }
	secrets := &cachedSecrets{
		fakeSecrets: fakeSecrets{name: "k", secret: value(`{"keys":`)},
		behind:      fakeSecrets{name: "k", secret: value(listOf(keyOf("prod", prodKey)))},
	}
	in := New(&fakeQueue{}, Keys{Secrets: secrets, Name: "k", Now: time.Now})
	if _, err := in.Accept(t.Context(), Request{Key: prodKey, Body: strings.NewReader(event1)}); err != nil || secrets.looked != 1 {
		t.Errorf("%v after %d looks", err, secrets.looked)
	}
	secrets.behind.err = errDown
	if _, err := in.Accept(t.Context(), Request{Key: prodKey, Body: strings.NewReader(event1)}); !errors.Is(err, errDown) {
		t.Errorf("while it cannot be looked at: %v", err)
	}
}

// Values that change under many requests are not mixed up.
func TestKeysConcurrently(t *testing.T) {
	s := newSetup()
	secrets := &turning{values: []string{listOf(keyOf("prod", prodKey, prod)), listOf(keyOf("prod", prodKey, prod, stage)), prodKey}}
	s.keys.Secrets = secrets
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				if who, err := s.keys.check(t.Context(), prodKey); err != nil || !who.SpeaksFor(prod) {
					t.Errorf("%+v, %v", who, err)
				}
				if _, err := s.keys.check(t.Context(), "wrong"); !errors.Is(err, ErrKey) {
					t.Errorf("a wrong key: %v", err)
				}
			}
		})
	}
	all.Wait()
}

// turning gives another value each time.
type turning struct {
	mu     sync.Mutex
	n      int
	values []string
}

func (s *turning) Get(context.Context, string) (responder.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	return responder.Secret{Current: responder.NewSecretText(s.values[s.n%len(s.values)])}, nil
}

func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("%d keys", n), func(b *testing.B) {
			s := newSetup()
			keys := make([]string, n)
			for i := range keys {
				keys[i] = keyOf(fmt.Sprint("id-", i), fmt.Sprintf("%s-%d", prodKey, i), prod)
			}
			s.keep(listOf(keys...), previousKey)
			for b.Loop() {
				if _, err := s.keys.check(b.Context(), prodKey+"-0"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
