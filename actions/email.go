package actions

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/skycrafters/responder"
)

// email is what a mail says: for people first, then the finding and the event as
// JSON.
type email struct {
	prefix   string // of the call
	said     string // the message's header, or else the finding's message
	severity responder.Severity
	facts    []labelled // of the finding, for the HTML alone: the text has its JSON
	values   []labelled // of the message
	question *responder.Question
	left     string // what it stands for beside; "" for nothing
	finding  string // JSON, without the event
	event    string // JSON
	title    string
}

func newEmail(call responder.Call) (*email, error) {
	m, err := messageParam(call)
	if err != nil {
		return nil, err
	}
	f := call.Finding
	e := &email{prefix: call.Prefix, said: m.header, severity: f.Severity, values: m.values, question: call.Question, title: title(f)}
	if e.said == "" {
		e.said = escapeMail(f.Message)
	}
	if call.Left != nil {
		e.left = escapeMail(call.Left.Text)
	}
	if e.finding, e.event, err = emailJSON(f); err != nil {
		return nil, err
	}
	run, _ := runOf(call)
	for _, fact := range []labelled{
		{"Account", call.Account}, {"Region", call.Region}, {"Resources", strings.Join(f.Resources, ", ")}, {"Rule", f.Rule}, {"Flow", call.Flow}, {"Run", run},
	} {
		if fact.value = cut(inline(fact.value), maxFact); fact.value != "" {
			e.facts = append(e.facts, fact)
		}
	}
	return e, nil
}

const maxFact = 1000 // characters

// emailCut stands where a mail was cut.
const emailCut = "\n…\n[cut: the whole was longer than an e-mail may be]\n"

// text is the mail as plain text.
func (e *email) text() string {
	const rule = "----------\n"
	var b strings.Builder
	if e.question != nil {
		b.WriteString(strings.Join(putting(e.question, escapeMail).lines(), "\n") + "\n" + rule)
	}
	b.WriteString(e.prefix + e.said + "\n")
	if e.left != "" {
		b.WriteString(e.left + "\n")
	}
	fmt.Fprintf(&b, "Severity: %s\n", e.severity.Title())
	for _, v := range e.values {
		fmt.Fprintf(&b, "%s: %s\n", v.label, v.value)
	}
	b.WriteString(rule + e.finding + "\n" + rule + e.event + "\n")
	return b.String()
}

// How a mail looks: what mail programs know, which is styles in place, and tables.
const (
	mailFont  = "font-family:-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;"
	mailLabel = `<td style="padding:4px 16px 4px 0;color:#57606a;vertical-align:top;white-space:nowrap">`
	mailValue = `<td style="padding:4px 0;vertical-align:top;word-break:break-word">`
	mailCode  = `<pre style="margin:0;padding:12px;background:#f6f8fa;border-radius:6px;font:12px/1.45 ui-monospace,Menlo,Consolas,monospace;white-space:pre-wrap;word-break:break-word">`
	mailHead  = `<h2 style="margin:24px 0 8px;font-size:14px;color:#57606a">`
)

// html is the mail as HTML of about max bytes at most: the JSON is cut for it. It
// refers to nothing that would have to be fetched, and has no links.
func (e *email) html(max int) string {
	esc := func(text string) string { return strings.ReplaceAll(html.EscapeString(text), "\n", "<br>") }
	var b strings.Builder
	b.WriteString(`<!DOCTYPE html><html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>` + esc(e.prefix+e.title) + `</title></head>` +
		`<body style="margin:0;padding:24px;background:#ffffff;color:#1f2328;` + mailFont + `font-size:15px;line-height:1.5"><div style="max-width:680px;margin:0 auto">`)
	if e.question != nil {
		b.WriteString(e.questionHTML(esc))
	}
	b.WriteString(`<div style="border-left:4px solid ` + severityColor(e.severity) + `;padding:0 0 0 16px">` +
		`<span style="display:inline-block;padding:2px 8px;border-radius:4px;background:` + severityColor(e.severity) + `;color:#ffffff;font-size:12px;font-weight:600">` + esc(e.severity.Title()) + `</span>` +
		`<h1 style="margin:8px 0;font-size:20px;line-height:1.3">` + esc(e.prefix+e.title) + `</h1>` +
		`<p style="margin:0">` + esc(cut(e.said, maxSaid)) + `</p>`)
	if e.left != "" {
		b.WriteString(`<p style="margin:8px 0 0"><strong>` + esc(e.left) + `</strong></p>`)
	}
	b.WriteString(`</div>`)
	if rows := append(e.values[:len(e.values):len(e.values)], e.facts...); len(rows) > 0 {
		b.WriteString(`<table style="margin:16px 0 0;border-collapse:collapse;font-size:14px">`)
		for _, row := range rows {
			b.WriteString(`<tr>` + mailLabel + esc(row.label) + `</td>` + mailValue + esc(cut(row.value, maxSaid)) + `</td></tr>`)
		}
		b.WriteString(`</table>`)
	}
	// Half of what is left is the finding's, the rest the event's.
	code := func(head, text string, room int) {
		b.WriteString(mailHead + head + `</h2>` + mailCode + cutHTML(text, room) + `</pre>`)
	}
	code("Finding", e.finding, (max-b.Len())/2)
	code("Event", e.event, max-b.Len())
	b.WriteString(`</div></body></html>`)
	return b.String()
}

const maxSaid = 10_000 // characters of one text of a mail as HTML

func (e *email) questionHTML(esc func(string) string) string {
	var b strings.Builder
	q := putting(e.question, escapeMail)
	b.WriteString(`<div style="margin:0 0 24px;padding:16px;border:2px solid #bf8700;border-radius:6px;background:#fff8c5">` +
		`<strong style="font-size:16px">` + esc(q.head) + `</strong>`)
	if q.text != "" {
		b.WriteString(`<p style="margin:8px 0">` + esc(q.text) + `</p>`)
	}
	b.WriteString(`<div style="margin:8px 0">`)
	for _, step := range q.plan {
		b.WriteString(`<div>` + esc(step) + `</div>`)
	}
	b.WriteString(`</div><div style="color:#57606a;font-size:13px">` + esc(q.until) + `<br><code>` + esc(q.how) + `</code></div></div>`)
	return b.String()
}

// cutHTML escapes as much of a text as has room in bytes, with a note where it is
// cut.
func cutHTML(text string, room int) string {
	const note = "…\n[cut: the whole was longer than an e-mail may be]"
	escaped := html.EscapeString(text)
	if len(escaped) <= room {
		return escaped
	}
	// An escape takes five bytes at the most for one.
	end := max(0, (room-len(note))/5)
	if end < len(text) {
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end]
	}
	return html.EscapeString(text) + note
}

func severityColor(s responder.Severity) string {
	switch {
	case s >= responder.VeryHigh:
		return "#a40e26"
	case s >= responder.High:
		return "#cf222e"
	case s >= responder.Medium:
		return "#9a6700"
	}
	return "#57606a"
}

// emailJSON gives the finding without its event, and the event as it came.
func emailJSON(f responder.Finding) (finding, event string, err error) {
	alone := struct {
		responder.Finding
		Event *struct{} `json:"event,omitempty"` // hides the finding's
	}{Finding: f}
	data, err := encodeJSON(alone)
	if err != nil {
		return "", "", permanentf("write the finding: %w", err)
	}
	if finding, err = indented(data); err != nil {
		return "", "", permanentf("write the finding: %w", err)
	}
	if event, err = indented(f.Event); err != nil {
		return "", "", permanentf("write the event: %w", err)
	}
	return finding, event, nil
}

// indented writes JSON for people, its values untouched; control characters and
// what shows nothing are shown as escapes.
func indented(data []byte) (string, error) {
	var b bytes.Buffer
	if err := json.Indent(&b, data, "", "  "); err != nil {
		return "", err
	}
	var text strings.Builder
	for _, r := range b.String() {
		if unseen(r) || unicode.IsControl(r) && r != '\n' {
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&text, `\u%04x`, unit)
			}
			continue
		}
		text.WriteRune(r)
	}
	return text.String(), nil
}

// cutBytes shortens a text to at most max bytes, note included, between runes.
func cutBytes(text string, max int, note string) string {
	if len(text) <= max {
		return text
	}
	end := max - len(note)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + note
}
