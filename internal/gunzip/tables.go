package gunzip

import "math/bits"

// entry says what a code means: from the lowest, eight bits how many bits it takes
// with those that belong to it behind, four how many it takes alone, what it is, and
// 16 for its value: a byte, or what a length or distance is at least. 0 is no code.
type entry uint32

const (
	isLiteral entry = 1 << (12 + iota)
	isEnd           // of the block
	isLink          // to the rest of longer codes: value is where in the table it stands
)

func (e entry) value() int { return int(e >> 16) }

// number is the value, with what stands behind the code, which bits begin with.
func (e entry) number(bits uint64) int {
	return e.value() + int(bits&(1<<(e&63)-1)>>(e>>8&15))
}

// A table gives the entries of codes by the next bits of the input: by the first of
// them, and those of longer codes, through a link, by the rest.
type table struct {
	mainBits uint
	linkMask uint64 // for the bits that are looked at behind a link
	entries  [tableEntries]entry
}

const (
	maxBits      = 15 // of a code
	lengthBits   = 10 // that tables are asked for at first
	distanceBits = 8
	orderBits    = 7

	// There is room behind the first entries, 1<<10 or 1<<8, for all links: two of
	// 288 symbols have one at least, of 1<<5 entries, or two of 32, of 1<<7.
	tableEntries = 1 << 13
)

// find gives the entry of the code that bits begin with, bits from where its number
// is read, and how many it takes in all.
func (t *table) find(bits uint64) (e entry, from uint64, used uint) {
	e = t.entries[bits&(1<<t.mainBits-1)]
	if e&isLink != 0 {
		used = t.mainBits
		bits >>= used
		e = t.entries[(uint64(e.value())+bits&t.linkMask)%tableEntries]
	}
	return e, bits, used + uint(e&63)
}

// make makes the table of codes that are so many bits long each, 0: none. meanings are
// their entries but for the codes' lengths, 0: no such symbol. It says whether the
// codes are what they have to be: all that there can be, or a single one of one bit, or none.
func (t *table) make(mainBits uint, lengths []uint8, meanings []entry) bool {
	var count, next [maxBits + 1]int
	longest := 0
	for _, n := range lengths {
		count[n]++
		longest = max(longest, int(n))
	}
	t.mainBits, t.linkMask = mainBits, 0
	clear(t.entries[:1<<mainBits])
	if longest == 0 {
		return true
	}
	code := 0
	for n := 1; n <= longest; n++ {
		code <<= 1
		next[n] = code
		code += count[n]
	}
	if code != 1<<longest && !(code == 1 && longest == 1) {
		return false
	}
	end := 1 << mainBits
	linked := 0 // how many entries are behind a link
	if longest > int(mainBits) {
		linked = 1 << (longest - int(mainBits))
		t.linkMask = uint64(linked - 1)
	}
	for symbol, n := range lengths {
		if n == 0 {
			continue
		}
		first := int(bits.Reverse16(uint16(next[n])) >> (16 - n))
		next[n]++
		e, part, length := meanings[symbol], t.entries[:1<<mainBits], uint(n)
		if length > mainBits {
			link := &part[first&(1<<mainBits-1)]
			if *link == 0 {
				*link = entry(end)<<16 | isLink
				end += linked
			}
			part = t.entries[link.value():][:linked]
			first >>= mainBits
			length -= mainBits
		}
		if e != 0 {
			e += entry(length) * (1<<8 + 1)
		}
		for i := first; i < len(part); i += 1 << length {
			part[i] = e
		}
	}
	return true
}

// meanings of the symbols of RFC 1951, 3.2.5.
var (
	lengthMeanings = func() (m [288]entry) {
		for i := range 256 {
			m[i] = entry(i)<<16 | isLiteral
		}
		m[256] = isEnd
		fill(m[257:285], 3, 8, 4)
		m[285] = longest << 16
		return m
	}()
	distanceMeanings = func() (m [32]entry) {
		fill(m[:30], 1, 4, 2)
		return m
	}()
	orderMeanings = func() (m [19]entry) {
		for i := range m {
			m[i] = entry(i)<<16 | isLiteral
		}
		return m
	}()
)

// fill fills in ranges of numbers from value on: those of the first have no bits
// behind them, and then of each so many one bit more.
func fill(m []entry, value, first, each int) {
	for i := range m {
		extra := max(0, (i-first)/each+1)
		if i < first {
			extra = 0
		}
		m[i] = entry(value)<<16 | entry(extra)
		value += 1 << extra
	}
}

// fixedTables makes those of blocks that have none of their own.
func (r *Reader) fixedTables() error {
	if r.fixed {
		return nil
	}
	r.fixed = true
	lengths := r.codes[:288]
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	r.lengths.make(lengthBits, lengths, lengthMeanings[:])
	distances := r.codes[:32]
	for i := range distances {
		distances[i] = 5
	}
	r.distances.make(distanceBits, distances, distanceMeanings[:])
	return nil
}

// order is that in which the lengths of the codes for lengths are told.
var order = [...]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// readTables reads the tables of a block.
func (r *Reader) readTables() error {
	r.fixed = false
	var head [3]uint
	for i, n := range [...]uint{5, 5, 4} {
		var err error
		if head[i], err = r.take(n); err != nil {
			return err
		}
	}
	lengths, distances := int(head[0])+257, int(head[1])+1
	if lengths > 286 || distances > 30 {
		return r.corrupt()
	}
	var ordered [len(order)]uint8
	for _, symbol := range order[:head[2]+4] {
		n, err := r.take(3)
		if err != nil {
			return err
		}
		ordered[symbol] = uint8(n)
	}
	told := &r.distances // for now
	if !told.make(orderBits, ordered[:], orderMeanings[:]) {
		return r.corrupt()
	}
	codes := r.codes[:lengths+distances]
	for i := 0; i < len(codes); {
		symbol, err := r.takeCode(told)
		if err != nil {
			return err
		}
		if symbol < 16 {
			codes[i] = uint8(symbol)
			i++
			continue
		}
		again, least, extra := uint8(0), 3, uint(3)
		switch symbol {
		case 16:
			if i == 0 {
				return r.corrupt()
			}
			again, extra = codes[i-1], 2
		case 18:
			least, extra = 11, 7
		}
		n, err := r.take(extra)
		if err != nil {
			return err
		}
		times := least + int(n)
		if i+times > len(codes) {
			return r.corrupt()
		}
		for range times {
			codes[i] = again
			i++
		}
	}
	if !r.lengths.make(lengthBits, codes[:lengths], lengthMeanings[:]) || !r.distances.make(distanceBits, codes[lengths:], distanceMeanings[:]) {
		return r.corrupt()
	}
	return nil
}

// takeCode takes a code that has no bits behind it.
func (r *Reader) takeCode(t *table) (int, error) {
	for {
		r.fill()
		e, _, used := t.find(r.bits)
		switch {
		case e != 0 && used <= r.held:
			r.bits >>= used
			r.held -= used
			return e.value(), nil
		case e == 0 && r.held >= maxBits:
			return 0, r.corrupt()
		}
		if err := r.more(); err != nil {
			return 0, err
		}
	}
}
