package files

import (
	"errors"
	"os"
	"syscall"
)

// syncData leaves out what fsync does for the times of a file.
func syncData(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if !errors.Is(err, syscall.EINTR) {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

// rangeWrite is SYNC_FILE_RANGE_WRITE.
const rangeWrite = 2

// beginData starts writing pages. That it cannot says fdatasync.
func beginData(f *os.File, at, size int64) {
	_ = syscall.SyncFileRange(int(f.Fd()), at, size, rangeWrite)
}
