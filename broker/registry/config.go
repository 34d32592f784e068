package registry

import (
	"fmt"
	"log/slog"
)

// Config says how a registry works. The zero value keeps everything in memory and lets everybody in.
type Config struct {
	// Log holds the registry's state. Default: a [MemoryLog] of its own.
	Log Log
	// Compatibility is the level where none has been set. Default BACKWARD, as Confluent's.
	Compatibility string
	// Users, where there are any, must authenticate with one of these passwords (HTTP basic).
	Users map[string]Password
	// MaxBody is the largest request that is read, in bytes. Default 4 MiB.
	MaxBody int64
	// ClusterID is what /v1/metadata/id answers as the Kafka cluster's.
	ClusterID string
	// Logger takes the registry's log. Default: none.
	Logger *slog.Logger
}

// Password is a password that does not show in logs, errors or %v.
type Password string

const redacted = "(redacted)"

// Format writes a placeholder.
func (p Password) Format(s fmt.State, _ rune) {
	if p != "" {
		fmt.Fprint(s, redacted)
	}
}

// LogValue is a placeholder.
func (p Password) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(p)) }

// MarshalText is a placeholder.
func (p Password) MarshalText() ([]byte, error) { return []byte(fmt.Sprint(p)), nil }
