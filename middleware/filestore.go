package middleware

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// FileStore is a [ClaimStore] in a directory that senders and readers share: one machine's, or a volume that several mount. It is safe for concurrent use, by
// several processes too.
type FileStore struct{ dir string }

// Names of files that are no value. A value's is 64 digits.
const (
	writing  = "writing-"  // before it is one
	trimming = "trimming-" // on its way out
)

// NewFileStore returns a store in dir, which must exist: a volume that is not mounted should not be taken for an empty one.
func NewFileStore(dir string) (*FileStore, error) {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = errors.New("it is a file")
	}
	if err != nil {
		return nil, fmt.Errorf("claim check: %q is to be a directory that exists: %w", dir, err)
	}
	return &FileStore{dir: dir}, nil
}

func (s *FileStore) path(name string) (string, error) {
	if len(name) != 64 || strings.Trim(name, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%q is not a hash of 64 hexadecimal digits", name)
	}
	return filepath.Join(s.dir, name[:2], name), nil
}

// Put implements [ClaimStore]. The value is on the disk when it returns: file and directory are synced.
func (s *FileStore) Put(ctx context.Context, name string, value []byte) error {
	path, err := s.path(name)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	// What is there is the same value, and begins to age anew; one that is being trimmed has another path by now, and is written again.
	if info, err := os.Stat(path); err == nil && info.Size() == int64(len(value)) {
		if now := time.Now(); os.Chtimes(path, now, now) == nil {
			return nil
		}
	}
	folder := filepath.Dir(path)
	if err := os.Mkdir(folder, 0o750); err == nil {
		err = syncDir(s.dir)
		if err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := os.CreateTemp(folder, writing)
	if err != nil {
		return err
	}
	_, err = f.Write(value)
	err = errors.Join(err, f.Chmod(0o640), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	return syncDir(folder)
}

// syncDir makes names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Get implements [ClaimStore].
func (s *FileStore) Get(ctx context.Context, name string) ([]byte, error) {
	path, err := s.path(name)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	value, err := os.ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return value, err
	}
	if _, gone := os.Stat(s.dir); gone != nil {
		return nil, errors.New("the store's directory is away: " + gone.Error()) // not wrapped: that is no value's absence
	}
	aside := filepath.Join(filepath.Dir(path), trimming+name)
	if value, err := os.ReadFile(aside); err == nil {
		return value, nil
	}
	return os.ReadFile(path) // it may have come back
}

// Trim deletes the values that were put there, or put again, longer than age ago, and returns how many. age must exceed the retention of every topic whose records
// refer to the store, and as long as dead letters are to be redriven; less than an hour is refused. It may run beside Put and Get, in any process; run it once a day.
func (s *FileStore) Trim(ctx context.Context, age time.Duration) (n int, err error) {
	if age < time.Hour {
		return 0, fmt.Errorf("claim check: trim values of %s: at least an hour, and longer than any record that refers to them", age)
	}
	before := time.Now().Add(-age)
	folders, err := os.ReadDir(s.dir)
	if err != nil {
		return 0, fmt.Errorf("claim check: trim: %w", err)
	}
	for _, folder := range folders {
		if !folder.IsDir() || len(folder.Name()) != 2 {
			continue
		}
		files, err := os.ReadDir(filepath.Join(s.dir, folder.Name()))
		if err != nil {
			return n, fmt.Errorf("claim check: trim: %w", err)
		}
		for _, f := range files {
			if ctx.Err() != nil {
				return n, context.Cause(ctx)
			}
			gone, err := s.trim(filepath.Join(s.dir, folder.Name()), f.Name(), before)
			if err != nil {
				return n, fmt.Errorf("claim check: trim: %w", err)
			}
			if gone {
				n++
			}
		}
	}
	return n, nil
}

// trim deletes one file that is older than before. A value is moved aside first and looked at once more: somebody may have put it again in between, and has sent a
// record that refers to it.
func (s *FileStore) trim(folder, name string, before time.Time) (gone bool, err error) {
	path, aside := filepath.Join(folder, name), filepath.Join(folder, trimming+name)
	switch {
	case strings.HasPrefix(name, writing):
		if older(path, before) {
			return false, ignoreAbsence(os.Remove(path))
		}
		return false, nil
	case strings.HasPrefix(name, trimming): // by somebody who did not finish
		path, aside = filepath.Join(folder, strings.TrimPrefix(name, trimming)), path
	case len(name) != 64 || !older(path, before):
		return false, nil
	default:
		if err := os.Rename(path, aside); err != nil {
			return false, ignoreAbsence(err)
		}
	}
	if gone = older(aside, before); !gone {
		if err := os.Link(aside, path); err != nil && !errors.Is(err, fs.ErrExist) {
			return false, ignoreAbsence(err)
		}
	}
	return gone, ignoreAbsence(os.Remove(aside))
}

func older(path string, than time.Time) bool {
	info, err := os.Stat(path)
	return err == nil && info.ModTime().Before(than)
}

func ignoreAbsence(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
