package archive

import (
	"context"
	"io"
	"os"
)

// Interruptible gives what src gives, until ctx is done: a Read that waits, as
// on a terminal or a pipe, ends then with ctx's error. Close it in any case. A
// read of src that is under way cannot be taken back: it is left behind, on a
// goroutine that ends with it.
func Interruptible(ctx context.Context, src io.Reader) io.ReadCloser {
	return pump(ctx, func(to io.Writer) error {
		_, err := io.Copy(to, src)
		return err
	})
}

// openPipe is Interruptible for what already waits when it is opened: a named
// pipe waits for its writer.
func openPipe(ctx context.Context, path string) io.ReadCloser {
	return pump(ctx, func(to io.Writer) error {
		file, err := os.Open(path)
		if err != nil {
			return fileDamage(path, err).Err
		}
		defer file.Close() // read only: nothing is lost with its error
		_, err = io.Copy(to, file)
		return err
	})
}

// pump gives what from writes, until ctx is done.
func pump(ctx context.Context, from func(io.Writer) error) io.ReadCloser {
	out, in := io.Pipe()
	stop := context.AfterFunc(ctx, func() { out.CloseWithError(ctx.Err()); in.CloseWithError(ctx.Err()) })
	go func() { in.CloseWithError(from(in)) }() // io.EOF if nil
	return &interruptible{out, stop}
}

type interruptible struct {
	*io.PipeReader
	stop func() bool
}

// Close implements io.Closer.
func (i *interruptible) Close() error {
	i.stop()
	return i.PipeReader.Close()
}

// watched is a source that does not wait: it is enough to ask before each read.
type watched struct {
	ctx context.Context
	src io.Reader
}

func (w watched) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.src.Read(p)
}
