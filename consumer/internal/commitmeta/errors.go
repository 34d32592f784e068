package commitmeta

import (
	"errors"
	"fmt"
)

// What Decode, Encode and Matches answer; match with errors.Is. The texts around them say what was found.
var (
	// ErrForeign says that the metadata was not written by this package: another client or framework committed last. Decode returns it.
	ErrForeign = errors.New("foreign commit metadata")
	// ErrEmpty says that there is no metadata at all, as after a reset by a tool or a commit by most other clients. It is an ErrForeign as well.
	ErrEmpty = fmt.Errorf("%w: empty", ErrForeign)
	// ErrVersion says that a later release wrote the metadata in a version that this one does not read. Decode returns it.
	ErrVersion = errors.New("unknown commit metadata version")
	// ErrCorrupt says that the metadata starts like ours, but was cut, changed, or breaks the format. Decode returns it.
	ErrCorrupt = errors.New("corrupt commit metadata")
	// ErrTooLarge says that the metadata does not fit the limit. Encode returns it, as a *TooLargeError.
	ErrTooLarge = errors.New("commit metadata too large")
	// ErrInvalid says that a field holds what the format cannot express, which is a defect of the caller. Encode returns it.
	ErrInvalid = errors.New("invalid commit metadata")

	// ErrTopicRecreated says that the metadata was written for another topic of the same name: it was deleted and created again since, or the
	// commit was copied from another cluster at the same offset. Matches returns it.
	ErrTopicRecreated = errors.New("commit metadata of another topic: recreated since the commit")
	// ErrTranslated says that the metadata was written for another topic and another offset, as where a mirror translated the commit. Matches
	// returns it.
	ErrTranslated = errors.New("commit metadata of another topic and offset: commit translated by a mirror")
	// ErrOffsetMoved says that the committed offset is not the one that the metadata was written with: a tool moved it and kept the metadata.
	// Matches returns it.
	ErrOffsetMoved = errors.New("commit metadata of another offset: moved since the commit")
	// ErrLeaderEpoch says that the committed leader epoch is not the one that the metadata was written with. Matches returns it.
	ErrLeaderEpoch = errors.New("commit metadata of another leader epoch")
)

// TooLargeError is the ErrTooLarge that Encode returns.
type TooLargeError struct {
	Needed, Limit int // in UTF-16 code units, as Apache Kafka counts offset.metadata.max.bytes
	Encoding      Encoding
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%v: %d UTF-16 units as %v, the limit (offset.metadata.max.bytes) is %d: let what is in flight end before more is admitted",
		ErrTooLarge, e.Needed, e.Encoding, e.Limit)
}

// Is makes every TooLargeError match ErrTooLarge.
func (e *TooLargeError) Is(target error) bool { return target == ErrTooLarge }

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

func versionError(found byte) error {
	return fmt.Errorf("%w %d: this release reads version %d; upgrade every member of the group", ErrVersion, found, version)
}
