// Package gunzip unzips gzip streams (RFC 1952, RFC 1951), about twice as fast
// as the libraries do what archives are made of: long texts of few symbols. It
// holds what was unzipped last in one long buffer, so that a repetition is found
// in one piece, and takes eight bytes of input at once.
//
// It imports the standard library alone, and is held to it by a fuzzer: the same
// bytes, and damage where that sees damage.
package gunzip

import (
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"io"
)

const (
	inBytes     = 32 << 10
	windowBytes = 32 << 10 // how far back repetitions reach
	outBytes    = 128 << 10
	longest     = 258                    // bytes of a repetition
	spare       = 64                     // bytes that may be written behind what is asked for
	fullAt      = windowBytes + outBytes // nothing begins there or behind
)

// Reader gives what is zipped in a stream: one member of a gzip file after the
// other. It never waits for input while it has something to give. Reset before use;
// it can be used again and allocates nothing then. Not safe for concurrent use.
type Reader struct {
	src    io.Reader
	srcErr error
	in     []byte // of src; in[pos:] is not taken yet
	pos    int
	before int64 // bytes of src that stood before in

	taken [10]byte // what bytes took

	bits  uint64 // taken, the next lowest; above the held ones stand copies of what comes next, or nothing
	held  uint   // how many bits are taken
	fixed bool   // the tables are those of fixed blocks

	lengths, distances table
	codes              [288 + 32]uint8 // bits of each code, while tables are made

	out      []byte // what was unzipped: the window and what is not given yet
	given    int    // out[given:end] is to be given
	end      int
	member   int // where in out the member begins, or less
	stored   int // bytes of a stored block that are to come
	final    bool
	state    state
	checksum uint32
	size     uint32
	err      error
}

// state is what comes next in the input.
type state int

const (
	atMember state = iota
	atBlock
	inStored
	inBlock
	atTrailer
)

// Reset begins a stream. The error is that of its first header; then nothing can be read.
func (r *Reader) Reset(src io.Reader) error {
	if r.in == nil {
		r.in, r.out = make([]byte, 0, inBytes), make([]byte, fullAt+longest+spare)
	}
	r.src, r.srcErr, r.err = src, nil, nil
	r.in, r.pos, r.before = r.in[:0], 0, 0
	r.bits, r.held = 0, 0
	r.given, r.end, r.member, r.final = 0, 0, 0, false
	if r.err = r.header(); r.err == nil {
		r.state = atBlock
	}
	return r.err
}

// Read implements io.Reader. Errors are those of compress/gzip, but that a
// [flate.CorruptInputError] is near the place, not at it.
func (r *Reader) Read(p []byte) (int, error) {
	for r.given == r.end {
		if r.err != nil {
			return 0, r.err
		}
		if len(p) == 0 {
			return 0, nil
		}
		r.err = r.goOn()
	}
	n := copy(p, r.out[r.given:r.end])
	r.given += n
	return n, nil
}

// goOn unzips some more, or gets behind what stands between.
func (r *Reader) goOn() (err error) {
	if r.end >= fullAt {
		far := r.end - windowBytes
		copy(r.out, r.out[far:r.end])
		r.given, r.end, r.member = windowBytes, windowBytes, max(0, r.member-far)
	}
	began := r.end
	switch r.state {
	case atMember:
		if err = r.header(); err == nil {
			r.state = atBlock
		}
	case atBlock:
		err = r.block()
	case inStored:
		err = r.copyStored()
	case inBlock:
		err = r.inflate()
	case atTrailer:
		err = r.trailer()
	}
	fresh := r.out[began:r.end]
	r.checksum = crc32.Update(r.checksum, crc32.IEEETable, fresh)
	r.size += uint32(len(fresh))
	return err
}

// header goes behind the header of a member; io.EOF if there is none any more.
func (r *Reader) header() error {
	if err := r.bytes(1); err != nil {
		if r.srcErr == io.EOF {
			return io.EOF
		}
		return err
	}
	const magic1, magic2, deflate = 0x1f, 0x8b, 8
	const withChecksum, withExtra, withName, withComment = 1 << 1, 1 << 2, 1 << 3, 1 << 4
	r.checksum = crc32.ChecksumIEEE(r.taken[:1])
	known := r.taken[0] == magic1
	if err := r.checked(9); err != nil {
		return err
	}
	flags := r.taken[2]
	if !known || r.taken[0] != magic2 || r.taken[1] != deflate {
		return gzip.ErrHeader
	}
	if flags&withExtra != 0 {
		if err := r.checked(2); err != nil {
			return err
		}
		for range binary.LittleEndian.Uint16(r.taken[:]) {
			if err := r.checked(1); err != nil {
				return err
			}
		}
	}
	const longestText = 511
	for _, with := range []byte{withName, withComment} {
		for n := 0; flags&with != 0; n++ {
			if err := r.checked(1); err != nil {
				return err
			}
			if r.taken[0] == 0 {
				break
			}
			if n == longestText {
				return gzip.ErrHeader
			}
		}
	}
	if flags&withChecksum != 0 {
		if err := r.bytes(2); err != nil {
			return err
		}
		if binary.LittleEndian.Uint16(r.taken[:]) != uint16(r.checksum) {
			return gzip.ErrHeader
		}
	}
	r.checksum, r.size, r.member = 0, 0, r.end
	return nil
}

// checked takes bytes that are part of a header's checksum.
func (r *Reader) checked(n int) error {
	err := r.bytes(n)
	r.checksum = crc32.Update(r.checksum, crc32.IEEETable, r.taken[:n])
	return err
}

// trailer holds a member to what it says of itself.
func (r *Reader) trailer() error {
	if err := r.bytes(8); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(r.taken[:4]) != r.checksum || binary.LittleEndian.Uint32(r.taken[4:]) != r.size {
		return gzip.ErrChecksum
	}
	r.state = atMember
	return nil
}

// bytes takes the next n bytes of the input, whole ones: bits of one that is begun
// are passed over.
func (r *Reader) bytes(n int) error {
	r.pos -= int(r.held / 8)
	r.bits, r.held = 0, 0
	for got := 0; got < n; {
		if r.pos == len(r.in) {
			if err := r.more(); err != nil {
				return err
			}
		}
		more := copy(r.taken[got:n], r.in[r.pos:])
		r.pos += more
		got += more
	}
	return nil
}

// fill takes bits until there are enough for any symbol, or no more are there to
// be taken without waiting.
func (r *Reader) fill() {
	for r.held <= 56 && r.pos < len(r.in) {
		r.bits |= uint64(r.in[r.pos]) << r.held
		r.held += 8
		r.pos++
	}
}

// more reads some of src; what was there is taken, and the bits that are held are
// not enough for what comes next, so that none of it has to be given back. The error
// is not nil if nothing comes.
func (r *Reader) more() error {
	r.before += int64(r.pos)
	r.in, r.pos = r.in[:0], 0
	for range 100 {
		if r.srcErr != nil {
			break
		}
		var n int
		n, r.srcErr = r.src.Read(r.in[:cap(r.in)])
		if r.in = r.in[:n]; n > 0 {
			return nil
		}
	}
	switch r.srcErr {
	case nil:
		r.srcErr = io.ErrNoProgress
	case io.EOF:
		return io.ErrUnexpectedEOF
	}
	return r.srcErr
}
