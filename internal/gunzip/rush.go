package gunzip

import "encoding/binary"

// rush unzips symbols as long as there is so much input, and so much room, that
// nothing has to be asked about either. It leaves the rest to symbol. ok is false
// if it came to what is none.
func (r *Reader) rush() (ok bool) {
	const whole = 8 // bytes that are read at once
	le := binary.LittleEndian
	in, pos, bits, held := r.in, r.pos, r.bits, r.held
	out, end := r.out, r.end
	lengths, distances := &r.lengths.entries, &r.distances.entries
	lengthLinks, distanceLinks := r.lengths.linkMask, r.distances.linkMask
	ok = true
loop:
	for pos+whole <= len(in) && end < fullAt {
		// As many whole bytes as there is room for, 56 bits at least then: a length and
		// a distance take 48. What is above them is read again.
		bits |= le.Uint64(in[pos:]) << (held & 63)
		pos += int(63-held) >> 3
		held |= 56

		e := lengths[bits&(1<<lengthBits-1)]
		for e&isLiteral != 0 {
			bits >>= e & 63
			held -= uint(e & 63)
			out[end] = byte(e >> 16)
			end++
			if held < 48 {
				continue loop
			}
			e = lengths[bits&(1<<lengthBits-1)]
		}
		if e&isLink != 0 {
			bits >>= lengthBits
			held -= lengthBits
			e = lengths[(uint64(e.value())+bits&lengthLinks)%tableEntries]
			if e&isLiteral != 0 {
				bits >>= e & 63
				held -= uint(e & 63)
				out[end] = byte(e >> 16)
				end++
				continue
			}
		}
		if e&isEnd != 0 {
			bits >>= e & 63
			held -= uint(e & 63)
			r.state = atBlock
			break
		}
		length := e.number(bits)
		bits >>= e & 63
		held -= uint(e & 63)
		d := distances[bits&(1<<distanceBits-1)]
		if d&isLink != 0 {
			bits >>= distanceBits
			held -= distanceBits
			d = distances[(uint64(d.value())+bits&distanceLinks)%tableEntries]
		}
		back := d.number(bits)
		bits >>= d & 63
		held -= uint(d & 63)
		if e == 0 || d == 0 || back > end-r.member {
			ok = false
			break
		}
		switch {
		case back >= whole && length <= 64: // a few bytes more are written, and written again
			for i := 0; i < length; i += whole {
				le.PutUint64(out[end+i:], le.Uint64(out[end+i-back:]))
			}
		case back >= length:
			copy(out[end:end+length], out[end-back:])
		default:
			repeat(out, end, length, back)
		}
		end += length
	}
	r.pos, r.bits, r.held, r.end = pos, bits, held, end
	return ok
}
