//go:build !linux

package files

import "os"

func syncData(f *os.File) error { return f.Sync() }
