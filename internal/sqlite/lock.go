package sqlite

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// lock keeps a second process from owning the same file. It is the operating
// system's lock on a file of its own, so that it ends with the process however
// that ends, and so that closing it cannot touch SQLite's locks (POSIX drops a
// process's locks on a file when it closes any descriptor of it).
type lock struct{ file *os.File }

// acquire takes the lock or says ErrInUse, with the id of the process that has
// it, where it is known.
func acquire(path string) (*lock, error) {
	file, err := openLocked(path)
	if errors.Is(err, errLocked) {
		if holder, readErr := os.ReadFile(path); readErr == nil && len(holder) > 0 {
			return nil, fmt.Errorf("%w (process %s)", ErrInUse, strings.TrimSpace(string(holder)))
		}
		return nil, ErrInUse
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	l := &lock{file}
	if err := l.sign(); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), l.release())
	}
	return l, nil
}

// sign writes who has the lock, for the message that others get.
func (l *lock) sign() error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// release lets go. The file stays: removing it would let two processes lock
// two files of one name.
func (l *lock) release() error { return l.file.Close() }
