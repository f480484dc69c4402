package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// homeBlocks gives the lines of each marked block of template.yaml, by name and
// without indentation. What checks and repairs can do is not Dispatch's own: it
// takes a role for it.
func homeBlocks(n needs) map[string][]string {
	return map[string][]string{
		"flows": policyLines("notices", n.notices),
		"home":  policyLines("flows", n.acting),
		"uses":  {fmt.Sprintf("Flows: {Uses: {SendEmail: %q}}", strconv.FormatBool(n.emails))},
	}
}

// memberBlocks gives those of member-role.yaml.
func memberBlocks(n needs) map[string][]string {
	return map[string][]string{"member": policyLines("flows", n.acting)}
}

// policyLines is an entry of a role's Policies; nothing if there is nothing to
// allow, for IAM takes no policy without a statement.
func policyLines(name string, document policyDocument) []string {
	if len(document.Statement) == 0 {
		return nil
	}
	lines := []string{
		"- PolicyName: " + name,
		"  PolicyDocument:",
		fmt.Sprintf("    Version: %q", document.Version),
		"    Statement:",
	}
	for _, s := range document.Statement {
		lines = append(lines, "      - Sid: "+s.Sid, "        Effect: "+s.Effect)
		lines = append(lines, yamlList("        Action:", s.Action)...)
		lines = append(lines, yamlList("        Resource:", s.Resource)...)
		if len(s.Condition) > 0 {
			lines = append(lines, "        Condition:")
		}
		for _, operator := range slices.Sorted(maps.Keys(s.Condition)) {
			lines = append(lines, "          "+yamlText(operator)+":")
			for _, key := range slices.Sorted(maps.Keys(s.Condition[operator])) {
				lines = append(lines, "            "+yamlText(key)+": "+yamlText(s.Condition[operator][key]))
			}
		}
	}
	return lines
}

// yamlWidth is how long a list on one line may get, its indentation in the
// block included.
const yamlWidth = 110

// yamlList writes a list after its key: on the same line if it is short.
func yamlList(key string, texts []string) []string {
	items := make([]string, len(texts))
	for i, t := range texts {
		items[i] = yamlText(t)
	}
	if short := key + " [" + strings.Join(items, ", ") + "]"; len(short) <= yamlWidth {
		return []string{short}
	}
	lines := []string{key}
	indent := key[:len(key)-len(strings.TrimLeft(key, " "))] + "  - "
	for _, item := range items {
		lines = append(lines, indent+item)
	}
	return lines
}

var (
	// plain is text that needs no quotes in YAML, wherever it stands: IAM
	// actions, condition operators and keys.
	plain = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*(:[A-Za-z][A-Za-z0-9]*)?$`)
	// variable is one of CloudFormation, which !Sub puts in; reference is one of
	// IAM, which !Sub must leave alone.
	variable  = regexp.MustCompile(`\$\{AWS::[A-Za-z]+\}`)
	reference = regexp.MustCompile(`\$\{([^A!]|A[^W])`)
)

// yamlText writes a text, with !Sub where it holds variables of CloudFormation.
func yamlText(text string) string {
	switch {
	case variable.MatchString(text):
		return "!Sub " + strconv.Quote(reference.ReplaceAllString(text, "$${!$1"))
	case plain.MatchString(text) && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(text)):
		return text
	}
	return strconv.Quote(text)
}
