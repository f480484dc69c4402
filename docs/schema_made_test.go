package docs

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/skycrafters/responder"
)

// object is a piece of a JSON Schema, draft 7: what yaml-language-server, and
// so most editors, understand whole.
type object = map[string]any

// The schemas are for one file of several that are merged: they ask for nothing
// that another file may give.

func TestSchemas(t *testing.T) {
	for name, schema := range map[string]object{"rules": rulesSchema(t), "flows": flowsSchema(t)} {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if err := enc.Encode(schema); err != nil {
			t.Fatal(err)
		}
		same(t, schemaPath(name), b.String())
	}
}

// described gives the schemas of an object's keys. The keys are those the
// loader knows: a key without a schema, or a schema without a key, fails.
func described(t *testing.T, what string, keys []string, schemas object) object {
	t.Helper()
	have := slices.Sorted(maps.Keys(schemas))
	if want := slices.Sorted(slices.Values(keys)); !slices.Equal(have, want) {
		t.Errorf("%s: the schema has the keys %v, the loader %v", what, have, want)
	}
	return schemas
}

func ref(name string) object { return object{"$ref": "#/definitions/" + name} }

// say puts a description on a schema; beside $ref draft 7 reads nothing else.
func say(description string, schema object) object {
	if schema["$ref"] != nil {
		schema = object{"allOf": []any{schema}}
	}
	said := maps.Clone(schema)
	said["description"] = description
	return said
}

// scalars are taken as the text that was written.
var scalar = []string{"string", "number", "boolean"}

func anyOf(schemas ...object) object {
	all := make([]any, len(schemas))
	for i, s := range schemas {
		all[i] = s
	}
	return object{"anyOf": all}
}

// listOf is one, or a list.
func listOf(one object) object { return anyOf(one, object{"type": "array", "items": one}) }

// orNull lets a key stand with nothing behind it.
func orNull(schema object) object { return anyOf(schema, object{"type": "null"}) }

func closed(properties object) object {
	return object{"type": "object", "properties": properties, "additionalProperties": false}
}

func common() object {
	return object{
		"expression": object{"type": scalar, "description": "An expression: docs/rules.md."},
		"text":       object{"type": scalar},
		"template":   object{"type": scalar, "description": "Text, in which {{ expression }} stands for its value."},
		"include": say("Files, or patterns such as packs/*.yml, that are read before this one. They lie in the folder of the main file or below.",
			listOf(object{"type": "string", "minLength": 1})),
	}
}

func rulesSchema(t *testing.T) object {
	t.Helper()
	definitions := common()
	definitions["rule"] = anyOf(
		say("The rule in one line: what must be true of an event.", ref("expression")),
		closed(described(t, "a rule", words(t, "detect/load.go", "ruleKeys"), object{
			"id":          say("An id of your own, carried into findings.", ref("text")),
			"title":       say("What it is about, in one line; the rule's name if not given.", ref("template")),
			"description": say("For those who read the rules; not used.", ref("text")),
			"severity": say("How much it matters, or an expression that gives it; MEDIUM if not given.", anyOf(
				object{"enum": severityNames()}, ref("expression"))),
			"when":      say("What must be true of an event; or an expression that gives an object, or a list of objects, one a finding.", ref("expression")),
			"each":      say("A list in the event: one finding for each element, which is called `item`.", ref("expression")),
			"if":        say("With `each`: the condition on each item.", ref("expression")),
			"vars":      say("Constants of this rule, read as vars.NAME.", orNull(object{"type": "object"})),
			"message":   say("What happened; the title if not given.", ref("template")),
			"resources": say("Expressions that give the ids or names of what the finding is about.", listOf(ref("expression"))),
			"key":       say("What tells this finding from others, in place of the event's own key.", ref("expression")),
			"check":     say("How to see whether it still holds: an action with its parameters.", binding(responder.Check)),
			"remediate": say("How to set it right: an action with its parameters. Only a flow can make it act.", binding(responder.Repair)),
			"enabled":   object{"type": "boolean", "description": "false turns the rule off."},
		})))
	bind(definitions, responder.Check, responder.Repair)
	top := closed(described(t, "rules.yml", words(t, "detect/load.go", "topKeys"), object{
		"include": ref("include"),
		"accounts": say("What is known of accounts, by id: a name, or an object of fields, read as account.FIELD.", orNull(object{
			"type":                 "object",
			"patternProperties":    object{"^[0-9]{12}$": orNull(anyOf(ref("text"), object{"type": "object", "properties": object{"id": false, "name": ref("text")}}))},
			"additionalProperties": false,
		})),
		"lists": say("Lists of texts, read as lists.NAME.", orNull(object{
			"type": "object", "additionalProperties": orNull(object{"type": "array", "items": ref("text")})})),
		"rules": say("The rules, by name.", orNull(object{
			"type": "object", "propertyNames": object{"pattern": "^[A-Za-z][A-Za-z0-9_.-]{0,99}$"}, "additionalProperties": ref("rule")})),
	}))
	return whole("Responder: rules.yml", "What to look for in events. Reference: docs/rules.md.", top, definitions)
}

func whole(title, description string, top, definitions object) object {
	schema := maps.Clone(top)
	schema["$schema"] = "http://json-schema.org/draft-07/schema#"
	schema["title"], schema["description"] = title, description
	schema["type"] = []string{"object", "null"}
	schema["definitions"] = definitions
	return schema
}

func severityNames() []string {
	var names []string
	for _, s := range responder.Severities() {
		names = append(names, s.String())
	}
	return names
}

// specs are the actions of some kinds, by name; of all without a kind.
func specs(kinds ...responder.Kind) []responder.Spec {
	all := catalogue()
	var found []responder.Spec
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if spec := all[name].Spec(); len(kinds) == 0 || slices.Contains(kinds, spec.Kind) {
			found = append(found, spec)
		}
	}
	return found
}

// binding is one action of a kind with its parameters.
func binding(kind responder.Kind) object {
	actions := object{}
	for _, spec := range specs(kind) {
		given := params(spec)
		var required []string
		for _, p := range spec.Params {
			if p.Required {
				required = append(required, p.Name)
			}
		}
		given["required"] = required
		actions[spec.Name] = say(spec.Doc, given)
	}
	one := closed(actions)
	one["minProperties"], one["maxProperties"] = 1, 1
	return one
}

// bind adds what the parameters of actions refer to.
func bind(definitions object, _ ...responder.Kind) {
	definitions["static"] = object{"type": scalar, "not": object{"type": "string", "pattern": `\{\{`}, "description": "Written out: no {{ }}."}
	definitions["message"] = anyOf(ref("template"), object{
		"type": "object", "minProperties": 1, "additionalProperties": false,
		"properties": object{
			"header": say("The first line.", ref("template")),
			"values": object{"type": "array", "description": "Lines of a label and a value.", "items": closed(object{
				"label": ref("template"),
				"value": say("Text with {{ expression }}; one that begins with $ is a JSONPath, as in files written for the original.", ref("template")),
			})},
		},
	})
}

// params are the parameters of an action, none of them required.
func params(spec responder.Spec) object {
	properties := object{}
	for _, p := range spec.Params {
		properties[p.Name] = say(p.Doc, orNull(param(p)))
	}
	if spec.Templates {
		properties["template"] = say("The name of a file templates/"+spec.Name+"/NAME.yml: the whole body of the message.",
			orNull(object{"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]*$"}))
	}
	return closed(properties)
}

// pair is the pattern of what responder.IsPair takes.
const pair = "^[A-Za-z0-9_]+="

func param(p responder.Param) object {
	switch {
	case p.Pairs && p.Static:
		return listOf(object{"type": "string", "pattern": pair, "not": object{"pattern": `\{\{`}, "description": "NAME=value, written out: no {{ }}."})
	case p.Pairs:
		return listOf(object{"type": "string", "pattern": pair, "description": "NAME=value, its name written out."})
	case p.Static && p.Type == responder.ListParam:
		return listOf(ref("static"))
	case p.Static:
		return ref("static")
	case p.Type == responder.ListParam:
		text := object{"type": scalar, "minLength": 1}
		return anyOf(text, object{"type": "array", "items": text, "minItems": 1})
	case p.Type == responder.MessageParam:
		return ref("message")
	case p.Type == responder.NumberParam:
		return anyOf(object{"type": "number"}, object{"type": "string", "pattern": `\{\{`})
	case p.Type == responder.BoolParam:
		return anyOf(object{"type": "boolean"}, object{"type": "string", "pattern": `\{\{`})
	}
	return ref("template")
}

func flowsSchema(t *testing.T) object {
	t.Helper()
	definitions := common()
	bind(definitions)
	definitions["duration"] = anyOf(object{"type": "number", "minimum": 0},
		object{"type": "string", "pattern": `^([0-9]+(\.[0-9]+)?|([0-9]+(\.[0-9]+)?(d|h|ms|m|s))+)$`})
	definitions["until"] = untilSchema()
	definitions["steps"] = orNull(object{"type": "array", "items": ref("step")})
	definitions["empty"] = orNull(object{"type": "object", "maxProperties": 0})

	beside := described(t, "beside a step", words(t, "dispatch/keys.go", "commonKeys"), object{
		"as":         object{"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "description": "A name: later expressions read steps.NAME."},
		"if":         say("The step is skipped unless this is true; with then: which branch is taken.", ref("expression")),
		"then":       say("With if: the steps if it is true.", ref("steps")),
		"else":       say("With if and then: the steps if it is not.", ref("steps")),
		"retry":      say("How often, and after what waits, a try that failed is made again.", retrySchema(t)),
		"timeout":    say("Of one try: 30s, 2m.", ref("duration")),
		"join":       joinSchema(),
		"on_error":   say("What a failure does to the run: continue, stop, or steps to take before going on.", anyOf(object{"enum": []string{"continue", "stop"}}, object{"type": "array", "items": ref("step")})),
		"tell":       tellSchema(),
		"on_deny":    sequelSchema("What follows a no: stop (if not given), fail, continue without the repairs that were asked about, or steps, after which the run stops."),
		"on_timeout": sequelSchema("With approve: what follows if nobody has answered in time; as on_deny."),
	})
	definitions["step"] = object{
		"type": "object",
		"if":   object{"required": []string{"command"}}, "then": ref("command"),
		"else": object{"if": object{"required": []string{"rule"}}, "then": ref("bound"), "else": ref("doing")},
	}
	definitions["doing"] = doing(t, beside)
	definitions["command"] = command(beside)
	original := object{"rule": object{"enum": []string{"check", "remediate"}, "description": "The form of the original: the check or the repair that the rule binds."}}
	maps.Copy(original, besideActing(beside))
	definitions["bound"] = closed(original)

	defaults := object{}
	for _, spec := range specs() {
		defaults[spec.Name] = say(spec.Doc, orNull(params(spec)))
	}
	definitions["flow"] = flowSchema(t)
	top := closed(described(t, "flows.yml", words(t, "dispatch/keys.go", "topKeys"), object{
		"include":   ref("include"),
		"actions":   say("Defaults of the actions' parameters, for every step.", orNull(closed(defaults))),
		"approvers": say("Who decides where a flow does not say it.", orNull(approversSchema())),
		"people":    say("Who is who: by what Slack, AWS and machines know somebody, so that nobody approves what is done about their own doing.", orNull(object{"type": "object", "additionalProperties": personSchema()})),
		"protected": say("ARNs, or patterns of ARNs, that no flow touches: people for emergencies above all. What any file protects is.",
			orNull(anyOf(arn(), object{"type": "array", "items": arn()}))),
		"flows": say("The flows.", orNull(object{"type": "array", "items": ref("flow")})),
	}))
	return whole("Responder: flows.yml", "What to do about findings. Reference: docs/flows.md.", top, definitions)
}

func flowSchema(t *testing.T) object {
	t.Helper()
	rule := object{"type": "string", "minLength": 1}
	rules := orNull(anyOf(rule, object{"type": "array", "items": rule, "minItems": 1}))
	flow := closed(described(t, "a flow", words(t, "dispatch/keys.go", "flowKeys"), object{
		"name":       say("The flow's name; that of its one rule if not given.", ref("text")),
		"rule":       say("The rule whose findings it is for; * and ? stand for any text and one character.", rules),
		"rules":      say("The rules whose findings it is for; * and ? stand for any text and one character.", rules),
		"globs":      say("Patterns of the rules whose findings it is for: the same as rules.", rules),
		"provider":   orNull(object{"enum": []string{"AWS"}, "description": "Taken for the original's sake."}),
		"enabled":    orNull(object{"type": "boolean", "description": "false turns the flow off; its runs are parked."}),
		"if":         say("Only findings for which this is true.", orNull(ref("expression"))),
		"repairs":    orNull(object{"enum": []string{string(responder.RepairsOff), string(responder.RepairsDry), string(responder.RepairsApprove), string(responder.RepairsLive)}, "description": "off: repairs are skipped; dry (if not given): what would be done is recorded; approve: each is a question to people first, unless a step has asked; live: they act."}),
		"approvers":  say("Who decides of repairs that no step asks about, with repairs: approve, and of questions that do not say it themselves.", orNull(approversSchema())),
		"cooldown":   say("Findings that are alike are suppressed for a while after one was not.", orNull(cooldownSchema())),
		"scope":      say("What repairs may touch; what is denied is, whatever is allowed.", orNull(scopeSchema(t))),
		"limits":     say("How much repairs may touch (things, not calls), and how many notices are sent.", orNull(guardLimitsSchema(t))),
		"timeout":    say("How long a run may take from its beginning: 2h, 7d; one that is not at its end then fails.", orNull(ref("duration"))),
		"sequential": say("The steps, one after the other.", ref("steps")),
		"parallel":   say("The steps, side by side.", ref("steps")),
		"join":       joinSchema(),
	}))
	flow["dependencies"] = object{"join": []string{"parallel"}}
	flow["allOf"] = []any{
		object{"not": object{"required": []string{"rule", "rules"}}},
		object{"not": object{"required": []string{"rule", "globs"}}},
		object{"not": object{"required": []string{"rules", "globs"}}},
		object{"not": object{"required": []string{"sequential", "parallel"}}},
		anyOf(object{"required": []string{"name"}}, object{"required": []string{"rule"}}, object{"required": []string{"rules"}}, object{"required": []string{"globs"}}),
	}
	return flow
}

func cooldownSchema() object {
	text := object{"type": scalar, "minLength": 1}
	cooldown := closed(object{
		"for": say("How long: 1h, 2d.", ref("duration")),
		"by":  say("What alike findings have in common: expressions, or texts with {{ expression }}; rule, account.id and resources if not given.", anyOf(text, object{"type": "array", "items": text, "minItems": 1})),
	})
	cooldown["required"] = []string{"for"}
	return anyOf(ref("duration"), cooldown)
}

// slackSchema, arnSchema are how people are named.
func slackSchema() object {
	return listOf(object{"type": "string", "pattern": "^[UW][A-Z0-9]{2,30}$"})
}

func arnSchema() object {
	return listOf(object{"type": "string", "pattern": "^arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:(root|(user|role|assumed-role)/[A-Za-z0-9+=,.@_*/-]+)$"})
}

func personSchema() object {
	return closed(object{
		"slack": say("Ids of Slack's: U024BE7LH.", slackSchema()),
		"iam":   say("ARNs of users and roles.", arnSchema()),
		"names": say("Names: of the user of a machine, of an IAM user, of a session.", listOf(ref("text"))),
	})
}

// whoSchema is who may decide: somebody.
func whoSchema(also object) object {
	properties := object{
		"slack": say("Ids of Slack's: U024BE7LH.", slackSchema()),
		"iam":   say("ARNs of users, roles and sessions; * stands for any text in the name.", arnSchema()),
		"cli":   object{"type": "boolean", "description": "Whoever owns the data folder of responder run."},
		"not":   object{"enum": []string{"actor"}, "description": "Who caused the event never decides; it may be said."},
	}
	maps.Copy(properties, also)
	who := closed(properties)
	who["anyOf"] = []any{
		object{"required": []string{"slack"}}, object{"required": []string{"iam"}},
		object{"required": []string{"cli"}, "properties": object{"cli": object{"const": true}}},
	}
	return who
}

func approversSchema() object {
	return whoSchema(object{"for": say("How long such a question stands: 1h if not given, 90d at most.", ref("duration")), "tell": tellSchema()})
}

func tellSchema() object {
	return say("Notices that are sent when the question is asked.", ref("steps"))
}

// askSchema is a question to people.
func askSchema(what string) object {
	ask := closed(object{
		"text": object{"type": "string", "minLength": 1, "description": "What people are asked; {{ }} as in messages."},
		"by":   say("Who may decide; the flow's approvers if not given.", whoSchema(nil)),
		"for":  say("How long the question stands: 1h if not given, 90d at most.", ref("duration")),
	})
	ask["required"] = []string{"text"}
	return say(what, ask)
}

func sequelSchema(what string) object {
	return say(what, anyOf(object{"enum": []string{"stop", "fail", "continue"}}, object{"type": "array", "items": ref("step")}))
}

// arn is a pattern of ARNs.
func arn() object { return object{"type": "string", "pattern": `^(arn:|\*)`} }

func scopeSchema(t *testing.T) object {
	t.Helper()
	text := object{"type": scalar, "minLength": 1}
	some := func(one object) object { return anyOf(one, object{"type": "array", "items": one, "minItems": 1}) }
	area := closed(described(t, "an area", words(t, "dispatch/loadguards.go", "areaKeys"), object{
		"accounts":  say("Accounts, or patterns of them.", some(object{"type": "string", "pattern": `^[0-9*?]+$`})),
		"regions":   say("Regions, or patterns such as eu-*; global is what has none.", some(object{"type": "string", "pattern": `^[a-z0-9*?-]+$`})),
		"resources": say("ARNs, or patterns of ARNs.", some(arn())),
		"tags":      object{"type": "object", "minProperties": 1, "additionalProperties": some(text), "description": "Tags: key → values, or patterns of values."},
	}))
	area["minProperties"] = 1
	scope := closed(object{
		"allow": say("What may be touched: all that is given must fit.", area),
		"deny":  say("What may not be touched: one that fits is enough.", area),
	})
	scope["minProperties"] = 1
	return scope
}

func guardLimitsSchema(t *testing.T) object {
	t.Helper()
	l := limitsOf(t, "dispatch/loadguards.go")
	most := func(name, description string) object {
		return object{"type": "integer", "minimum": 1, "maximum": l.number(name), "description": description}
	}
	rate := func(description string) object {
		return object{"type": "string", "pattern": `^ *[0-9]+ */ *([0-9]+(\.[0-9]+)?(d|h|m|s)?)+$`, "description": description}
	}
	return closed(described(t, "limits", words(t, "dispatch/loadguards.go", "limitKeys"), object{
		"per_run":      most("maxPerRun", "Things that all repairs of a run touch."),
		"per_hour":     most("maxPerHour", "Things that all runs of the flow touch in an hour."),
		"per_account":  most("maxPerHour", "Things that all runs of the flow touch in one account in an hour."),
		"per_finding":  most("maxPerRun", "Things that one repair touches; one that would touch more touches none."),
		"per_resource": rate("How many runs touch one thing in a time: 1/1h."),
		"again":        most("maxAgainLimit", "Runs that touch one thing in an hour; one more halts the flow."),
		"beyond":       say("What becomes of what is beyond per_hour or per_account: it is held back, or the breaker halts the flow.", object{"enum": []string{"hold", "halt"}}),
		"notices":      rate("How many notices the flow sends in a time: 20/1h. The first beyond them is sent at its end and says how many more there were."),
	}))
}

func joinSchema() object {
	return object{"enum": []string{"all", "any"}, "description": "With parallel: goes on when all members have ended (all, if not given), or when one has ended well (any)."}
}

// untilSchema is a time of day to wait for.
func untilSchema() object {
	one := "(" + strings.Join(responder.Weekdays(), "|") + ")"
	day := object{"type": "string", "pattern": "^" + one + "(-" + one + ")?$"}
	until := closed(object{
		"until": object{"type": "string", "pattern": "^([01]?[0-9]|2[0-3]):[0-5][0-9]$", "description": "The time of day: 08:00, 17:30."},
		"zone":  object{"type": "string", "minLength": 1, "description": "Whose clock counts: Europe/Paris, UTC."},
		"days":  say("On which days: mon, a span such as mon-fri, or a list of them; every day if not given.", anyOf(day, object{"type": "array", "items": day, "minItems": 1})),
	})
	until["required"] = []string{"until", "zone"}
	return until
}

func retrySchema(t *testing.T) object {
	t.Helper()
	var keys []string
	for field := range reflect.TypeFor[responder.Retry]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		keys = append(keys, name)
	}
	l := limitsOf(t, "dispatch/loadstep.go")
	return closed(described(t, "retry", keys, object{
		"attempts": object{"type": "integer", "minimum": 1, "maximum": l.number("maxAttempts"), "description": "Tries in all."},
		"backoff":  say("The first wait is up to this long; each further one up to twice as long.", ref("duration")),
		"cap":      say("No wait is longer.", ref("duration")),
	}))
}

// doing is a step in today's form: it does exactly one thing.
func doing(t *testing.T, beside object) object {
	t.Helper()
	verbs := described(t, "verbs", words(t, "dispatch/keys.go", "verbKeys"), object{
		"wait":       say("Waits: 90 (seconds), 10m, 1h30m, 2d; or until a time of day.", anyOf(ref("duration"), ref("until"))),
		"check":      say("The check that the rule binds; if it says no, the run stops, calmly.", ref("empty")),
		"remediate":  say("The repair that the rule binds, as far as `repairs` allows.", ref("empty")),
		"approve":    askSchema("Asks people; goes on once one of them has approved."),
		"veto":       askSchema("Tells people; goes on unless one of them objects in time."),
		"sequential": say("Steps one after the other.", ref("steps")),
		"parallel":   say("Steps side by side; goes on when all have ended, or with join: any when one has.", ref("steps")),
	})
	properties := maps.Clone(beside)
	one := []any{object{"required": []string{"then"}}}
	for _, verb := range slices.Sorted(maps.Keys(verbs)) {
		properties[verb] = verbs[verb]
		one = append(one, object{"required": []string{verb}})
	}
	for _, spec := range specs() {
		properties[spec.Name] = say(spec.Doc, orNull(params(spec)))
		one = append(one, object{"required": []string{spec.Name}})
	}
	step := closed(properties)
	step["oneOf"] = one
	step["dependencies"] = object{"then": []string{"if"}, "else": []string{"then"}, "join": []string{"parallel"}, "on_timeout": []string{"approve"}}
	asking := []object{{"required": []string{"approve"}}, {"required": []string{"veto"}}}
	step["allOf"] = []any{object{"if": anyOf(asking...), "then": object{"properties": object{"on_error": false}}, "else": object{"properties": object{"tell": false, "on_deny": false}}}}
	quiet := []object{}
	for _, key := range []string{"wait", "sequential", "parallel", "then", "approve", "veto"} {
		quiet = append(quiet, object{"required": []string{key}})
	}
	step["if"] = anyOf(quiet...)
	step["then"] = object{"properties": object{"retry": false, "timeout": false}}
	return step
}

// besideActing is what can stand beside a step that acts.
func besideActing(beside object) object {
	keys := maps.Clone(beside)
	delete(keys, "then")
	delete(keys, "else")
	delete(keys, "join")
	for _, key := range []string{"tell", "on_deny", "on_timeout"} {
		delete(keys, key)
	}
	return keys
}

// command is a step in the form of the original, the parameters beside the name.
func command(beside object) object {
	names := []string{"Wait"}
	for _, spec := range specs() {
		names = append(names, spec.Name)
	}
	wait := besideActing(beside)
	delete(wait, "retry")
	delete(wait, "timeout")
	wait["command"], wait["duration"] = object{}, say("In seconds.", ref("duration"))
	waiting := closed(wait)
	waiting["required"] = []string{"duration"}
	cases := []any{object{"if": isCommand("Wait"), "then": waiting}}
	for _, spec := range specs() {
		given := besideActing(beside)
		maps.Copy(given, params(spec)["properties"].(object))
		given["command"] = object{}
		cases = append(cases, object{"if": isCommand(spec.Name), "then": closed(given)})
	}
	return object{
		"properties": object{"command": object{"enum": names, "description": "The form of the original: an action, its parameters beside it; or Wait, with a duration in seconds."}},
		"allOf":      cases,
	}
}

func isCommand(name string) object {
	return object{"properties": object{"command": object{"const": name}}, "required": []string{"command"}}
}
