package sqlite

import (
	"encoding/binary"
	"iter"

	"github.com/skycrafters/responder"
)

// A bundle is one row that holds several messages of one Send: it is written,
// claimed and acknowledged at the price of one. The row of seq and n holds those
// with the ids (seq-n, seq]. It is delivered once, and whole; as soon as
// anything is to become of a part of it, it is taken apart into rows of one
// message each, which keep their ids and receipts, and stays so.

// What a bundle holds at most.
const (
	maxBundle      = 100
	maxBundleBytes = 1 << 20 // of bodies; a message that is larger is alone
)

// bundles gives messages in turn, those together that go into one row.
func bundles(messages []responder.Message) iter.Seq[[]responder.Message] {
	return func(yield func([]responder.Message) bool) {
		for len(messages) > 0 {
			n, size := 1, len(messages[0].Body)
			for n < min(len(messages), maxBundle) && messages[n].Delay == messages[0].Delay {
				if size += len(messages[n].Body); size > maxBundleBytes {
					break
				}
				n++
			}
			if !yield(messages[:n]) {
				return
			}
			messages = messages[n:]
		}
	}
}

// pack appends the bodies as a row keeps them: that of one message as it is,
// others each behind its length.
func pack(data []byte, messages []responder.Message) []byte {
	if len(messages) == 1 {
		return append(data, messages[0].Body...)
	}
	for _, m := range messages {
		data = append(binary.AppendUvarint(data, uint64(len(m.Body))), m.Body...)
	}
	return data
}

// unpack gives the n bodies that pack was given, as parts of data. Of a damaged
// row come n bodies too, and whoever handles them sees what they are.
func unpack(data []byte, n int) [][]byte {
	if n == 1 {
		return [][]byte{data}
	}
	bodies := make([][]byte, n)
	for i := range bodies {
		length, width := binary.Uvarint(data)
		data = data[max(width, 0):]
		end := int(min(length, uint64(len(data))))
		bodies[i], data = data[:end:end], data[end:]
	}
	return bodies
}

// takeApart makes a bundle into rows of one message each, as visible, held and
// received as it was. What is no bundle, or none any more, stays as it is.
func takeApart(tx *tx, bundle int64) error {
	var n int
	var data []byte
	found, err := tx.find([]any{&n, &data}, `SELECT n, body FROM messages JOIN bodies USING (seq) WHERE seq = ? AND n > 1`, bundle)
	if err != nil || !found {
		return err
	}
	first := bundle - int64(n) + 1
	var others numbers
	for seq := first; seq < bundle; seq++ {
		others = append(others, seq)
	}
	if _, err := tx.exec(`
		INSERT INTO messages (seq, queue, visible_at, held, receives)
		SELECT value, queue, visible_at, held, receives FROM messages, json_each(?) WHERE seq = ?`, others.list(), bundle); err != nil {
		return err
	}
	if _, err := tx.exec(`UPDATE messages SET n = 1 WHERE seq = ?`, bundle); err != nil {
		return err
	}
	for i, body := range unpack(data, n) {
		if _, err := tx.exec(`REPLACE INTO bodies (seq, body) VALUES (?, ?)`, first+int64(i), body); err != nil {
			return err
		}
	}
	return nil
}
