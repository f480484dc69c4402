package lang

import (
	"cmp"
	"strings"

	"github.com/skycrafters/responder"
)

// EventNames are the names that EventEnv gives.
func EventNames() []string {
	return []string{"event", "action", "ok", "denied", "req", "resp", "actor", "ip", "account", "region", "time"}
}

// actorKeys are the keys of `actor`. Read-only.
var actorKeys = []string{"type", "name", "arn", "id", "account", "key", "session"}

// EventEnv is the environment over an event:
//
//	event    the event as it came
//	action   "service:Call", as IAM spells services: "iam:CreateUser"; nil for what is no call
//	ok       the call worked: no errorCode, and for a console login "Success"; nil for what is no call
//	denied   it was refused for lack of permission
//	req      the call's request parameters;  resp  its response elements
//	actor    {type, name, arn, id, account, key, session}
//	ip       the caller's address, nil unless it is one (AWS writes host names there, too)
//	account  {id, name, and what `accounts` says}; name is the id where nobody gave another
//	region   where;  time  when, by the event itself
//
// What the event does not tell is nil. accounts is by account id. The map is
// new: the caller may add names. Cost: a few small maps.
func EventEnv(event responder.Event, accounts map[string]map[string]any) map[string]any {
	detail, _ := event.Body["detail"].(map[string]any)
	env := map[string]any{
		"event":   event.Body,
		"action":  nil,
		"ok":      nil,
		"denied":  nil,
		"req":     detail["requestParameters"],
		"resp":    detail["responseElements"],
		"actor":   actor(detail),
		"ip":      nil,
		"account": account(event, accounts),
		"region":  orNil(event.Region()),
		"time":    nil,
	}
	if t, ok := event.Time(); ok {
		env["time"] = t
	}
	if _, ok := parseAddress(detail["sourceIPAddress"]); ok {
		env["ip"] = detail["sourceIPAddress"]
	}
	if source, _ := detail["eventSource"].(string); source != "" && !event.OfPartner() {
		if name, _ := detail["eventName"].(string); name != "" {
			code := detail["errorCode"]
			env["action"] = Service(source) + ":" + name
			env["ok"] = Worked(code != nil && code != "", name, text(detail, "responseElements", "ConsoleLogin"))
			env["denied"] = Denied(text(detail, "errorCode"))
		}
	}
	return env
}

// Service is the first part of `action`: "iam" of "iam.amazonaws.com".
func Service(eventSource string) string {
	service, _, _ := strings.Cut(eventSource, ".")
	return service
}

// Worked is `ok` of a call: failed says that it has an error code, login is what
// the response of a ConsoleLogin tells.
func Worked(failed bool, eventName, login string) bool {
	return !failed && (eventName != "ConsoleLogin" || login == "Success")
}

// Denied is `denied` of a call: it knows the error codes that AWS services give
// for lack of permission.
func Denied(code string) bool {
	code = strings.TrimPrefix(code, "Client.")
	return strings.HasPrefix(code, "AccessDenied") || strings.HasPrefix(code, "Unauthorized") ||
		code == "AuthorizationError" || code == "Forbidden" || code == "NotAuthorized" || code == "NotAuthorizedException"
}

// Identity is what a record's userIdentity says in texts, "" where it says none.
type Identity struct {
	Type, ARN, PrincipalID, AccountID, AccessKeyID, UserName, InvokedBy string
	Issuer                                                              string // sessionContext.sessionIssuer.userName
}

// Name is `actor.name`, "" for nobody.
func (who Identity) Name() string {
	name := who.UserName
	switch who.Type {
	case "Root":
		name = "Root user"
	case "AssumedRole":
		if who.Issuer != "" {
			name = who.Issuer
		}
	case "AWSService":
		name = who.InvokedBy
	}
	return cmp.Or(name, lastOf(who.ARN), who.InvokedBy, who.PrincipalID)
}

// Session is `actor.session`; ok is false for what is no session.
func (who Identity) Session() (session string, ok bool) {
	if who.Type != "AssumedRole" {
		return "", false
	}
	_, session, ok = strings.Cut(who.PrincipalID, ":")
	return session, ok
}

func actor(detail map[string]any) map[string]any {
	object, _ := detail["userIdentity"].(map[string]any)
	who := Identity{
		Type: text(object, "type"), ARN: text(object, "arn"), PrincipalID: text(object, "principalId"), AccountID: text(object, "accountId"),
		AccessKeyID: text(object, "accessKeyId"), UserName: text(object, "userName"), InvokedBy: text(object, "invokedBy"),
		Issuer: text(object, "sessionContext", "sessionIssuer", "userName"),
	}
	a := map[string]any{
		"type": orNil(who.Type), "arn": orNil(who.ARN), "id": orNil(who.PrincipalID), "account": orNil(who.AccountID),
		"key": orNil(who.AccessKeyID), "session": nil, "name": orNil(who.Name()),
	}
	if session, ok := who.Session(); ok {
		a["session"] = session
	}
	return a
}

// lastOf is what stands behind the last slash of an ARN.
func lastOf(arn string) string {
	if i := strings.LastIndexByte(arn, '/'); i >= 0 {
		return arn[i+1:]
	}
	return ""
}

func account(event responder.Event, accounts map[string]map[string]any) map[string]any {
	id := event.Account()
	known := accounts[id]
	a := make(map[string]any, len(known)+2)
	a["name"] = orNil(id)
	for k, v := range known {
		a[k] = v
	}
	a["id"] = orNil(id)
	return a
}

// text follows keys through objects to a text, "" where there is none.
func text(object map[string]any, path ...string) string {
	var value any = object
	for _, key := range path {
		value = member(value, key)
	}
	s, _ := value.(string)
	return s
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// FindingNames are the names that FindingEnv gives beyond EventNames.
func FindingNames() []string {
	return []string{"finding", "rule", "id", "title", "severity", "message", "resources", "meta", "number", "key"}
}

// FindingEnv is EventEnv with what a finding says, each part by its own name
// and all under `finding`.
func FindingEnv(f responder.Finding, event responder.Event, accounts map[string]map[string]any) map[string]any {
	env := EventEnv(event, accounts)
	resources := make([]any, len(f.Resources))
	for i, r := range f.Resources {
		resources[i] = r
	}
	var meta any
	if f.Meta != nil {
		meta = f.Meta
	}
	finding := map[string]any{
		"rule": f.Rule, "id": orNil(f.ID), "title": f.Title, "severity": f.Severity, "message": f.Message,
		"resources": resources, "meta": meta, "number": f.Number, "key": f.Key,
	}
	for name, value := range finding {
		env[name] = value
	}
	env["finding"] = finding
	return env
}
