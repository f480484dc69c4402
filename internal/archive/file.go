package archive

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"

	"github.com/skycrafters/responder/internal/elements"
)

// File is a file that can be read once, wherever it is kept.
type File struct {
	Name string // what records and damages call it
	Size int64  // bytes as it is kept, -1 if that is not known before it is read

	// Ahead has it read and unzipped by a goroutine of its own, some blocks ahead,
	// for reading it may wait; Spare only unzipped, for a core has nothing else to do.
	Ahead, Spare bool

	// Open begins to read it. Where reading may wait, it ends with ctx.
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// local is a file of this machine, or Stdin.
func local(path string, stdin io.Reader) File {
	file := File{Name: path, Size: -1, Ahead: true}
	info, err := os.Stat(path)
	switch {
	case path == Stdin:
		file.Open = func(ctx context.Context) (io.ReadCloser, error) { return Interruptible(ctx, stdin), nil }
	case err == nil && !info.Mode().IsRegular() && !info.IsDir():
		file.Open = func(ctx context.Context) (io.ReadCloser, error) { return openPipe(ctx, path), nil }
	default:
		file.Open = func(context.Context) (io.ReadCloser, error) { return os.Open(path) }
		if err == nil {
			file.Size, file.Ahead = info.Size(), false
		}
	}
	return file
}

// Unreadable is a file that nothing can be read of, for the reason of damage.
func Unreadable(damage error) File {
	return File{Size: -1, Open: func(context.Context) (io.ReadCloser, error) { return nil, damage }}
}

func (f File) records(ctx context.Context, desk *Desk) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		f.open(ctx, yield, func(file io.Reader) { read(ctx, f.Name, file, desk, nil, (*elements.Reader).Next, yield) })
	}
}

// open opens the file for the time of do; if it cannot, that is yielded.
func (f File) open(ctx context.Context, yield func(Record, error) bool, do func(io.Reader)) {
	file, err := f.Open(ctx)
	var damage *Damage
	switch {
	case errors.As(err, &damage):
		yield(Record{}, damage)
		return
	case err != nil:
		yield(Record{}, fileDamage(f.Name, err))
		return
	}
	defer file.Close() // read only: nothing is lost with its error
	do(file)
}
