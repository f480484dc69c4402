package engine

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// AWS writes the members of its records nearly always in one order. Where a scan
// finds the key that it expects, it need not look for its end or look it up; in
// any other order keys are found as well, but later.

// usualOrder is the order of the members of events, and of the records in them,
// by where they stand. What stands there but sometimes is named as well.
func usualOrder() map[string]string {
	return map[string]string{
		"": "version id detail-type source account time region resources detail",
		"detail": "eventVersion userIdentity eventTime eventSource eventName awsRegion sourceIPAddress userAgent errorCode errorMessage requestParameters responseElements additionalEventData " +
			"requestID eventID readOnly resources eventType managementEvent apiVersion recipientAccountId sharedEventID vpcEndpointId eventCategory tlsDetails",
		"detail userIdentity":                              "type principalId arn accountId accessKeyId userName sessionContext invokedBy",
		"detail userIdentity sessionContext":               "sessionIssuer webIdFederationData attributes",
		"detail userIdentity sessionContext sessionIssuer": "type principalId arn accountId userName",
	}
}

// expectUsual lets the places of a trie of events, before it is done, expect
// their members in the usual order.
func (t *trie) expectUsual() {
	for path, members := range usualOrder() {
		at, ok := int32(0), true
		for _, name := range strings.Fields(path) {
			if at, ok = t.steps[at][key(name)]; !ok {
				break
			}
		}
		if ok {
			t.nodes[at].usual = strings.Fields(members)
		}
	}
}

// longestExpected is how many bytes of a key, its last quote and its colon are
// compared: no usual member may have a longer name.
const longestExpected = 3 * 8

// expected is a member that usually comes next: its key, as it stands in the
// bytes from behind the first quote to the colon, as numbers of eight bytes.
type expected struct {
	bytes, masks [3]uint64
	length       int
	slot         int32 // or nobody
}

// expecting makes what is expected of the members of an object, and tells the
// slots that are looked up what comes behind them.
func expecting(members []string, entries []named) []expected {
	out := make([]expected, len(members))
	for i, name := range members {
		if len(name)+2 > longestExpected {
			panic("a usual member's name is too long: " + name)
		}
		var text, mask [longestExpected]byte
		e := expected{length: copy(text[:], name+`":`), slot: nobody}
		copy(mask[:e.length], bytes.Repeat([]byte{0xFF}, e.length))
		for k := range e.bytes {
			e.bytes[k], e.masks[k] = binary.LittleEndian.Uint64(text[8*k:]), binary.LittleEndian.Uint64(mask[8*k:])
		}
		for k := range entries {
			if entries[k].key == name {
				e.slot, entries[k].behind = entries[k].slot, i+1
			}
		}
		out[i] = e
	}
	return out
}

// expect is the member whose key stands at b[i:], if it is the next one or one of
// the few behind it: its slot, where the colon ends, and what is the next one
// then. end is -1 if it is another.
func (n *names) expect(b []byte, i, next int) (slot int32, end, behind int) {
	const few = 3 // how many that may be absent stand in a row
	if i+longestExpected > len(b) {
		return nobody, -1, next
	}
	key := b[i : i+longestExpected : i+longestExpected]
	first, second, third := binary.LittleEndian.Uint64(key), binary.LittleEndian.Uint64(key[8:]), binary.LittleEndian.Uint64(key[16:])
	for k := next; k < min(next+few, len(n.expected)); k++ {
		e := &n.expected[k]
		if (first^e.bytes[0])&e.masks[0]|(second^e.bytes[1])&e.masks[1]|(third^e.bytes[2])&e.masks[2] == 0 {
			return e.slot, i + e.length, k + 1
		}
	}
	return nobody, -1, next
}
