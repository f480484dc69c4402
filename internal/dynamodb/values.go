package dynamodb

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// item is one item, or the values of an expression, as DynamoDB has them.
type item = map[string]types.AttributeValue

func text(value string) types.AttributeValue { return &types.AttributeValueMemberS{Value: value} }

func bytes(value []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: value} }

func number(value int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(value, 10)}
}

// textOf gives an item's text, "" if it has none of that name.
func textOf(it item, name string) string {
	value, ok := it[name].(*types.AttributeValueMemberS)
	if !ok {
		return ""
	}
	return value.Value
}

// numberOf gives an item's whole number; ok is false if it has none of that name.
func numberOf(it item, name string) (n int64, ok bool) {
	value, ok := it[name].(*types.AttributeValueMemberN)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(value.Value, 10, 64)
	return n, err == nil
}

// stampLayout writes times so that their texts order as they do.
const stampLayout = "2006-01-02T15:04:05.000000000Z"

func stamp(t time.Time) string { return t.UTC().Format(stampLayout) }

// place is where a run stands in the list: by creation, then by id.
func place(created time.Time, id string) string { return stamp(created) + "/" + id }

// checkPlace refuses a text that place does not give.
func checkPlace(text string) error {
	created, id, _ := strings.Cut(text, "/")
	t, err := time.Parse(stampLayout, created)
	if err != nil || id == "" || place(t, id) != text {
		return fmt.Errorf("%q is no cursor of a list of runs", text)
	}
	return nil
}

// expiry is a time as time-to-live has it, rounded up: nothing ends early.
func expiry(t time.Time) int64 {
	if t.Nanosecond() > 0 {
		return t.Unix() + 1
	}
	return t.Unix()
}

// cut shortens a text to at most n bytes of UTF-8, and marks that it did.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	n -= len("…")
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "…"
}
