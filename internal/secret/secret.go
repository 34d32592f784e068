// Package secret holds values that must not be printed (guarantee G14).
package secret

import (
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// Secret holds a string that no verb of fmt, no encoder and no logger prints. The zero value is empty.
//
// The string lives in a closure: fmt does not call methods on unexported fields, so a Secret inside somebody's unexported field would otherwise be printed
// by %+v; a func is printed as an address.
type Secret struct{ reveal func() string }

// New returns a Secret that holds s.
func New(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{reveal: func() string { return s }}
}

// Reveal returns the string. Call it where the string is used, and nowhere else.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.reveal == nil }

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
