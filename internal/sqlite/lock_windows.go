package sqlite

import (
	"os"
	"syscall"
)

// errLocked is what openLocked gives while another holds the lock:
// ERROR_SHARING_VIOLATION.
var errLocked error = syscall.Errno(32)

// openLocked opens the file so that nobody else can.
func openLocked(path string) (*os.File, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	const share = 0
	handle, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, share, nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(handle), path), nil
}
