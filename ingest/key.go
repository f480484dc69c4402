package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/skycrafters/responder"
)

// Key is one API key.
type Key struct {
	ID       string               // tells it from others in logs and metrics; "" for a bare key
	Text     responder.SecretText // what a sender shows
	Accounts []string             // ids of those it may speak for; nil: all
}

// SpeaksFor reports whether the key may send events of an account.
func (k Key) SpeaksFor(account string) bool {
	return k.Accounts == nil || slices.Contains(k.Accounts, account)
}

// Limits on the keys of a list. A bare key may be as short as its owner likes.
const (
	minKey = 16 // characters
	maxID  = 64
)

// ParseKeys reads the secret of the API key: either one bare key, white space
// around it not counted, or, if it begins with a brace, JSON with several:
//
//	{"keys": [{"id": "prod", "key": "at least 16 characters", "accounts": ["111122223333"]}, …]}
//
// Without `accounts` a key speaks for all accounts; an empty list is refused, so
// that taking a key's last account away does not widen it. Ids
// are of letters, digits, dots, hyphens and underscores. What is damaged, is
// said twice or has fields beside these is refused: nothing that looks like
// JSON is taken for a bare key. Errors say where, and quote nothing of the secret.
func ParseKeys(secret responder.SecretText) ([]Key, error) {
	text := strings.TrimSpace(secret.Reveal())
	switch {
	case text == "":
		return nil, errors.New("the secret is empty")
	case text[0] == '{':
		return parseList(text)
	case text[0] == '[' || text[0] == '"':
		return nil, errors.New("the secret begins like JSON: it must be a bare key, or an object with `keys`")
	case !isHeaderText(text):
		return nil, errors.New("the secret holds more than printable ASCII, and begins with no brace: it is neither a bare key nor JSON")
	}
	return []Key{{Text: responder.NewSecretText(text)}}, nil
}

func parseList(text string) ([]Key, error) {
	var whole json.RawMessage
	if err := json.Unmarshal([]byte(text), &whole); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("the secret begins like JSON, but is none from byte %d on", syntax.Offset)
		}
		return nil, errors.New("the secret begins like JSON, but is none")
	}
	var list []json.RawMessage
	if err := decodeObject("the secret", whole, fields{"keys": &list}); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errors.New("the secret has no `keys`")
	}
	keys := make([]Key, len(list))
	for i, raw := range list {
		where := fmt.Sprintf("the secret's keys[%d]", i)
		if err := parseKey(where, raw, &keys[i]); err != nil {
			return nil, err
		}
	}
	if err := checkDistinct(keys); err != nil {
		return nil, err
	}
	return keys, nil
}

func parseKey(where string, raw json.RawMessage, k *Key) error {
	var text string
	if err := decodeObject(where, raw, fields{"id": &k.ID, "key": &text, "accounts": &k.Accounts}); err != nil {
		return err
	}
	switch {
	case !isID(k.ID):
		return fmt.Errorf("%s has no `id` of 1 to %d letters, digits, dots, hyphens and underscores", where, maxID)
	case len(text) < minKey:
		return fmt.Errorf("%s has no `key` of at least %d characters", where, minKey)
	case !isHeaderText(text) || strings.TrimSpace(text) != text:
		return fmt.Errorf("%s has a `key` that no header carries: of other than printable ASCII, or with space around it", where)
	}
	if k.Accounts != nil && len(k.Accounts) == 0 {
		return fmt.Errorf("%s has `accounts` without one: leave the field out for a key that speaks for all, or take the key away", where)
	}
	for i, account := range k.Accounts {
		if !isAccount(account) {
			return fmt.Errorf("%s has accounts[%d] that is no account id: a text of 12 digits", where, i)
		}
	}
	k.Text = responder.NewSecretText(text)
	return nil
}

// checkDistinct refuses keys that could be taken for each other, and ids that
// would tell a key.
func checkDistinct(keys []Key) error {
	ids, texts := make(map[string]int, len(keys)), make(map[string]int, len(keys))
	for i, k := range keys {
		if first, twice := ids[k.ID]; twice {
			return fmt.Errorf("the secret's keys[%d] has the `id` of keys[%d]", i, first)
		}
		if first, twice := texts[k.Text.Reveal()]; twice {
			return fmt.Errorf("the secret's keys[%d] has the `key` of keys[%d]", i, first)
		}
		ids[k.ID], texts[k.Text.Reveal()] = i, i
	}
	for i, k := range keys {
		if other, told := texts[k.ID]; told {
			return fmt.Errorf("the secret's keys[%d] has an `id` that is the `key` of keys[%d]", i, other)
		}
	}
	return nil
}

// fields are where the fields of an object go, by name.
type fields map[string]any

// decodeObject reads an object of known fields, each at most once and none of
// them null. raw is valid JSON. (encoding/json alone would take a field twice,
// or under a name in other case.)
func decodeObject(where string, raw json.RawMessage, known fields) error {
	if raw[0] != '{' {
		return fmt.Errorf("%s is not a JSON object", where)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("%s cannot be read", where)
	}
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		name, isText := token.(string)
		into, isKnown := known[name]
		var value json.RawMessage
		switch {
		case err != nil || !isText:
			return fmt.Errorf("%s cannot be read", where)
		case !isKnown:
			return fmt.Errorf("%s has a field that is none of its own", where)
		case seen[name]:
			return fmt.Errorf("%s has the field `%s` twice", where, name)
		case dec.Decode(&value) != nil || string(value) == "null" || json.Unmarshal(value, into) != nil:
			return fmt.Errorf("%s has `%s` of the wrong kind", where, name)
		}
		seen[name] = true
	}
	return nil
}

// isHeaderText reports whether a header surely carries the text.
func isHeaderText(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

func isID(id string) bool {
	return id != "" && len(id) <= maxID && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	})
}

func isAccount(id string) bool {
	return len(id) == 12 && !strings.ContainsFunc(id, func(r rune) bool { return r < '0' || r > '9' })
}
