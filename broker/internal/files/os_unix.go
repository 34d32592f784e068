//go:build unix

package files

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

func syncDir(d *os.File) error { return d.Sync() }

// lock takes the file for as long as it is open.
func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("%s: %w", f.Name(), ErrLocked)
	}
	return err
}
