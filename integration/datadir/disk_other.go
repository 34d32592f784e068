//go:build !linux

package main

import "errors"

// disk is a file system of its own, which is mounted on Linux only.
type disk struct{ at string }

func mountDisk(string) (*disk, error) {
	return nil, errors.New("a small file system is mounted on Linux only: run this there, as root")
}

func (d *disk) grow() error { return errors.New("not mounted") }

func (d *disk) unmount() {}
