package producer

import (
	"errors"
	"fmt"

	"github.com/sordini-go/sordini"
)

// What an error of a send says about the record. Every error wraps exactly one of the first two (guarantee G10).
var (
	// ErrNotWritten is wrapped by the error of a record that is not on the log and never will be: sending it again makes no duplicate.
	ErrNotWritten = sordini.ErrNotWritten

	// ErrOutcomeUnknown is wrapped by the error of a record that may be on the log, or may still get there: it was given to the client, and the
	// answer did not come in time. Sending it again may make a duplicate, which a consumer that handles by key and id does not mind.
	ErrOutcomeUnknown = sordini.ErrOutcomeUnknown
)

// Causes, wrapped beside one of the above.
var (
	// ErrClosed says that the producer is closed, or was closed before the record could be sent.
	ErrClosed = errors.New("the producer is closed")

	// ErrDeliveryTimeout says that no acknowledgement came within [DeliveryTimeout].
	ErrDeliveryTimeout = errors.New("no acknowledgement within the delivery timeout")

	// ErrBufferFull says that [MaxBuffered] is reached and that the producer was told to fail then, see [WhenFull].
	ErrBufferFull = errors.New("the producer's buffer is full")

	// ErrPartition says that the partition that was chosen with [Partition] does not exist.
	ErrPartition = errors.New("no such partition")

	// ErrTooLarge says that the record exceeds the limit of its topic (max.message.bytes) or of the producer's buffer ([MaxBuffered]).
	ErrTooLarge = errors.New("record too large")

	// ErrUnknownTopic says that the topic does not exist. It is not created: see sordini.EnsureTopics.
	ErrUnknownTopic = errors.New("unknown topic")

	// ErrEncode says that the key's or the value's serde could not encode the record.
	ErrEncode = errors.New("encode")
)

// SendError is the error of one record. Its text says what became of the record and why.
type SendError struct {
	Topic string
	// MaybeWritten is true where the outcome is unknown, false where the record is not written.
	MaybeWritten bool
	// Cause is one of this package's causes, the cause of the caller's context, a diagnosed error or an error of Kafka's (package kerr).
	Cause error
}

func (e *SendError) Error() string {
	return fmt.Sprintf("send to %s: %v: %v", e.Topic, e.outcome(), e.Cause)
}

// Unwrap returns ErrNotWritten or ErrOutcomeUnknown, and the cause.
func (e *SendError) Unwrap() []error { return []error{e.outcome(), e.Cause} }

func (e *SendError) outcome() error {
	if e.MaybeWritten {
		return ErrOutcomeUnknown
	}
	return ErrNotWritten
}

func notWritten(topic string, cause error) error { return &SendError{Topic: topic, Cause: cause} }

func unknown(topic string, cause error) error {
	return &SendError{Topic: topic, MaybeWritten: true, Cause: cause}
}

// truthful is what a caller is told: an error of middleware that does not say what became of the record gets the answer that can not be wrong.
func truthful(topic string, err error) error {
	if err == nil {
		return nil
	}
	var told *SendError
	switch {
	case errors.As(err, &told):
		return err
	case errors.Is(err, ErrNotWritten):
		return notWritten(topic, err)
	}
	return unknown(topic, err)
}
