package ingest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/skycrafters/responder"
)

const (
	prodKey  = "prod-key-0123456789abcdef"
	stageKey = "stage-key-0123456789abcdef"
	prod     = "111122223333"
	stage    = "444455556666"
	stranger = "999900001111"
)

// listOf gives the secret with these keys.
func listOf(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

// keyOf gives a key of such a list, for accounts.
func keyOf(id, text string, accounts ...string) string {
	if accounts == nil {
		return fmt.Sprintf(`{"id":%q,"key":%q}`, id, text)
	}
	return fmt.Sprintf(`{"id":%q,"key":%q,"accounts":["%s"]}`, id, text, strings.Join(accounts, `","`))
}

func TestParseKeys(t *testing.T) {
	key := func(id, text string, accounts ...string) Key {
		return Key{ID: id, Text: responder.NewSecretText(text), Accounts: accounts}
	}
	for name, test := range map[string]struct {
		secret string
		want   []Key
	}{
		"bare":                       {"s3cr3t", []Key{key("", "s3cr3t")}},
		"bare, with the file's end":  {" s3cr3t\r\n", []Key{key("", "s3cr3t")}},
		"bare, with all punctuation": {`!"#$%&'()*+,-./:;<=>?@[\]^_{|}~`, []Key{key("", `!"#$%&'()*+,-./:;<=>?@[\]^_{|}~`)}},
		"one":                        {listOf(keyOf("prod", prodKey, prod)), []Key{key("prod", prodKey, prod)}},
		"several":                    {listOf(keyOf("prod", prodKey, prod, stage), keyOf("all", stageKey)), []Key{key("prod", prodKey, prod, stage), key("all", stageKey)}},
		"spread over lines": {"\n{\n \"keys\" : [ {\n\"key\": \"" + prodKey + "\",\n\"id\": \"a.B-c_9\"} ]\n}\n",
			[]Key{key("a.B-c_9", prodKey)}},
		"the shortest, and one with a space": {listOf(keyOf("a", "0123456789abcdef"), keyOf("b", "0123456789 abcdef")), []Key{key("a", "0123456789abcdef"), key("b", "0123456789 abcdef")}},
	} {
		keys, err := ParseKeys(responder.NewSecretText(test.secret))
		if err != nil || !reflect.DeepEqual(keys, test.want) {
			t.Errorf("%s: %+v, %v; want %+v", name, keys, err, test.want)
		}
	}
}

// badSecrets are refused with an error that says where.
var badSecrets = []struct{ name, secret, want string }{
	{"empty", "", "the secret is empty"},
	{"white space", " \n", "the secret is empty"},
	{"a list alone", "[" + keyOf("a", prodKey) + "]", "begins like JSON: it must be a bare key, or an object with `keys`"},
	{"a quoted key", `"` + prodKey + `"`, "begins like JSON: it must"},
	{"JSON behind a byte order mark", "\ufeff" + listOf(keyOf("a", prodKey)), "neither a bare key nor JSON"},
	{"two lines", prodKey + "\n" + stageKey, "neither a bare key nor JSON"},
	{"bytes", "\xff\xfe\x01", "neither a bare key nor JSON"},
	{"other letters", "schlüssel-schlüssel", "neither a bare key nor JSON"},
	{"a brace", "{", "begins like JSON, but is none from byte 1 on"},
	{"cut off", listOf(keyOf("a", prodKey))[:30], "is none from byte 30 on"},
	{"a comma too many", listOf(keyOf("a", prodKey), ""), "is none from byte"},
	{"more behind it", listOf(keyOf("a", prodKey)) + "x", "is none from byte"},
	{"single quotes", `{'keys':[]}`, "is none from byte 2 on"},
	{"a key without quotes", `{"keys":[{"id":"a","key":` + prodKey + `}]}`, "is none from byte 26 on"},
	{"no keys", `{}`, "the secret has no `keys`"},
	{"an empty list", listOf(), "the secret has no `keys`"},
	{"keys is null", `{"keys":null}`, "the secret has `keys` of the wrong kind"},
	{"keys is an object", `{"keys":{"prod":"` + prodKey + `"}}`, "the secret has `keys` of the wrong kind"},
	{"names of the console", `{"api-key":"` + prodKey + `"}`, "the secret has a field that is none of its own"},
	{"a key as name", `{"` + prodKey + `":"prod"}`, "the secret has a field that is none of its own"},
	{"Keys", `{"Keys":[` + keyOf("a", prodKey) + `]}`, "the secret has a field that is none of its own"},
	{"keys twice", `{"keys":[` + keyOf("a", prodKey) + `],"keys":[` + keyOf("b", stageKey) + `]}`, "the secret has the field `keys` twice"},
	{"keys are texts", `{"keys":["` + prodKey + `"]}`, "keys[0] is not a JSON object"},
	{"a key is null", `{"keys":[null]}`, "keys[0] is not a JSON object"},
	{"account for accounts", `{"keys":[{"id":"a","key":"` + prodKey + `","account":["` + prod + `"]}]}`, "keys[0] has a field that is none of its own"},
	{"Accounts", `{"keys":[{"id":"a","key":"` + prodKey + `","Accounts":["` + prod + `"]}]}`, "keys[0] has a field that is none of its own"},
	{"accounts twice", `{"keys":[{"id":"a","key":"` + prodKey + `","accounts":["` + prod + `"],"accounts":[]}]}`, "keys[0] has the field `accounts` twice"},
	{"accounts is empty", `{"keys":[{"id":"a","key":"` + prodKey + `","accounts":[]}]}`, "keys[0] has `accounts` without one"},
	{"accounts is null", `{"keys":[{"id":"a","key":"` + prodKey + `","accounts":null}]}`, "keys[0] has `accounts` of the wrong kind"},
	{"accounts is a text", `{"keys":[{"id":"a","key":"` + prodKey + `","accounts":"` + prod + `"}]}`, "keys[0] has `accounts` of the wrong kind"},
	{"an account is a number", `{"keys":[{"id":"a","key":"` + prodKey + `","accounts":[` + prod + `]}]}`, "keys[0] has `accounts` of the wrong kind"},
	{"an account is null", `{"keys":[{"id":"a","key":"` + prodKey + `","accounts":[null]}]}`, "keys[0] has accounts[0] that is no account id"},
	{"an account of 11 digits", listOf(keyOf("a", prodKey, prod, prod[:11])), "keys[0] has accounts[1] that is no account id"},
	{"an account of 13 digits", listOf(keyOf("a", prodKey, prod+"3")), "keys[0] has accounts[0] that is no account id"},
	{"an account with hyphens", listOf(keyOf("a", prodKey, "1111-2222-33")), "keys[0] has accounts[0] that is no account id"},
	{"a star for all accounts", listOf(keyOf("a", prodKey, "*")), "keys[0] has accounts[0] that is no account id"},
	{"no id", listOf(`{"key":"` + prodKey + `"}`), "keys[0] has no `id`"},
	{"an empty id", listOf(keyOf("", prodKey)), "keys[0] has no `id`"},
	{"an id with a space", listOf(keyOf("a b", prodKey)), "keys[0] has no `id`"},
	{"a long id", listOf(keyOf(strings.Repeat("a", 65), prodKey)), "keys[0] has no `id` of 1 to 64"},
	{"an id that is a number", listOf(`{"id":1,"key":"` + prodKey + `"}`), "keys[0] has `id` of the wrong kind"},
	{"no key", listOf(keyOf("a", prodKey), `{"id":"b"}`), "keys[1] has no `key` of at least 16 characters"},
	{"an empty key", listOf(keyOf("a", "")), "keys[0] has no `key` of at least"},
	{"a short key", listOf(keyOf("a", "0123456789abcde")), "keys[0] has no `key` of at least"},
	{"id and key exchanged", listOf(keyOf(prodKey, "prod")), "keys[0] has no `key` of at least"},
	{"a key with a line's end", listOf(keyOf("a", prodKey+"\n")), "keys[0] has a `key` that no header carries"},
	{"a key with a space before", listOf(keyOf("a", " "+prodKey)), "keys[0] has a `key` that no header carries"},
	{"a key of other letters", listOf(keyOf("a", "schlüssel-schlüssel")), "keys[0] has a `key` that no header carries"},
	{"an id twice", listOf(keyOf("a", prodKey), keyOf("b", stageKey), keyOf("a", "0123456789abcdef")), "keys[2] has the `id` of keys[0]"},
	{"a key twice", listOf(keyOf("a", prodKey, prod), keyOf("b", prodKey, stage)), "keys[1] has the `key` of keys[0]"},
	{"an id that is a key", listOf(keyOf("a", prodKey), keyOf(prodKey, stageKey)), "keys[1] has an `id` that is the `key` of keys[0]"},
	{"10,000 levels", `{"keys":` + strings.Repeat("[", 10001), "but is none from byte 10008 on"},
}

// secretErrors are all the errors that there are: they hold nothing of a secret.
var secretErrors = regexp.MustCompile("^the secret(" + strings.Join([]string{
	" is empty",
	" begins like JSON: it must be a bare key, or an object with `keys`",
	" holds more than printable ASCII, and begins with no brace: it is neither a bare key nor JSON",
	` begins like JSON, but is none( from byte \d+ on)?`,
	" has no `keys`",
	`('s keys\[\d+\])? (is not a JSON object|has a field that is none of its own|has the field ` + "`(keys|id|key|accounts)` twice|has `(keys|id|key|accounts)` of the wrong kind)",
	`'s keys\[\d+\] has (` + "no `id` of 1 to 64 letters, digits, dots, hyphens and underscores|no `key` of at least 16 characters" +
		"|a `key` that no header carries: of other than printable ASCII, or with space around it" +
		`|` + "`accounts` without one: leave the field out for a key that speaks for all, or take the key away" + `|accounts\[\d+\] that is no account id: a text of 12 digits|` + "the `(id|key)` of keys" + `\[\d+\]|` + "an `id` that is the `key` of keys" + `\[\d+\])`,
}, "|") + ")$")

func TestParseKeysRefuses(t *testing.T) {
	for _, tt := range badSecrets {
		keys, err := ParseKeys(responder.NewSecretText(tt.secret))
		switch {
		case err == nil || keys != nil:
			t.Errorf("%s: taken as %+v, %v", tt.name, keys, err)
		case !strings.Contains(err.Error(), tt.want) || !secretErrors.MatchString(err.Error()):
			t.Errorf("%s: %q, want %q", tt.name, err, tt.want)
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	for _, tt := range badSecrets {
		if len(tt.secret) < 1000 {
			f.Add(tt.secret)
		}
	}
	f.Add(prodKey)
	f.Add(listOf(keyOf("prod", prodKey, prod, stage), keyOf("all", stageKey)))
	f.Add(`{"k\u0065ys":[{"id":"\u0061","key":"\u002d123456789abcdef","accounts":[]}]}`)
	f.Fuzz(func(t *testing.T, secret string) {
		keys, err := ParseKeys(responder.NewSecretText(secret))
		if err != nil {
			if keys != nil || !secretErrors.MatchString(err.Error()) {
				t.Fatalf("%+v and error %q", keys, err)
			}
			return
		}
		if isList := strings.HasPrefix(strings.TrimSpace(secret), "{"); isList != (keys[0].ID != "") || !isList && len(keys) != 1 {
			t.Fatalf("%q gives %d keys, the first with id %q", secret, len(keys), keys[0].ID)
		}
		var written []string
		seen := map[string]bool{}
		ring := newRing(responder.NewSecretText(secret))
		for i, k := range keys {
			if ring.find(digestOf(k.Text.Reveal())) != i {
				t.Fatalf("keys[%d] of %q is not found", i, secret)
			}
			if seen[k.ID] || k.Text.Reveal() == "" || slices.ContainsFunc(k.Accounts, func(a string) bool { return len(a) != 12 }) {
				t.Fatalf("keys[%d] of %q is %+v", i, secret, k)
			}
			seen[k.ID] = true
			fields := map[string]any{"id": k.ID, "key": k.Text.Reveal()}
			if k.Accounts != nil {
				fields["accounts"] = k.Accounts
			}
			line, err := json.Marshal(fields)
			if err != nil {
				t.Fatal(err)
			}
			written = append(written, string(line))
		}
		if ring.find(digestOf("")) >= 0 {
			t.Fatalf("%q lets in who shows nothing", secret)
		}
		if keys[0].ID == "" {
			return
		}
		again, err := ParseKeys(responder.NewSecretText(listOf(written...)))
		if err != nil || len(again) != len(keys) {
			t.Fatalf("%q, written again, gives %+v, %v", secret, again, err)
		}
		for i, k := range again {
			if k.ID != keys[i].ID || k.Text != keys[i].Text || !slices.Equal(k.Accounts, keys[i].Accounts) {
				t.Fatalf("%q, written again, gives %+v, not %+v", secret, k, keys[i])
			}
		}
	})
}
