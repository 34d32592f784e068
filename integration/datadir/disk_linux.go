package main

import (
	"fmt"
	"os"
	"syscall"
)

// disk is a file system of its own that the broker fills: small, and made larger while the broker runs.
type disk struct{ at string }

// mountDisk makes the file system, which only root may.
func mountDisk(dir string) (*disk, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := syscall.Mount("sordini", dir, "tmpfs", 0, "size="+smallDisk); err != nil {
		return nil, fmt.Errorf("mount a file system of %s at %s, which root may, and a container with CAP_SYS_ADMIN: %w", smallDisk, dir, err)
	}
	return &disk{at: dir}, nil
}

func (d *disk) grow() error {
	if err := syscall.Mount("sordini", d.at, "tmpfs", syscall.MS_REMOUNT, "size="+largeDisk); err != nil {
		return fmt.Errorf("make the file system larger: %w", err)
	}
	return nil
}

func (d *disk) unmount() { _ = syscall.Unmount(d.at, syscall.MNT_DETACH) }
