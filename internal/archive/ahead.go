package archive

import "io"

// How far a file is read ahead: blocks of so many bytes, inflated.
const (
	blockBytes  = 128 << 10
	blocksAhead = 4
)

// block is what one read gave.
type block struct {
	data []byte
	err  error
}

// ahead reads on another goroutine what will be asked for.
type ahead struct {
	blocks chan block
	used   chan []byte   // blocks to be filled again
	stop   chan struct{} // closed: no more is wanted
	ended  chan struct{} // closed: src is not read any more
	now    block
	rest   []byte           // of now, what is not read yet
	idle   func() (on bool) // is called before it is waited for; false: no more is wanted
}

// readAhead reads src ahead, until its end or until no more is wanted.
func readAhead(src io.Reader, idle func() bool) *ahead {
	a := &ahead{
		blocks: make(chan block, blocksAhead), used: make(chan []byte, blocksAhead+2), idle: idle,
		stop: make(chan struct{}), ended: make(chan struct{}),
	}
	for range cap(a.used) {
		a.used <- nil // made when it is needed: most files are small
	}
	go a.fill(src)
	return a
}

func (a *ahead) fill(src io.Reader) {
	defer close(a.ended)
	for {
		var data []byte
		select {
		case data = <-a.used:
		case <-a.stop:
			return
		}
		if data == nil {
			data = make([]byte, blockBytes)
		}
		n, err := 0, error(nil)
		for n < len(data)/2 && err == nil { // a pipe may give a line at a time
			var more int
			more, err = src.Read(data[n:])
			n += more
			if more > 0 && len(a.blocks) == 0 { // somebody may be waiting for it
				break
			}
		}
		select {
		case a.blocks <- block{data[:n], err}:
		case <-a.stop:
			return
		}
		if err != nil {
			return
		}
	}
}

// Read implements io.Reader.
func (a *ahead) Read(p []byte) (int, error) {
	for len(a.rest) == 0 {
		if a.now.err != nil {
			return 0, a.now.err
		}
		if a.now.data != nil {
			a.used <- a.now.data[:cap(a.now.data)] // there is room for all there are
		}
		select {
		case a.now = <-a.blocks:
		default:
			if !a.idle() {
				return 0, io.EOF
			}
			a.now = <-a.blocks
		}
		a.rest = a.now.data
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}
