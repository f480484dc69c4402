package lang

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Lists of thousands of networks are most of what reading a file of rules costs:
// the YAML library takes microseconds for each. So what is plainly a list of IPv4
// addresses and networks is blanked out before it reads the file, and put into
// the tree behind it. Where the tree has no empty list at just that place (it was
// a comment, or a part of a text), the file is read as it is.

// manyAddresses is how many a list must have for it to pay.
const manyAddresses = 100

// longList is a flow list of addresses, and where it begins.
type longList struct {
	line, column int // 1-based, in characters, as YAML counts
	items        []yaml.Node
}

// cutLists gives the file with its long lists blanked, nil if there are none.
// All else is where it was.
func cutLists(data []byte) (rest []byte, lists []longList) {
	text := ""
	line, seen := 1, 0 // the line of data[seen]
	for at := 0; ; {
		open := bytes.IndexByte(data[at:], '[')
		if open < 0 {
			return rest, lists
		}
		open += at
		at = open + 1
		end, count := addressesIn(data, at)
		if count < manyAddresses {
			continue
		}
		if text == "" {
			text, rest = string(data), bytes.Clone(data)
		}
		line += strings.Count(text[seen:open], "\n")
		seen = open
		begin := strings.LastIndexByte(text[:open], '\n') + 1
		list := longList{line: line, column: utf8.RuneCountInString(text[begin:open]) + 1}
		list.items = addressNodes(text[:end], at, list.line, list.column+1, count)
		lists = append(lists, list)
		for i := at; i < end; i++ {
			if rest[i] != '\n' {
				rest[i] = ' '
			}
		}
		at = end
	}
}

// addressesIn counts addresses from data[i] to the ] that ends them, and says
// where that is. It counts none where anything else is between.
func addressesIn(data []byte, i int) (end, count int) {
	for {
		i = pastBlanks(data, i)
		length := addressLength(data[i:])
		if length > 0 {
			count++
			i = pastBlanks(data, i+length)
		}
		switch {
		case i < len(data) && data[i] == ']':
			return i, count
		case i < len(data) && data[i] == ',' && length > 0:
			i++
		default:
			return i, 0
		}
	}
}

func pastBlanks(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n') {
		i++
	}
	return i
}

// addressLength is how long the address or network is that data begins with: what
// consists of digits, three dots, and perhaps a slash behind them, which YAML
// takes for nothing but a text. 0: none.
func addressLength(data []byte) int {
	dots := 0
	for i, c := range data {
		switch {
		case '0' <= c && c <= '9':
		case c == '.' && i > 0:
			dots++
		case c == '/' && dots == 3:
		case dots == 3 && i < len("255.255.255.255/32")+1:
			return i
		default:
			return 0
		}
	}
	return 0
}

// addressNodes are the nodes of the addresses that addressesIn has counted.
func addressNodes(text string, i, line, column, count int) []yaml.Node {
	nodes := make([]yaml.Node, 0, count)
	for i < len(text) {
		switch c := text[i]; c {
		case '\n':
			line, column, i = line+1, 1, i+1
		case ' ', ',':
			column, i = column+1, i+1
		default:
			end := i
			for end < len(text) && text[end] != ',' && text[end] != ' ' && text[end] != '\n' {
				end++
			}
			nodes = append(nodes, yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text[i:end], Line: line, Column: column})
			column, i = column+end-i, end
		}
	}
	return nodes
}

// fillLists puts the lists, which are in the order of the file, into the tree of
// what is left. ok is false if one has no place in it.
func fillLists(node *yaml.Node, lists []longList) (left []longList, ok bool) {
	if len(lists) == 0 {
		return nil, true
	}
	if next := lists[0]; node.Kind == yaml.SequenceNode && node.Line == next.line && node.Column == next.column {
		if len(node.Content) > 0 || node.Style&yaml.FlowStyle == 0 {
			return lists, false
		}
		for i := range next.items {
			node.Content = append(node.Content, &next.items[i])
		}
		return lists[1:], true
	}
	for _, child := range node.Content {
		if lists, ok = fillLists(child, lists); !ok {
			return lists, false
		}
	}
	return lists, true
}
