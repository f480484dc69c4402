package archive

import (
	"bufio"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
)

// roomBytes is what is held of a file while its elements are looked for: it stays
// in a core's own cache.
const roomBytes = 256 << 10

// Desk is what a file is read at, and can be used for the next: most files of an
// archive are so small that making it would cost more than reading them. The zero
// value is ready. One file at a time.
type Desk struct {
	in   *bufio.Reader
	zip  *gzip.Reader
	room []byte
}

// open gives what stands in a file, unzipped if it begins like a gzip file,
// whatever its name.
func (d *Desk) open(file io.Reader) (src io.Reader, zipped bool, err error) {
	if d.in == nil {
		d.in, d.zip, d.room = bufio.NewReaderSize(nil, 64<<10), new(gzip.Reader), make([]byte, roomBytes)
	}
	d.in.Reset(file)
	head, err := d.in.Peek(2)
	switch {
	case err != nil && err != io.EOF:
		return nil, false, err
	case len(head) < 2 || head[0] != 0x1f || head[1] != 0x8b:
		return d.in, false, nil
	}
	if err := d.zip.Reset(d.in); err != nil {
		return nil, true, fmt.Errorf("gunzip: %w", err)
	}
	return d.zip, true, nil
}

// filling fills what it is given to read into: src, which does not wait, gives a
// little at a time.
type filling struct{ src io.Reader }

func (f filling) Read(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var more int
		more, err = f.src.Read(p[n:])
		n += more
	}
	return n, err
}
