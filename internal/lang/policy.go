package lang

import (
	"encoding/json"
	"net/url"
	"strings"
)

// grantsPublic reads an IAM resource policy as CloudTrail shows it.
func grantsPublic(value any) bool {
	document, ok := policyDocument(value)
	if !ok {
		return false
	}
	for _, s := range list(member(document, "Statement")) {
		statement, ok := s.(map[string]any)
		if !ok || statement["Effect"] != "Allow" || length(statement["Condition"]) > 0 {
			continue
		}
		if statement["NotPrincipal"] != nil || isEverybody(statement["Principal"]) {
			return true
		}
	}
	return false
}

func policyDocument(value any) (map[string]any, bool) {
	if text, ok := value.(string); ok {
		if strings.HasPrefix(strings.TrimSpace(text), "%7B") {
			if plain, err := url.QueryUnescape(text); err == nil {
				text = plain
			}
		}
		if len(text) > maxExpression || json.Unmarshal([]byte(text), &value) != nil {
			return nil, false
		}
	}
	document, ok := value.(map[string]any)
	return document, ok
}

// isEverybody knows "*", {"AWS": "*"} and {"AWS": ["*", …]}.
func isEverybody(principal any) bool {
	switch p := principal.(type) {
	case string:
		return p == "*"
	case map[string]any:
		for _, of := range []string{"AWS", "*"} {
			for _, who := range list(p[of]) {
				if who == "*" {
					return true
				}
			}
		}
	}
	return false
}
