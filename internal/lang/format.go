package lang

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// Format gives a value as people read it: nil is empty, whole floats have no
// exponent, times are RFC 3339, lists are joined with ", ", objects are JSON.
func Format(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) || math.Abs(v) >= 1e21 {
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	case responder.Severity:
		return v.String()
	case time.Time:
		return v.Format(time.RFC3339)
	case time.Duration:
		return v.String()
	case []any, []string, set:
		parts := list(v)
		texts := make([]string, len(parts))
		for i, p := range parts {
			texts[i] = Format(p)
		}
		return strings.Join(texts, ", ")
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return fmt.Sprint(value)
	}
	return strings.TrimSuffix(buf.String(), "\n")
}

// JSONValue gives a value in JSON's kinds: what JSON has no word for as Format.
func JSONValue(value any) any { return escapeAll(value, nil) }
