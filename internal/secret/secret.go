// Package secret holds values that must not be printed (guarantee G14).
package secret

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
)

const redacted = "[redacted]"

// Secret holds a string that no verb of fmt, no encoder and no logger prints. The zero value is empty.
//
// The string lives in a closure: fmt does not call methods on unexported fields, so a Secret inside somebody's unexported field would otherwise be printed
// by %+v; a func is printed as an address.
type Secret struct{ get func() (string, error) }

// New returns a Secret that holds s.
func New(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{get: func() (string, error) { return s, nil }}
}

// File returns a Secret that is a file's content without one line end at its end. The file is read again at each use, so what is changed in it counts from
// then on. When it can not be read, or is empty, the Secret stays what it was; see [Secret.Get].
func File(path string) Secret {
	var (
		mu   sync.Mutex // guards last
		last string
	)
	return Secret{get: func() (string, error) {
		mu.Lock()
		defer mu.Unlock()
		data, err := os.ReadFile(path)
		if err != nil {
			return last, fmt.Errorf("secret file: %w", err)
		}
		text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
		if text == "" {
			return last, fmt.Errorf("secret file %s: %w", path, errEmpty)
		}
		last = text
		return text, nil
	}}
}

var errEmpty = errors.New("it is empty")

// Get returns the string. An error says why the secret's file can not be read; the string is then what it held before, or "" where it was never read.
func (s Secret) Get() (string, error) {
	if s.get == nil {
		return "", nil
	}
	return s.get()
}

// Reveal is Get without the error. Call it where the string is used, and nowhere else.
func (s Secret) Reveal() string {
	text, _ := s.Get()
	return text
}

// IsZero reports whether nothing was given: neither a string nor a file.
func (s Secret) IsZero() bool { return s.get == nil }

// Format prints "[redacted]" for every verb, or nothing where the secret is empty.
func (s Secret) Format(f fmt.State, _ rune) {
	if !s.IsZero() {
		_, _ = f.Write([]byte(redacted))
	}
}

// LogValue redacts the secret for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(s)) }

// MarshalText redacts the secret for encoding/json and others.
func (s Secret) MarshalText() ([]byte, error) { return []byte(fmt.Sprint(s)), nil }
