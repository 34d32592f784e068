package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// FS is a file system. Names are paths of the operating system. Nothing of what is changed through it is sure to outlive a loss of power before it was
// synced: the contents of a file by [File.Sync], that a file is there, is gone or has another name by SyncDir of the directory that it is in.
type FS interface {
	// MkdirAll makes a directory and those above it; one that exists is left alone.
	MkdirAll(dir string) error
	// Open opens a file for writing and makes it where it does not exist.
	Open(name string) (File, error)
	// ReadFile returns a file's contents. It fails with [fs.ErrNotExist].
	ReadFile(name string) ([]byte, error)
	// ReadDir lists the names in a directory, in order; directories end in a slash. A directory that does not exist is empty.
	ReadDir(dir string) ([]string, error)
	// Rename gives a file or a directory another name; a file that has that name is replaced.
	Rename(from, to string) error
	// Remove removes a file. One that does not exist is no error.
	Remove(name string) error
	// RemoveAll removes a directory with what is in it.
	RemoveAll(dir string) error
	// SyncDir makes the names in a directory last.
	SyncDir(dir string) error
	// Lock takes a file that one process may hold at a time. It fails with [ErrLocked].
	Lock(name string) (io.Closer, error)
}

// File is a file that is written.
type File interface {
	io.WriterAt
	io.Closer
	// Truncate cuts the file, or makes it longer with zeros.
	Truncate(size int64) error
	// Begin has a part of the contents on its way to the disk that [File.Sync] will be asked for soon, so that it waits less. It promises nothing.
	Begin(at, size int64)
	// Sync makes the contents last.
	Sync() error
}

// ErrLocked says that another process holds the lock.
var ErrLocked = errors.New("in use by another process")

// Full says whether an error means that there is no room left.
func Full(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// OS is the operating system's.
var OS FS = system{}

type system struct{}

func (system) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o755) }

func (system) Open(name string) (File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	return file{f}, nil
}

// file is one of the operating system's.
type file struct{ *os.File }

// Sync syncs the contents and what is needed to find them; when they were written may be lost.
func (f file) Sync() error { return syncData(f.File) }

func (f file) Begin(at, size int64) { beginData(f.File, at, size) }

func (system) ReadFile(name string) ([]byte, error) { return os.ReadFile(name) }

func (system) ReadDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
		if e.IsDir() {
			names[i] += "/"
		}
	}
	return names, err
}

func (system) Rename(from, to string) error { return os.Rename(from, to) }

func (system) Remove(name string) error {
	if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (system) RemoveAll(dir string) error { return os.RemoveAll(dir) }

func (system) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return syncDir(d)
}

func (system) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Write writes a file whose contents can be done without, or are synced later: a loss of power may leave it empty, or in part.
func Write(f FS, name string, contents []byte) error {
	w, err := f.Open(name)
	if err != nil {
		return err
	}
	if err = w.Truncate(0); err == nil && len(contents) > 0 {
		_, err = w.WriteAt(contents, 0)
	}
	return errors.Join(err, w.Close())
}

// Replace writes a file anew so that a reader, now or after a loss of power, finds the old contents or the new ones, whole. That the new ones are found
// is sure only after SyncDir.
func Replace(f FS, name string, contents []byte) error {
	part := name + ".tmp"
	w, err := f.Open(part)
	if err != nil {
		return err
	}
	if err = w.Truncate(0); err == nil {
		if _, err = w.WriteAt(contents, 0); err == nil {
			err = w.Sync()
		}
	}
	if closed := w.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = f.Rename(part, name)
	}
	if err != nil {
		_ = f.Remove(part) // what is said is why it could not be written
	}
	return err
}

// IsDir says whether a name of ReadDir is that of a directory, and returns it without the slash.
func IsDir(name string) (string, bool) { return strings.CutSuffix(name, string('/')) }

// Parent is the directory that a name is in.
func Parent(name string) string { return filepath.Dir(name) }
