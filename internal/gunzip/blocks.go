package gunzip

import (
	"compress/flate"
	"encoding/binary"
)

// corrupt is the error of what no zipper writes.
func (r *Reader) corrupt() error {
	return flate.CorruptInputError(r.before + int64(r.pos) - int64(r.held/8))
}

// take takes n bits, 16 at most.
func (r *Reader) take(n uint) (uint, error) {
	for r.fill(); r.held < n; r.fill() {
		if err := r.more(); err != nil {
			return 0, err
		}
	}
	v := uint(r.bits) & (1<<n - 1)
	r.bits >>= n
	r.held -= n
	return v, nil
}

// block goes behind the head of a block.
func (r *Reader) block() error {
	if r.final {
		r.final, r.state = false, atTrailer
		return nil
	}
	head, err := r.take(3)
	if err != nil {
		return err
	}
	r.final = head&1 != 0
	switch head >> 1 {
	case 0:
		if err := r.bytes(4); err != nil {
			return err
		}
		n := binary.LittleEndian.Uint16(r.taken[:])
		if binary.LittleEndian.Uint16(r.taken[2:]) != ^n {
			return r.corrupt()
		}
		r.stored, r.state = int(n), inStored
		return nil
	case 1:
		r.state = inBlock
		return r.fixedTables()
	case 2:
		r.state = inBlock
		return r.readTables()
	}
	return r.corrupt()
}

func (r *Reader) copyStored() error {
	if r.stored == 0 {
		r.state = atBlock
		return nil
	}
	if r.pos == len(r.in) {
		if err := r.more(); err != nil {
			return err
		}
	}
	n := copy(r.out[r.end:min(r.end+r.stored, fullAt)], r.in[r.pos:])
	r.pos += n
	r.end += n
	r.stored -= n
	return nil
}

// inflate unzips what there is of a block, as far as there is room.
func (r *Reader) inflate() error {
	for began := r.end; r.state == inBlock; {
		if ok := r.rush(); !ok {
			return r.corrupt()
		}
		if r.state != inBlock || r.end >= fullAt {
			return nil
		}
		switch used, ok := r.symbol(); {
		case used > 0 && !ok:
			return r.corrupt()
		case used > 0:
			r.bits >>= used
			r.held -= used
		case r.end > began: // what there is is given before more is waited for
			return nil
		default:
			if err := r.more(); err != nil {
				return err
			}
		}
	}
	return nil
}

// symbol unzips one symbol, if all of it is there, and says how many bits it took,
// which the caller takes: 0 if it is not. ok is false if it is none.
func (r *Reader) symbol() (used uint, ok bool) {
	r.fill()
	const enough = maxBits + 5 + maxBits + 13
	e, from, used := r.lengths.find(r.bits)
	if e == 0 && r.held >= maxBits {
		return maxBits, false
	}
	if e == 0 || used > r.held {
		return 0, false
	}
	switch {
	case e&isLiteral != 0:
		r.out[r.end] = byte(e.value())
		r.end++
		return used, true
	case e&isEnd != 0:
		r.state = atBlock
		return used, true
	}
	length := e.number(from)
	d, from, more := r.distances.find(r.bits >> used)
	if d == 0 && r.held >= enough {
		return enough, false
	}
	if used += more; d == 0 || used > r.held {
		return 0, false
	}
	back := d.number(from)
	if back > r.end-r.member {
		return used, false
	}
	repeat(r.out, r.end, length, back)
	r.end += length
	return used, true
}

// repeat writes, at end, so many bytes again that stand so far back.
func repeat(out []byte, end, length, back int) {
	for i := end; i < end+length; i++ {
		out[i] = out[i-back]
	}
}
